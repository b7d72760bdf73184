"""What the databases have in common: a table of rows that is only appended to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, Protocol

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
)
from sqlalchemy.exc import DBAPIError

from scheduler.errors import JournalCorrupt, JournalError
from scheduler.journal.record import JournalRecord, Row, from_row

TABLE_NAME: Final = "run_journal"


class Store(Protocol):
    """The rows of one journal."""

    where: str
    """For people."""

    @property
    def trouble(self) -> JournalError | None:
        """What keeps the write that is under way waiting. From any thread."""
        ...

    @property
    def far(self) -> bool:
        """Whether a write may take as long as a network is lost."""
        ...

    def give_up(self) -> None:
        """Let a write that waits for a network end with an error. From any thread."""
        ...

    def append(self, row: Row) -> None:
        """Add a row; when this returns it is durable. Raises JournalUnwritable, JournalBusy."""
        ...

    def append_all(self, rows: Sequence[Row]) -> None:
        """Add rows, all or none. Raises JournalUnwritable, JournalBusy."""
        ...

    def records(self, after: int) -> list[JournalRecord]:
        """The records behind that number, in order. Raises JournalCorrupt, JournalUnreachable."""
        ...

    def close(self) -> None:
        """Let the database go."""
        ...


def make_table(*, runs: bool) -> Table:
    """The table; with a column that tells which run a row belongs to, if it holds many *runs*."""
    first = [Column("run", String(32), primary_key=True)] if runs else []
    return Table(
        TABLE_NAME,
        MetaData(),
        *first,
        Column("seq", Integer, primary_key=True, autoincrement=False),
        Column("at", Double, nullable=False),
        Column("sim_ns", BigInteger, nullable=False),
        Column("event", Text, nullable=False),
        Column("data", Text, nullable=False),
        Column("crc", String(8), nullable=False),
    )


def insert_rows(connection: Connection, table: Table, of: Mapping[str, str], rows: Sequence[Row]) -> None:
    """Insert *rows* of one journal, which *of* names in a table of many."""
    if rows:
        connection.execute(insert(table), [{**of, **asdict(row)} for row in rows])


def select_rows(connection: Connection, table: Table, of: Mapping[str, str], after: int) -> list[Row]:
    """The rows of one journal behind that number, in order."""
    columns = [table.c[name] for name in Row.__slots__]
    query = select(*columns).where(
        table.c.seq > after, *(table.c[name] == value for name, value in of.items())
    )
    return [Row(*values) for values in connection.execute(query.order_by(table.c.seq))]


def as_records(rows: Sequence[Row], where: Path | str, after: int) -> list[JournalRecord]:
    """Read rows. Raises JournalCorrupt naming the place and the record."""
    records = []
    for number, row in enumerate(rows, start=after + 1):
        if row.seq != number:
            raise JournalCorrupt(where, f"record {row.seq} stands where {number} belongs", number)
        try:
            records.append(from_row(row))
        except ValueError as error:
            raise JournalCorrupt(where, str(error), number) from error
    return records


def reason_of(error: Exception) -> str:
    """What a database says, in one line."""
    said: Any = error.orig if isinstance(error, DBAPIError) else error
    return " ".join(str(said).split()) or type(said).__name__
