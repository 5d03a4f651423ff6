"""The kinds of columns of the data contract, each a pandera column with what a reader of its text must know.

``Column.metadata`` carries, beside pandera's own type, nullability and checks: ``kind`` (how text becomes a
value), ``key`` (part of the table's key), ``default`` (as told to people), ``fill`` (whether the default
is written into the checked table) and ``refers`` (what an id points at).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pandas as pd
import pandera.pandas as pa

Kind = Literal["id", "text", "number", "date", "flag", "choice"]
Severity = Literal["fatal", "contradiction", "repairable", "quarantined", "noted"]

TEXT = pd.StringDtype("pyarrow")
DATE = "datetime64[ns]"
ANY = "*"
DEFAULT_SOURCE = "default"
"""The supplier of the default link of the configuration."""


@dataclass(frozen=True)
class Role:
    """What a column is to its table: part of the key, required (a null is a breach), or optional."""

    key: bool
    required: bool


KEY = Role(key=True, required=True)
OPTIONAL_KEY = Role(key=True, required=False)
REQUIRED = Role(key=False, required=True)
OPTIONAL = Role(key=False, required=False)


@dataclass(frozen=True)
class Reference:
    """What an id points at, and how bad it is where the target's table is given and lacks the id."""

    target: Literal["items", "locations"]
    severity: Severity
    star: bool = False


def item(severity: Severity = "quarantined", star: bool = False) -> Reference:
    """Point at ``items``; ``star`` allows ``*`` for all items."""
    return Reference("items", severity, star)


def site(severity: Severity = "quarantined", star: bool = False) -> Reference:
    """Point at ``locations``; ``star`` allows ``*`` for all locations."""
    return Reference("locations", severity, star)


def identifier(
    description: str, role: Role = OPTIONAL, refers: Reference | None = None, default: str = ""
) -> pa.Column:
    """Return a column of ids: text whatever it looks like."""
    return _column("id", description, role, default=default, refers=refers)


def text(description: str, role: Role = OPTIONAL) -> pa.Column:
    """Return a column of free text."""
    return _column("text", description, role)


def pattern(description: str, regex: str, example: str, default: str = "") -> pa.Column:
    """Return an optional column of text in a fixed form, such as a list of weekdays."""
    check = pa.Check.str_matches(regex, name="form", description=example)
    return _column("choice", description, OPTIONAL, checks=(check,), default=default)


def choice(description: str, allowed: tuple[str, ...], default: str = "") -> pa.Column:
    """Return an optional column with a fixed set of words."""
    return _column("choice", description, OPTIONAL, checks=(pa.Check.isin(allowed),), default=default)


def date(description: str, role: Role = OPTIONAL) -> pa.Column:
    """Return a column of calendar dates."""
    return _column("date", description, role)


def flag(description: str, default: bool) -> pa.Column:
    """Return an optional yes/no column with its default."""
    return _column("flag", description, OPTIONAL, default=default)


def number(description: str, check: pa.Check | None = None, role: Role = OPTIONAL, default: str = "") -> pa.Column:
    """Return a column of finite numbers; ``default`` is told, not filled in."""
    return _column("number", description, role, checks=(check,) if check else (), default=default)


AT_LEAST_0 = pa.Check.ge(0)
ABOVE_0 = pa.Check.gt(0)
SHARE = pa.Check.in_range(0, 1)
OPEN_SHARE = pa.Check.in_range(0, 1, include_min=False, include_max=False)

_DTYPES = {"id": TEXT, "text": TEXT, "choice": TEXT, "number": "float64", "date": DATE, "flag": "bool"}


def _column(
    kind: Kind,
    description: str,
    role: Role,
    checks: tuple[pa.Check, ...] = (),
    default: str | bool = "",
    refers: Reference | None = None,
) -> pa.Column:
    fill = kind != "number" and default != ""
    metadata = {"kind": kind, "key": role.key, "default": default, "fill": fill, "refers": refers}
    return pa.Column(
        _DTYPES[kind],
        list(checks),
        nullable=not (role.required or fill),
        required=role.required,
        description=description,
        metadata=metadata,
    )
