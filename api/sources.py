"""The data that a plan may be asked of over HTTP: sources registered by name, and folders or files under one root.

``sources.toml`` under ``RESTOCK_HOME`` registers them::

    [sources]
    erp = "env:ERP_DATABASE"
    shop = "/srv/exports/shop"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import ConfigError

FILE_NAME = "sources.toml"


@dataclass(frozen=True)
class Sources:
    """What may be read on a caller's word: ``registered`` addresses by name, and what lies under ``root``."""

    root: Path
    registered: Mapping[str, str] = field(default_factory=dict)

    def locate(self, name: str) -> str:
        """Return the ``DATA`` that a name stands for: a registered address, or a path under the root.

        Raises
        ------
        ConfigError
            The name is neither, or leads out of the root. The message tells nothing of what lies outside.
        """
        if name in self.registered:
            return self.registered[name]
        path = self._below_root(name)
        if path is None:
            raise ConfigError(
                "data is the name of a registered source, or of a folder or file under the data root",
                f"{name!r}",
                f"Register it in {FILE_NAME}, or lay it under the data root",
            )
        return str(path)

    def _below_root(self, name: str) -> Path | None:
        root = self.root.resolve()
        try:
            # Resolved before it is compared: neither ".." nor a link leads out.
            path = (root / name).resolve()
            return path if root in path.parents and path.exists() else None
        except (OSError, ValueError):
            # No file can have such a name.
            return None


def read_sources(home: Path, root: Path | None = None) -> Sources:
    """Return the sources of a home; the data root is ``home/data`` unless given.

    Raises
    ------
    ConfigError
        ``sources.toml`` is no TOML, or has anything but a table ``sources`` of names and addresses.
    """
    chosen = home / "data" if root is None else root
    path = home / FILE_NAME
    if not path.exists():
        return Sources(chosen)
    try:
        stated = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # Without the cause: it may quote a line with an address in it.
        raise ConfigError(f"{FILE_NAME} is UTF-8 TOML", f"{path} is not", "Correct it") from None
    sources = stated.get("sources", {})
    if set(stated) - {"sources"} or not isinstance(sources, dict) or not _all_text(sources):
        raise ConfigError(
            f"{FILE_NAME} has one table, [sources], of names and addresses in quotes",
            f"something else in {path}",
            "Correct it",
        )
    return Sources(chosen, sources)


def _all_text(sources: Mapping[str, object]) -> bool:
    return all(isinstance(value, str) for value in sources.values())
