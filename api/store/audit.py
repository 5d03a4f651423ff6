"""The audit: who did what to what, written in the transaction that does it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from api.store.schema import audit


def record(
    connection: sa.Connection,
    at: datetime,
    actor: str,
    act: tuple[str, str],
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add a row: ``act`` is the action and its subject, such as ``("plan.cancelled", plan_id)``."""
    action, subject = act
    connection.execute(
        audit.insert().values(at=at, actor=actor, action=action, subject=subject, details=dict(details or {}))
    )
