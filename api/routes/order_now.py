"""What to order now: one synchronous answer, from the curves stored with a finished plan."""

from __future__ import annotations

import math
from datetime import date
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.answering import Advice, Inbound, Stock, advise
from api.problems import ProblemError
from api.routes.access import OrderReader
from api.routes.ids import Id
from api.service import Service, Serving
from api.store.plans import PlanRecord, find_plan, latest_finished
from engine.messages import Message
from experiments.exchange.catalogue import read_catalogue, render

router = APIRouter(tags=["orders"])

MAX_LINES = 2000

Units = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


class InboundLine(BaseModel):
    """An open order or transfer on its way."""

    model_config = ConfigDict(extra="forbid")

    units: Units
    available_date: date = Field(description="The day it can be sold from.")


class StockLine(BaseModel):
    """What an item has at a location now."""

    model_config = ConfigDict(extra="forbid")

    item_id: Id
    location_id: Id
    on_hand: Units
    reserved: Units = Field(default=0.0, description="What exceeds on_hand is owed, like a backorder.")
    backorders: Units = Field(default=0.0, description="Units owed that are not reserved.")
    inbound: list[InboundLine] = Field(default=[], max_length=500)


class OrderNowAsk(BaseModel):
    """Items at locations with their stock, each pair once."""

    model_config = ConfigDict(extra="forbid")

    plan_id: Id | None = Field(default=None, description="The plan to answer from; default: the latest.")
    lines: list[StockLine] = Field(min_length=1, max_length=MAX_LINES)


class OrderNowLine(BaseModel):
    """What to order of one item at one location; ``unknown`` where the plan does not cover it."""

    item_id: str
    location_id: str
    status: Literal["answered", "unknown"]
    units: float | None = None
    expected_service: float | None = None
    source_id: str | None = None
    order_date: str | None = None
    available_date: str | None = None
    next_available_date: str | None = None
    late_inbound_units: float | None = Field(
        default=None, description="Inbound due before the plan's as_of; it counts as arriving on that day."
    )
    reason_code: str
    reason_values: dict[str, Any]
    reason: str


class OrderNowAnswer(BaseModel):
    """A line for every line asked, in the same order, and the plan that they come from."""

    plan_id: str
    as_of: str
    lines: list[OrderNowLine]


@router.post("/order-now", summary="What to order now", operation_id="orderNow")
def post_order_now(asked: OrderNowAsk, _key: OrderReader, service: Serving) -> OrderNowAnswer:
    """Answers for the stock given here, from the demand that the plan expects. Needs the scope `orders:read`.

    Nothing is changed or remembered: what is ordered must come back as inbound.
    """
    _refuse_repeats(asked.lines)
    plan, as_of, bulk = _plan(service, asked.plan_id)
    curves = service.curves.get(service.store.artifacts / bulk / "curves")
    advice = advise(curves, np.datetime64(as_of, "D"), [_stock(line) for line in asked.lines])
    lines = [_line(line, given) for line, given in zip(asked.lines, advice, strict=True)]
    return OrderNowAnswer(plan_id=plan.id, as_of=as_of, lines=lines)


def _refuse_repeats(lines: list[StockLine]) -> None:
    first: dict[tuple[str, str], int] = {}
    for number, line in enumerate(lines):
        before = first.setdefault((line.item_id, line.location_id), number)
        if before != number:
            found = {"in": "body", "pointer": f"/lines/{number}", "detail": f"repeats line {before}"}
            raise ProblemError("invalid", f"body /lines/{number}: repeats line {before}.", {"errors": [found]})


def _plan(service: Service, plan_id: str | None) -> tuple[PlanRecord, str, str]:
    with service.store.read() as connection:
        plan = latest_finished(connection) if plan_id is None else find_plan(connection, plan_id)
    if plan is None and plan_id is None:
        raise ProblemError("no-plan-yet", "Make a plan first: restock plan, or POST /v1/plans.")
    if plan is None:
        raise ProblemError("no-such-plan", f"{plan_id!r}. GET /v1/plans lists those there are.")
    if plan.as_of is None or plan.bulk is None:
        raise ProblemError("not-finished", f"It is {plan.status}.", {"plan_status": plan.status})
    return plan, plan.as_of, plan.bulk


def _stock(line: StockLine) -> Stock:
    inbound = tuple(Inbound(item.units, np.datetime64(item.available_date, "D")) for item in line.inbound)
    return Stock(line.item_id, line.location_id, line.on_hand, line.reserved, line.backorders, inbound)


def _line(line: StockLine, advice: Advice | None) -> OrderNowLine:
    if advice is None:
        unknown = Message("now-unknown", {"item_id": line.item_id, "location_id": line.location_id})
        return OrderNowLine(item_id=line.item_id, location_id=line.location_id, status="unknown", **_told(unknown))
    return OrderNowLine(
        item_id=line.item_id,
        location_id=line.location_id,
        status="answered",
        units=advice.units,
        expected_service=_finite(advice.expected_service),
        source_id=advice.source_id,
        order_date=advice.order_date,
        available_date=advice.available_date,
        next_available_date=advice.next_available_date,
        late_inbound_units=advice.late_units,
        **_told(advice.reason),
    )


def _told(reason: Message) -> dict[str, Any]:
    values = {name: _finite(value) if isinstance(value, float) else value for name, value in reason.values.items()}
    return {"reason_code": reason.code, "reason_values": values, "reason": render(reason, read_catalogue())}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
