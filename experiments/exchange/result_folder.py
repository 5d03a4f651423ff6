"""Folders of results: written aside and renamed, so that what bears the name is complete."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from engine.errors import ConfigError

MANIFEST = ".restock-files.json"
"""Lists the files of a result folder; written last, so a folder without it was not finished by restock."""


def refuse_existing(out: Path, overwrite: bool) -> None:
    """Refuse, before any work is done, an output folder that exists and may not be replaced.

    Raises
    ------
    ConfigError
        ``out`` exists and ``overwrite`` is not given, or it is no folder.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise ConfigError("--out is a folder", f"a file at {out}", "Name another folder")
    if not overwrite:
        raise ConfigError("--out does not exist yet", f"{out}", "Name another folder, or give --overwrite")


@contextmanager
def result_folder(out: Path, overwrite: bool) -> Iterator[Path]:
    """Yield an empty folder to write into; it takes the name ``out`` when the block ends without an error.

    A run that fails or is killed leaves ``out`` as it was (a kill may leave a hidden sibling whose name
    ends in ``.part``). An ``out`` that is replaced loses the files that restock wrote there before; any
    other file in it stays.

    Raises
    ------
    ConfigError
        ``out`` exists and ``overwrite`` is not given, or it is no folder.
    """
    refuse_existing(out, overwrite)
    out = out.resolve()
    out.parent.mkdir(parents=True, exist_ok=True)
    part = out.parent / f".{out.name}.{uuid4().hex}.part"
    part.mkdir()
    try:
        yield part
        names = sorted(str(path.relative_to(part)) for path in part.rglob("*") if path.is_file())
        (part / MANIFEST).write_text(json.dumps({"files": names}, indent=1), encoding="utf-8")
        _put_in_place(part, out, overwrite)
    finally:
        if part.exists():
            shutil.rmtree(part)


def _put_in_place(part: Path, out: Path, overwrite: bool) -> None:
    refuse_existing(out, overwrite)
    if not out.exists():
        part.rename(out)
        return
    old = out.parent / f".{out.name}.{uuid4().hex}.old"
    out.rename(old)
    part.rename(out)
    for name in _written_before(old):
        (old / name).unlink(missing_ok=True)
    for path in sorted(path for path in old.rglob("*") if path.is_symlink() or path.is_file()):
        kept = out / path.relative_to(old)
        # A file under a name that the new results use was asked to be overwritten.
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            path.rename(kept)
    shutil.rmtree(old)


def _written_before(folder: Path) -> list[str]:
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return []
    names = json.loads(manifest.read_text(encoding="utf-8"))["files"]
    return [*(str(name) for name in names), MANIFEST]
