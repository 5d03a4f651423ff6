"""Curves kept open between requests: mapped files cost no memory until they are read, but opening them takes time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

from api.store.curves import StoredCurves, open_curves


@dataclass(frozen=True)
class CurveShelf:
    """The curves asked for last, at most ``n_open`` plans at a time."""

    n_open: int = 4
    _opened: OrderedDict[Path, StoredCurves] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, folder: Path) -> StoredCurves:
        """Return the curves of a folder; what a folder holds never changes, so they are opened once."""
        with self._lock:
            if folder not in self._opened:
                self._opened[folder] = open_curves(folder)
                while len(self._opened) > self.n_open:
                    self._opened.popitem(last=False)
            self._opened.move_to_end(folder)
            return self._opened[folder]
