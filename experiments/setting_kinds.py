"""The kind of a stated value: true is no number and no text, a text is no number, a number is no text and no date.

Building a dataclass from values would read them as each other: true as 1.0, "0.9" as 0.9, 1 as a day in 1970.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from engine.errors import ConfigError

_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", date: "a date"}
_REMEDIES = {
    bool: "Write true or false, without quotes",
    int: "Write digits, without quotes",
    float: "Write digits, without quotes",
    str: "Write it in quotes",
    date: "Write 2026-01-31",
}
_READ_AS: Mapping[type, frozenset[type]] = {
    bool: frozenset({bool}),
    int: frozenset({int, float}),
    float: frozenset({int, float}),
    str: frozenset({str, date}),
    date: frozenset({date}),
}
"""The kinds that a value of each may stand for. Parts of a number, and texts that are no date, are refused later."""


def refuse_other_kinds(kind: type, stated: Mapping[str, Any], name: str, prefix: str = "") -> None:
    """Refuse values that are not of the kind that the fields of the dataclass ``kind`` declare; tables go down.

    Raises
    ------
    ConfigError
        Naming the setting, what was found in ``name``, and how such a value is written.
    """
    hints = get_type_hints(kind)
    for key in (item.name for item in fields(kind)):
        if key in stated:
            for place, wanted, value in _values(f"{prefix}{key}", hints[key], stated[key], name):
                _refuse_other_kind(place, wanted, value, name)


def _values(place: str, hint: Any, value: Any, name: str) -> Iterator[tuple[str, frozenset[type], Any]]:
    """Yield each single value with its place and the kinds that its declaration allows."""
    if isinstance(value, Mapping):
        if isinstance(hint, type) and is_dataclass(hint):
            refuse_other_kinds(hint, value, name, f"{place}.")
        elif isinstance(get_origin(hint), type) and issubclass(get_origin(hint), Mapping):
            for key, below in value.items():
                yield from _values(f"{place}.{key}", get_args(hint)[1], below, name)
    elif isinstance(value, list):
        if get_origin(hint) is tuple:
            for number, below in enumerate(value):
                yield from _values(f"{place}.{number}", get_args(hint)[0], below, name)
    elif wanted := frozenset(_single_kinds(hint)):
        yield place, wanted, value


def _single_kinds(hint: Any) -> Iterator[type]:
    """Yield the single kinds that a declaration names; none where it wants a list or a table, or takes anything."""
    if get_origin(hint) is Literal:
        yield from (type(value) for value in get_args(hint))
    elif get_origin(hint) in (Union, UnionType):
        for option in get_args(hint):
            yield from _single_kinds(option)
    elif hint in _NAMES:
        yield hint


def _refuse_other_kind(place: str, wanted: frozenset[type], value: Any, name: str) -> None:
    found = next((kind for kind in _READ_AS if isinstance(value, kind)), None)
    if found is not None and not wanted & _READ_AS[found]:
        kind = next(one for one in _NAMES if one in wanted)
        shown = str(value).lower() if found is bool else repr(value)
        raise ConfigError(f"{place} is {_NAMES[kind]}", f"{shown} in {name}", _REMEDIES[kind])
