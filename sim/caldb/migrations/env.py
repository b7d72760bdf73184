"""Alembic's entry: the steps run on the connection that `sim.caldb.opening` hands over, in its transaction."""

from __future__ import annotations

from alembic import context

from sim.caldb.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
