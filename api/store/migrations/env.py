"""What Alembic runs: the migrations, on the connection and in the transaction of `api.store.migration`."""

from __future__ import annotations

from alembic import context

from api.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
