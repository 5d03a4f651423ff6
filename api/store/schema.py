"""The tables of the store. ``migrations/`` builds them; a test holds the two together."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect


class Instant(sa.types.TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone, so it is taken off on the way in and put back on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"an instant must carry its zone. Got {value!r} instead.")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

plans = sa.Table(
    "plans",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.Text, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    # From here on empty until the plan is made; finished_at says that it is.
    sa.Column("finished_at", Instant),
    sa.Column("run_id", sa.Text),
    sa.Column("as_of", sa.Text),
    sa.Column("snapshot_id", sa.Text),
    sa.Column("exit_code", sa.Integer),
    sa.Column("summary", sa.JSON(none_as_null=True)),
    sa.Column("out", sa.Text),
    sa.Column("bulk", sa.Text),
    sa.Index("ix_plans_created_at_id", "created_at", "id"),
    sa.Index("ix_plans_as_of_finished_at", "as_of", "finished_at"),
)
"""One row a plan, from the day it is asked for. ``out`` holds its files, ``bulk`` names its folder of artifacts."""

plan_lines = sa.Table(
    "plan_lines",
    metadata,
    sa.Column("plan_id", sa.Text, sa.ForeignKey("plans.id"), primary_key=True),
    sa.Column("table_name", sa.Text, primary_key=True),
    sa.Column("row_no", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("item_id", sa.Text),
    sa.Column("location_id", sa.Text),
    sa.Column("source_id", sa.Text),
    sa.Column("content", sa.JSON, nullable=False),
    # Each filter of a page is an index that already holds the order of the pages.
    sa.Index("ix_plan_lines_item", "plan_id", "table_name", "item_id", "row_no"),
    sa.Index("ix_plan_lines_location", "plan_id", "table_name", "location_id", "row_no"),
    sa.Index("ix_plan_lines_source", "plan_id", "table_name", "source_id", "row_no"),
)
"""The lines of every decision table; ``location_id`` receives, ``source_id`` gives, ``content`` is the whole line."""

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("plan_id", sa.Text, sa.ForeignKey("plans.id"), nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("ended_at", Instant),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("max_attempts", sa.Integer, nullable=False),
    # Grows with every lease: a write that carries an older one comes from a worker that lost the job.
    sa.Column("token", sa.Integer, nullable=False),
    sa.Column("owner", sa.Text),
    sa.Column("leased_until", Instant),
    sa.Column("cancel_requested", sa.Boolean, nullable=False),
    sa.Column("stage", sa.Text),
    sa.Column("done", sa.Integer, nullable=False),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("problem", sa.JSON(none_as_null=True)),
    sa.UniqueConstraint("plan_id"),
    sa.Index("ix_jobs_status_created_at_id", "status", "created_at", "id"),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("secret_sha256", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("revoked_at", Instant),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("api_key_id", sa.Text, sa.ForeignKey("api_keys.id"), primary_key=True),
    sa.Column("idempotency_key", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("answer", sa.JSON, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Index("ix_idempotency_keys_created_at", "created_at"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", Instant, nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("details", sa.JSON, nullable=False),
)
"""Who did what; rows are only ever added."""
