"""Whether the service is up and its store within reach."""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import APIRouter
from pydantic import BaseModel

from api.service import Serving
from api.store.schema import plans
from engine.plan.types import CONTRACT_VERSION

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """What is up. ``contract_version``: that of the tables."""

    status: str
    contract_version: str


@router.get("/health", summary="Whether the service is up", operation_id="getHealth")
def health(service: Serving) -> Health:
    """Answers without a key; 503 where the store cannot be reached."""
    with service.store.read() as connection:
        connection.execute(sa.select(plans.c.id).limit(1))
    return Health(status="ok", contract_version=CONTRACT_VERSION)
