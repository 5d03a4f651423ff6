"""Cursors: where a list goes on, as text that only this service reads."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.problems import ProblemError

_LAST_ROW = 2**31 - 1

Cursor = Annotated[str | None, Field(max_length=500, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Field(ge=1, le=1000, description="Rows of a page.")]


class PageQuery(BaseModel):
    """Where a page begins and how long it is. An unknown parameter is refused: it would narrow nothing."""

    model_config = ConfigDict(extra="forbid")

    cursor: Cursor = None
    limit: Limit = 100


def encode(place: list[str | int]) -> str:
    """Return a place in a list as a cursor."""
    return urlsafe_b64encode(json.dumps(place).encode()).decode()


def decode_row(cursor: str) -> int:
    """Return the row number of a cursor made of one.

    Raises
    ------
    ProblemError
        ``bad-cursor``: it comes from elsewhere.
    """
    match _decode(cursor):
        case [int(row)] if 0 <= row <= _LAST_ROW:
            return row
    raise _bad_cursor()


def decode_moment(cursor: str) -> tuple[datetime, str]:
    """Return the moment and the id of a cursor made of both.

    Raises
    ------
    ProblemError
        ``bad-cursor``: it comes from elsewhere.
    """
    match _decode(cursor):
        case [str(text), str(name)]:
            moment = _moment(text)
            if moment is not None:
                return moment, name
    raise _bad_cursor()


def _decode(cursor: str) -> Any:
    try:
        return json.loads(urlsafe_b64decode(cursor.encode()))
    except ValueError:  # binascii.Error and JSONDecodeError are both of this kind
        return None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _bad_cursor() -> ProblemError:
    return ProblemError("bad-cursor", "Begin without a cursor, then send next_cursor as it came.")
