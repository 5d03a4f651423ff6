"""The first tables: plans and their lines, jobs, keys, answers kept for repeats, audit."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "plans",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("finished_at", _INSTANT),
        sa.Column("run_id", sa.Text),
        sa.Column("as_of", sa.Text),
        sa.Column("snapshot_id", sa.Text),
        sa.Column("exit_code", sa.Integer),
        sa.Column("summary", sa.JSON),
        sa.Column("out", sa.Text),
        sa.Column("bulk", sa.Text),
    )
    op.create_index("ix_plans_created_at_id", "plans", ["created_at", "id"])
    op.create_index("ix_plans_as_of_finished_at", "plans", ["as_of", "finished_at"])
    op.create_table(
        "plan_lines",
        sa.Column("plan_id", sa.Text, sa.ForeignKey("plans.id", name="fk_plan_lines_plan_id"), primary_key=True),
        sa.Column("table_name", sa.Text, primary_key=True),
        sa.Column("row_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("item_id", sa.Text),
        sa.Column("location_id", sa.Text),
        sa.Column("source_id", sa.Text),
        sa.Column("content", sa.JSON, nullable=False),
    )
    for name in ("item", "location", "source"):
        op.create_index(f"ix_plan_lines_{name}", "plan_lines", ["plan_id", "table_name", f"{name}_id", "row_no"])
    op.create_table(
        "jobs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("plan_id", sa.Text, sa.ForeignKey("plans.id", name="fk_jobs_plan_id"), nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("started_at", _INSTANT),
        sa.Column("ended_at", _INSTANT),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("leased_until", _INSTANT),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("stage", sa.Text),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("problem", sa.JSON),
        sa.UniqueConstraint("plan_id", name="uq_jobs_plan_id"),
    )
    op.create_index("ix_jobs_status_created_at_id", "jobs", ["status", "created_at", "id"])
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("secret_sha256", sa.Text, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
        sa.Column("revoked_at", _INSTANT),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column(
            "api_key_id",
            sa.Text,
            sa.ForeignKey("api_keys.id", name="fk_idempotency_keys_api_key_id"),
            primary_key=True,
        ),
        sa.Column("idempotency_key", sa.Text, primary_key=True),
        sa.Column("fingerprint", sa.Text, nullable=False),
        sa.Column("answer", sa.JSON, nullable=False),
        sa.Column("created_at", _INSTANT, nullable=False),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"])
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("at", _INSTANT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
    )


def downgrade() -> None:
    for table in ("audit", "idempotency_keys", "api_keys", "jobs", "plan_lines", "plans"):
        op.drop_table(table)
