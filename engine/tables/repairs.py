"""The repairs that may be asked for by name; each is described in `experiments.exchange.rule_texts`."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from engine.errors import ConfigError

SUM_DUPLICATES = "sum-duplicates"
LAST_DUPLICATE = "last-duplicate"
DECODE_WINDOWS = "decode-windows-1252"
DECODE_GB = "decode-gb18030"
ID_POINT_ZERO = "id-point-zero"
COMMA_THOUSANDS = "comma-thousands"
COMMA_DECIMALS = "comma-decimals"
NAN_AS_MISSING = "nan-as-missing"
DAY_FIRST = "day-first-dates"
MONTH_FIRST = "month-first-dates"
YEAR_FIRST = "year-first-dates"
DROP_TIME = "drop-time-of-day"
OPEN_END = "open-end-dates"
NEGATIVE_TO_RETURNS = "negative-to-returns"
NEGATIVE_TO_ZERO = "negative-stock-to-zero"
LEADING_ZEROS = "leading-zeros"
ADD_ITEMS = "add-unknown-items"
ADD_LOCATIONS = "add-unknown-locations"
AVERAGE_IN_STOCK = "average-in-stock"
SET_ASIDE = "set-aside"

REPAIRS = (
    SUM_DUPLICATES,
    LAST_DUPLICATE,
    DECODE_WINDOWS,
    DECODE_GB,
    ID_POINT_ZERO,
    COMMA_THOUSANDS,
    COMMA_DECIMALS,
    NAN_AS_MISSING,
    DAY_FIRST,
    MONTH_FIRST,
    YEAR_FIRST,
    DROP_TIME,
    OPEN_END,
    NEGATIVE_TO_RETURNS,
    NEGATIVE_TO_ZERO,
    LEADING_ZEROS,
    ADD_ITEMS,
    ADD_LOCATIONS,
    AVERAGE_IN_STOCK,
    SET_ASIDE,
)

# Two of one group would read the same cell in two ways.
_EXCLUSIVE = (
    (COMMA_THOUSANDS, COMMA_DECIMALS),
    (DAY_FIRST, MONTH_FIRST),
    (DECODE_WINDOWS, DECODE_GB),
)


def chosen(names: Collection[str]) -> frozenset[str]:
    """Return the repairs asked for.

    Raises
    ------
    ConfigError
        If a name is unknown, or two of them would read one cell in two ways.
    """
    for name in sorted(set(names) - set(REPAIRS)):
        near = difflib.get_close_matches(name, REPAIRS, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"The repairs are {', '.join(REPAIRS)}."
        raise ConfigError("A repair is one of those that the check names", f"{name!r}", hint)
    for group in _EXCLUSIVE:
        if len(both := [name for name in group if name in names]) > 1:
            raise ConfigError("One cell is read in one way", f"the repairs {' and '.join(both)}", "Choose one of them.")
    return frozenset(names)
