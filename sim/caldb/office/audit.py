"""The history of changes: each field that a client, a person or the bench changed, with both values."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from sqlalchemy import Connection, Table, insert

from sim.caldb.office.tables import AUDIT

MOST_NAME: Final = 100
_ACTOR: ContextVar[tuple[str, int | None]] = ContextVar("actor", default=("bench", None))


@contextmanager
def acting(who: str, now_ms: int | None = None) -> Iterator[None]:
    """Changes inside are recorded as made by *who*; removals as made at *now_ms*, or by wall time."""
    token = _ACTOR.set((who[:MOST_NAME], now_ms))
    try:
        yield
    finally:
        _ACTOR.reset(token)


def rest_client(headers: Mapping[str, str], host: str) -> str:
    """Who speaks over REST: the e-mail address that clients send (a claim, nothing proves it), or their host."""
    claimed = "".join(c for c in headers.get("x-user-email", "") if c.isprintable()).strip()
    return f"REST: {claimed or host}"


def added(db: Connection, table: Table, row: Mapping[str, Any], at_ms: int) -> None:
    """Record a new row."""
    _record(db, table, row["id"], "added", at_ms, [("", None, _title(row))])


def changed(
    db: Connection,
    table: Table,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    at_ms: int,
    fields: Sequence[str] | None = None,
) -> None:
    """Record every field that differs; what the catalogue stamps by itself does not count.

    fields  where they are not the columns of *table*
    """
    if fields is None:
        fields = [c.name for c in table.columns if not c.info.get("own")]
    differing = [(name, before[name], after[name]) for name in fields if before[name] != after[name]]
    _record(db, table, after["id"], "changed", at_ms, differing)


def removed(db: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Record that a row was deleted."""
    known_ms = _ACTOR.get()[1]
    at_ms = time.time_ns() // 1_000_000 if known_ms is None else known_ms
    _record(db, table, row["id"], "removed", at_ms, [("", _title(row), None)])


def _title(row: Mapping[str, Any]) -> Any:
    """What a person would call a row."""
    for field in ("name", "physical_name", "karabo_da", "file_path"):
        if row.get(field):
            return row[field]
    return row["id"]


def _record(
    db: Connection, table: Table, row_id: int, action: str, at_ms: int, fields: list[tuple[str, Any, Any]]
) -> None:
    entries = [
        {
            "at": at_ms,
            "who": _ACTOR.get()[0],
            "action": action,
            "table_name": table.name,
            "row_id": row_id,
            "field": field,
            "before": None if before is None else json.dumps(before),
            "after": None if after is None else json.dumps(after),
        }
        for field, before, after in fields
    ]
    if entries:
        db.execute(insert(AUDIT), entries)
