"""Reads text: encodings, spaces, Unicode form, and ids that a spreadsheet has turned into numbers."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from engine.tables.breach import Rule
from engine.tables.cells import Bools, Cells, as_text
from engine.tables.parsed import Fault, Mended, Parsed, fault, mended
from engine.tables.repairs import DECODE_GB, DECODE_WINDOWS, ID_POINT_ZERO

_POINT_ZERO = re.compile(r"[0-9]+\.0+")
_ROUNDED = re.compile(r"[0-9](\.[0-9]+)?[eE]\+[0-9]+")
_CODECS = {DECODE_WINDOWS: "windows-1252", DECODE_GB: "gb18030"}


def decode(cells: Cells, repairs: frozenset[str]) -> Parsed:
    """Return text cells without bytes that are not UTF-8.

    Readers keep such bytes as lone surrogates (Python's ``surrogateescape``), so a repair can still decode them.
    """
    if not cells.is_text:
        return Parsed(cells)
    broken = marks(cells, lambda value: not value.isascii() and not _is_unicode(value))
    if not broken.any():
        return Parsed(cells)
    repair = next((name for name in _CODECS if name in repairs), None)
    if repair is None:
        readable = tuple(name for name, codec in _CODECS.items() if _all_decode(cells.values[broken], codec))
        shown = np.array([escaped(value) for value in cells.values], dtype=object)
        faults = fault(Rule.ENCODING, "not-utf-8", Cells(cells.codes, shown), broken, readable)
        return Parsed(cells.without(broken), faults)
    decoded = cells.values.copy()
    for number in np.flatnonzero(broken):
        decoded[number] = _decoded(decoded[number], _CODECS[repair])
    failed = np.array([value is None for value in decoded], dtype=bool)
    shown = np.array([escaped(value) for value in cells.values], dtype=object)
    faults = fault(Rule.ENCODING, "not-utf-8", Cells(cells.codes, shown), failed)
    return Parsed(cells.distinct(decoded), faults, mended(repair, Rule.ENCODING, cells, broken & ~failed))


def parse_words(cells: Cells) -> Parsed:
    """Return a column of text: trimmed, in Unicode NFC, empty text as null."""
    cells, mends = _normalise(_texts(cells))
    return Parsed(cells, (), mends)


def parse_choice(cells: Cells) -> Parsed:
    """Return a column of fixed words: as text, in lower case and without spaces."""
    cells = _texts(cells)
    return Parsed(cells.distinct(_each(cells, lambda value: "".join(value.lower().split()) or None)))


def parse_ids(cells: Cells, repairs: frozenset[str]) -> Parsed:
    """Return a column of ids: text, trimmed, in Unicode NFC, as they were written.

    Numbers become text without ".0" and that is told, since leading zeros are lost where there were any. Text
    such as "85123.0" or "8.5E+12" was spoilt by a spreadsheet: the first can be repaired, the second cannot.
    """
    if not cells.is_text:
        return _number_ids(cells)
    cells, mends = _normalise(cells)
    faults: tuple[Fault, ...] = ()
    pointed = marks(cells, lambda value: value[-1] == "0" and _POINT_ZERO.fullmatch(value) is not None)
    if pointed.any() and ID_POINT_ZERO in repairs:
        mends += mended(ID_POINT_ZERO, Rule.IDS, cells, pointed)
        values = cells.values.copy()
        values[pointed] = [value.partition(".")[0] for value in values[pointed]]
        cells = cells.distinct(values)
    elif pointed.any():
        faults += fault(Rule.IDS, "id-point-zero", cells, pointed, (ID_POINT_ZERO,))
        cells = cells.without(pointed)
    rounded = marks(cells, lambda value: "+" in value and _ROUNDED.fullmatch(value) is not None)
    faults += fault(Rule.IDS, "id-rounded", cells, rounded)
    return Parsed(cells.without(rounded), faults, mends)


def escaped(value: str) -> str:
    """Return text that can be shown and stored: bytes that are not UTF-8 as ``\\xNN``."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def marks(cells: Cells, test: Callable[[str], bool]) -> Bools:
    """Return which distinct texts pass a test, shape (n_distinct,)."""
    return np.fromiter((test(value) for value in cells.values), dtype=bool, count=len(cells.values))


def _number_ids(cells: Cells) -> Parsed:
    if cells.values.dtype.kind == "f":
        whole = np.equal(np.mod(cells.values, 1), 0) & (np.abs(cells.values) < 2**53)
        faults = fault(Rule.IDS, "id-fraction", cells, ~whole)
        cells = cells.without(~whole)
    else:
        faults = ()
    rows = ~cells.null
    if rows.any() and cells.values.dtype.kind in "fi":
        first = as_text(cells.values[cells.codes[int(np.argmax(rows))]])
        faults += (Fault(Rule.IDS, "id-from-number", rows, first, (), told_only=True),)
    return Parsed(_texts(cells), faults)


def _texts(cells: Cells) -> Cells:
    if cells.is_text:
        return cells
    texts = np.empty(len(cells.values), dtype=object)
    texts[:] = [as_text(value) for value in cells.values.tolist()] if cells.values.dtype.kind != "M" else _days(cells)
    return Cells(cells.codes, texts)


def _days(cells: Cells) -> list[str]:
    return [str(np.datetime_as_string(value, unit="D")) for value in cells.values]


def _normalise(cells: Cells) -> tuple[Cells, tuple[Mended, ...]]:
    trimmed = _each(cells, lambda value: value.strip() or None)
    spaced = np.array([new is not None and new != old for old, new in zip(cells.values, trimmed, strict=True)], bool)
    composed = _each(Cells(cells.codes, trimmed), _nfc)
    changed = np.array([new != old for old, new in zip(trimmed, composed, strict=True)], bool)
    if not spaced.any() and not changed.any() and not any(value is None for value in composed):
        return cells, ()
    mends = mended("trim-spaces", Rule.IDS, cells, spaced) + mended("unicode-nfc", Rule.IDS, cells, changed)
    return cells.distinct(composed), mends


def _nfc(value: str | None) -> str | None:
    return value if value is None or value.isascii() else unicodedata.normalize("NFC", value)


def _each(cells: Cells, function: Callable[[str], str | None]) -> npt.NDArray[np.object_]:
    values = np.empty(len(cells.values), dtype=object)
    values[:] = [function(value) for value in cells.values]
    return values


def _is_unicode(value: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _decoded(value: str, codec: str) -> str | None:
    try:
        return value.encode("utf-8", "surrogateescape").decode(codec)
    except UnicodeDecodeError:
        return None


def _all_decode(values: npt.NDArray[np.object_], codec: str) -> bool:
    return all(_decoded(value, codec) is not None for value in values)
