"""The largest request body the service reads."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 8 * 2**20


@dataclass(frozen=True)
class BodyLimit:
    """Ends a request whose body outgrows ``max_bytes``, whether or not its length was announced."""

    app: ASGIApp
    max_bytes: int = MAX_BODY_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        n_bytes = 0

        async def counted() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > self.max_bytes:
                raise HTTPException(413, f"a body has at most {self.max_bytes} bytes")
            return message

        await self.app(scope, counted, send)
