"""What breaks the contract, as codes and values; wording is added at the edge.

A rule is named by the prefix of its table and a number that means the same for every table (`S3` and `I3`
are both "one row per key").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

from engine.errors import ContradictionError, DataError
from engine.messages import Value
from engine.tables.columns import Severity


class Rule(IntEnum):
    """The numbers of the rules, the same for every table."""

    GIVEN = 1
    COLUMNS = 2
    KEY = 3
    ENCODING = 4
    IDS = 5
    NUMBERS = 6
    SEPARATORS = 7
    FINITE = 8
    DATES = 9
    CALENDAR = 10
    TIME_OF_DAY = 11
    FLAGS = 12
    REQUIRED = 13
    RANGE = 14
    WORDS = 15
    ITEMS_KNOWN = 16
    LOCATIONS_KNOWN = 17
    ROW = 18
    USABLE = 19
    GAPS = 20
    AS_OF = 21
    LINKED = 22
    ONE_VALUE = 23
    LABELS = 24
    CIRCULAR = 25
    FITS = 26
    EXTERNAL = 27
    SHORT_LINK = 28
    BATCHES = 29
    PLACES_KNOWN = 30


@dataclass(frozen=True)
class Breach:
    """A rule that does not hold.

    Parameters
    ----------
    rule
        Prefix of the table and number, such as "S3".
    code
        Which finding of the rule it is, in kebab-case.
    table
        Name of the table.
    severity
        "fatal" and "contradiction" refuse the data, so does "repairable" until one of ``repairs`` is asked
        for; "quarantined" sets the rows aside; "noted" only tells.
    count, n_rows
        Rows (or whatever ``code`` counts) that break the rule, and how many there are.
    rows
        The first five rows, counted as a spreadsheet does: the header is row 1.
    places
        The key of each of ``rows``.
    repairs
        Names of the repairs that mend it.
    values
        What else the wording needs (column, constraint, example...).
    """

    rule: str
    code: str
    table: str
    severity: Severity
    count: int
    n_rows: int
    rows: tuple[int, ...] = ()
    places: tuple[Mapping[str, str], ...] = ()
    repairs: tuple[str, ...] = ()
    values: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))
        object.__setattr__(self, "places", tuple(MappingProxyType(dict(place)) for place in self.places))

    def __reduce__(self) -> tuple[object, ...]:
        places = tuple(dict(place) for place in self.places)
        plain = (self.rule, self.code, self.table, self.severity, self.count, self.n_rows, self.rows)
        return Breach, (*plain, places, self.repairs, dict(self.values))

    @property
    def refuses(self) -> bool:
        """Whether the data are refused because of it."""
        return self.severity in ("fatal", "contradiction", "repairable")


@dataclass(frozen=True)
class Repaired:
    """A change made to the data: its name, the rule it serves, where, and how many cells or rows it changed."""

    name: str
    rule: str
    table: str
    column: str
    count: int


class DataRefused(DataError):
    """The data break the contract; ``breaches`` holds every breach that refuses them, worst first."""

    def __init__(self, breaches: tuple[Breach, ...], messages: tuple[str, ...] = ()) -> None:
        super().__init__(*neutral(breaches[0]))
        self.breaches = breaches
        self.messages = messages

    def __str__(self) -> str:
        return told(self.breaches, self.messages)

    def __reduce__(self) -> tuple[type[DataRefused], tuple[tuple[Breach, ...], tuple[str, ...]]]:
        return DataRefused, (self.breaches, self.messages)


class DataContradicts(ContradictionError):
    """Rows of the data contradict each other; ``breaches`` says which."""

    def __init__(self, breaches: tuple[Breach, ...], messages: tuple[str, ...] = ()) -> None:
        super().__init__(*neutral(breaches[0]))
        self.breaches = breaches
        self.messages = messages

    def __str__(self) -> str:
        return told(self.breaches, self.messages)

    def __reduce__(self) -> tuple[type[DataContradicts], tuple[tuple[Breach, ...], tuple[str, ...]]]:
        return DataContradicts, (self.breaches, self.messages)


def refusal(breaches: tuple[Breach, ...], messages: tuple[str, ...] = ()) -> DataRefused | DataContradicts | None:
    """Return the error that the breaches amount to, or None if they refuse nothing.

    Parameters
    ----------
    breaches
        All breaches of a check.
    messages
        Their wording, one for each, if the caller has it.
    """
    refusing = [number for number, breach in enumerate(breaches) if breach.refuses]
    if not refusing:
        return None
    kept = tuple(breaches[number] for number in refusing)
    worded = tuple(messages[number] for number in refusing) if messages else ()
    if all(breach.severity == "contradiction" for breach in kept):
        return DataContradicts(kept, worded)
    return DataRefused(kept, worded)


def neutral(breach: Breach) -> tuple[str, str, str]:
    """Return rule, finding and remedy of a breach without any wording."""
    finding = f"{breach.code}: {breach.count} of {breach.n_rows} in {breach.table}, rows {list(breach.rows)}"
    values = json.dumps(dict(breach.values), sort_keys=True, ensure_ascii=False)
    return f"rule {breach.rule}", f"{finding} {values}", f"Repairs: {', '.join(breach.repairs) or 'none'}."


def told(breaches: tuple[Breach, ...], messages: tuple[str, ...]) -> str:
    """Return the messages, or the breaches without wording, a line each."""
    if messages:
        return "\n".join(messages)
    return "\n".join("{}. Found {}. {}".format(*neutral(breach)) for breach in breaches)
