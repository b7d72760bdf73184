"""Tables of the back office, beside those of the catalogue: what was changed, and who may log in."""

from __future__ import annotations

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from sim.caldb.tables import METADATA

AUDIT: Final = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", String, nullable=False),
    Column("action", String, nullable=False),
    Column("table_name", String, nullable=False),
    Column("row_id", Integer, nullable=False),
    Column("field", String, nullable=False),
    Column("before", Text),
    Column("after", Text),
    Index("audit_of_row", "table_name", "row_id"),
    sqlite_autoincrement=True,
)
"""One row for each field that was changed. `at`: the bench's time, ms since 1970; values as JSON."""

USERS: Final = Table(
    "office_users",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String, nullable=False, unique=True),
    Column("role", String, nullable=False),
    Column("password", String, nullable=False),
    sqlite_autoincrement=True,
)
"""`password` is what `passwords.hashed` made of it."""
