"""What handlers work with: the store, the sources a caller may name, the clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from api.clock import Clock, utc_now
from api.curve_shelf import CurveShelf
from api.sources import Sources
from api.store.database import Store


@dataclass(frozen=True)
class Service:
    """The collaborators of the HTTP service, built once by its entry point."""

    store: Store
    sources: Sources
    clock: Clock = utc_now
    curves: CurveShelf = field(default_factory=CurveShelf)


def _of_app(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Serving = Annotated[Service, Depends(_of_app)]
"""The type of a handler's parameter that receives the service."""
