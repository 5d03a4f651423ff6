"""The clock that is passed to whatever needs the time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return this moment, in UTC."""
    return datetime.now(UTC)
