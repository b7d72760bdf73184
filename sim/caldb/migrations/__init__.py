"""Revisions of the catalogue's schema, each a step from the one before (Alembic)."""
