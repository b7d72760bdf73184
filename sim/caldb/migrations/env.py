"""Alembic's entry: the steps run on the connection that `sim.caldb.opening` hands over, in its transaction."""

from __future__ import annotations

from alembic import context

from sim.caldb.office import tables as office_tables  # noqa: F401 - they belong to the same metadata
from sim.caldb.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
