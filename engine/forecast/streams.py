"""Random numbers: one generator per series and purpose, and one per common factor and date.

Seeds are stable hashes of names, never positions, so a series draws the same numbers alone, in any
batch, in any process and in any order of rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np


@dataclass(frozen=True)
class Streams:
    """A family of independent generators that share one seed."""

    seed: int

    def series(self, item_id: str, location_id: str, purpose: str = "demand") -> np.random.Generator:
        """Return the generator of a series for a purpose."""
        return self._generator("series", purpose, item_id, location_id)

    def common(self, group: str, date: np.datetime64 | str) -> np.random.Generator:
        """Return the generator of a common factor on a date; the same for every series."""
        return self._generator("common", group, str(date))

    def _generator(self, *names: str) -> np.random.Generator:
        digest = blake2b(digest_size=16, key=str(self.seed).encode())
        for name in names:
            text = name.encode()
            digest.update(len(text).to_bytes(4, "little") + text)
        return np.random.Generator(np.random.Philox(key=int.from_bytes(digest.digest(), "little")))
