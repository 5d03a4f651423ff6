"""Answers kept for repeats: a request that comes again under the same ``Idempotency-Key`` gets the same answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from api.store.schema import idempotency_keys

KEPT = timedelta(days=30)
"""How long an answer is kept; after that the key is new again."""


class KeyReusedError(Exception):
    """The key came before, with another request."""


@dataclass(frozen=True)
class Once:
    """A request to be carried out once: whose it is, under which key, and what it asks."""

    api_key_id: str
    key: str
    request: Mapping[str, Any]

    @property
    def fingerprint(self) -> str:
        """The hash of what is asked; the order of its fields does not matter."""
        text = json.dumps(self.request, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def answer_once(
    connection: sa.Connection, once: Once, now: datetime, act: Callable[[], Mapping[str, Any]]
) -> dict[str, Any]:
    """Return what ``act`` answers, or what it answered when the key came first, without acting again.

    Answer and act are of one transaction: neither is ever kept without the other.

    Raises
    ------
    KeyReusedError
        The key came first with another request.
    """
    kept = idempotency_keys.c
    connection.execute(idempotency_keys.delete().where(kept.created_at < now - KEPT))
    mine = sa.and_(kept.api_key_id == once.api_key_id, kept.idempotency_key == once.key)
    try:
        # The row goes in before the act: of two requests at once the second waits here for the first to end.
        with connection.begin_nested():
            connection.execute(
                idempotency_keys.insert().values(
                    api_key_id=once.api_key_id,
                    idempotency_key=once.key,
                    fingerprint=once.fingerprint,
                    answer={},
                    created_at=now,
                )
            )
    except sa.exc.IntegrityError:
        first = connection.execute(sa.select(kept.fingerprint, kept.answer).where(mine)).one()
        if first.fingerprint != once.fingerprint:
            raise KeyReusedError(once.key) from None
        return dict(first.answer)
    answer = dict(act())
    connection.execute(idempotency_keys.update().where(mine).values(answer=answer))
    return answer
