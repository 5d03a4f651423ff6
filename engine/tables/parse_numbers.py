"""Reads numbers and flags."""

from __future__ import annotations

import re
from typing import Literal

import numpy as np

from engine.tables.breach import Rule
from engine.tables.cells import Cells
from engine.tables.parse_text import marks
from engine.tables.parsed import Fault, Parsed, fault, mended
from engine.tables.repairs import COMMA_DECIMALS, COMMA_THOUSANDS, NAN_AS_MISSING

_PLAIN = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch
_SPACES = re.compile(r"(?<=[0-9])[ \u00a0\u202f'’](?=[0-9]{3})")
_SHAPES = {
    COMMA_THOUSANDS: re.compile(r"[+-]?[0-9]{1,3}(?:,?[0-9]{3})*(?:\.[0-9]*)?").fullmatch,
    COMMA_DECIMALS: re.compile(r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+)(?:,[0-9]+)?").fullmatch,
}
_SEPARATED = re.compile(r"[+-]?[0-9][0-9.,]*[,.][0-9.,]*|[+-]?[0-9]{4,}").fullmatch
_MISSING = frozenset({"nan", "na", "n/a", "#n/a", "null", "none", "-nan"})
_INFINITE = frozenset({"inf", "+inf", "-inf", "infinity", "+infinity", "-infinity", "∞", "-∞"})
_TRUE = frozenset({"true", "t", "yes", "y", "1"})
_FALSE = frozenset({"false", "f", "no", "n", "0"})

Style = Literal["comma-thousands", "comma-decimals"]


def parse_numbers(cells: Cells, repairs: frozenset[str]) -> Parsed:
    """Return a column of finite numbers (float64).

    Text must be plain ("1234.5"). With ``comma-decimals`` every text of the column is read as "1.234,5", with
    ``comma-thousands`` as "1,234.5", so one column is never read in two ways.
    """
    if not cells.is_text:
        return _typed_numbers(cells)
    texts = [value.strip() for value in cells.values]
    blank = np.array([not text for text in texts], bool)
    style = next((name for name in _SHAPES if name in repairs), None)
    values = np.array([_number(text, style) for text in texts], dtype=np.float64)
    bad = np.isnan(values) & ~blank
    restyled = np.zeros(len(values), bool)
    if style is not None:
        restyled = np.array(
            [_PLAIN(text) is None or float(text) != value for text, value in zip(texts, values, strict=True)]
        )
        restyled &= ~bad & ~blank
    mends = mended(style, Rule.SEPARATORS, cells, restyled) if style else ()
    faults: tuple[Fault, ...] = ()
    lowered = [text.lower() if odd else "" for text, odd in zip(texts, bad, strict=True)]
    missing = bad & np.array([text in _MISSING for text in lowered], bool)
    infinite = bad & np.array([text in _INFINITE for text in lowered], bool)
    separated = bad & np.array([odd and _is_separated(text) for text, odd in zip(texts, bad, strict=True)], bool)
    if NAN_AS_MISSING in repairs:
        mends += mended(NAN_AS_MISSING, Rule.FINITE, cells, missing)
    else:
        faults += fault(Rule.FINITE, "not-a-number", cells, missing, (NAN_AS_MISSING,))
    faults += fault(Rule.FINITE, "infinite", cells, infinite)
    able = tuple(name for name in _SHAPES if style is None and _reads_all(name, texts, separated))
    faults += fault(Rule.SEPARATORS, "separators", cells, separated, able)
    faults += fault(Rule.NUMBERS, "no-number", cells, bad & ~missing & ~infinite & ~separated)
    # -0.0 and 0.0 are one value: the text they came from must not reach a snapshot.
    return Parsed(Cells(cells.codes, values + 0.0).without(bad | blank), faults, mends)


def parse_flags(cells: Cells) -> Parsed:
    """Return a column of yes and no (bool)."""
    if cells.values.dtype == bool:
        return Parsed(cells)
    if cells.is_text:
        texts = [value.strip().lower() for value in cells.values]
        yes, no = (np.array([text in words for text in texts], bool) for words in (_TRUE, _FALSE))
        blank = marks(cells, lambda value: not value.strip())
    elif cells.values.dtype.kind == "M":
        yes = no = blank = np.zeros(len(cells.values), bool)
    else:
        yes, no = cells.values == 1, cells.values == 0
        blank = np.zeros(len(cells.values), bool)
    bad = ~yes & ~no & ~blank
    return Parsed(Cells(cells.codes, yes).without(bad | blank), fault(Rule.FLAGS, "no-flag", cells, bad))


def _typed_numbers(cells: Cells) -> Parsed:
    if cells.values.dtype.kind not in "fi":
        everything = np.ones(len(cells.values), bool)
        return Parsed(Cells(cells.codes, np.zeros(len(cells.values))).without(everything),
                      fault(Rule.NUMBERS, "no-number", cells, everything))  # fmt: skip
    values = cells.values.astype(np.float64)
    infinite = np.isinf(values)
    return Parsed(Cells(cells.codes, values + 0.0).without(infinite), fault(Rule.FINITE, "infinite", cells, infinite))


def _number(text: str, style: str | None) -> float:
    """Return the number that a text states in a style; NaN if it states none or is too large."""
    # Exponents occur in no spreadsheet's local form, so such text is plain in either style.
    if _PLAIN(text) and (style != COMMA_DECIMALS or "e" in text.lower()):
        return _finite(text)
    joined = _SPACES.sub("", text)
    if style is None or not _SHAPES[style](joined):
        return np.nan
    if style == COMMA_DECIMALS:
        return _finite(joined.replace(".", "").replace(",", "."))
    return _finite(joined.replace(",", ""))


def _finite(text: str) -> float:
    value = float(text)
    return value if np.isfinite(value) else np.nan


def _is_separated(text: str) -> bool:
    return _SEPARATED(_SPACES.sub("", text)) is not None


def _reads_all(style: str, texts: list[str], separated: np.typing.NDArray[np.bool_]) -> bool:
    return all(_SHAPES[style](_SPACES.sub("", texts[number])) for number in np.flatnonzero(separated))
