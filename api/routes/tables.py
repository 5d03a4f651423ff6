"""The tables of a finished plan, by page and filter."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from api.problems import ProblemError
from api.routes.access import PlanReader
from api.routes.cursors import PageQuery, decode_row, encode
from api.routes.ids import Id, PlanId
from api.service import Serving
from api.store.bulk import read_bulk_page
from api.store.lines import BULK_TABLES, FILTERS, read_page
from api.store.plans import find_plan
from engine.plan.types import PLAN_TABLES

router = APIRouter(prefix="/plans", tags=["plans"])

TableName = Annotated[str, Path(json_schema_extra={"enum": sorted(PLAN_TABLES)})]


class TableQuery(PageQuery):
    """Which rows to return."""

    item_id: Id | None = None
    location_id: Id | None = Field(default=None, description="The location that holds or receives.")
    source_id: Id | None = Field(default=None, description="The supplier or location that gives.")


class TablePage(BaseModel):
    """Rows in the table's order, with the columns of docs/data-contract.md; dates are ISO text."""

    plan_id: str
    table: str
    items: list[dict[str, Any]]
    next_cursor: str | None


@router.get("/{plan_id}/{table}", summary="Read a table of a plan", operation_id="getPlanTable")
def get_table(
    plan_id: PlanId, table: TableName, query: Annotated[TableQuery, Query()], _key: PlanReader, service: Serving
) -> TablePage:
    """By page, narrowed by item, location and source where the table has them. Needs the scope `plans:read`."""
    filters = _filters(table, query)
    after = -1 if query.cursor is None else decode_row(query.cursor)
    with service.store.read() as connection:
        plan = find_plan(connection, plan_id)
        if plan is None:
            raise ProblemError("no-such-plan", f"{plan_id!r}. GET /v1/plans lists those there are.")
        if plan.status != "finished" or plan.bulk is None:
            raise ProblemError("not-finished", f"It is {plan.status}.", {"plan_status": plan.status})
        if table in BULK_TABLES:
            path = service.store.artifacts / plan.bulk / f"{table}.parquet"
            page = read_bulk_page(path, filters, after, query.limit)
        else:
            page = read_page(connection, (plan_id, table), filters, after, query.limit)
    cursor = None if page.next_after is None else encode([page.next_after])
    return TablePage(plan_id=plan_id, table=table, items=page.rows, next_cursor=cursor)


def _filters(table: str, query: TableQuery) -> dict[str, str]:
    if table not in PLAN_TABLES:
        raise ProblemError("no-such-table", f"{table!r}. The tables are {', '.join(sorted(PLAN_TABLES))}.")
    filters = {name: value for name in FILTERS if (value := getattr(query, name)) is not None}
    for name in filters:
        if not any(column in PLAN_TABLES[table] for column in FILTERS[name]):
            raise ProblemError("invalid", f"query /{name}: {table} has no such column.")
    return filters
