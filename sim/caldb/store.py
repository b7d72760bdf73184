"""The catalogue's file: opening it, and the rows of any table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Connection, Engine, Table, create_engine, event, func, insert, select, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.sql import ColumnElement

from sim.caldb.fields import TAKEN, Invalid, NotFound, read_fields, render
from sim.caldb.office import audit
from sim.caldb.tables import CONSTANTS, METADATA, VERSIONS
from sim.errors import SimError

Unique: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""Columns that are unique together, and the fields that the answer names when they are not."""

UNIQUE_GROUPS: Mapping[str, Sequence[Unique]] = {
    CONSTANTS.name: [
        (
            ("detector_type_id", "calibration_id", "condition_id"),
            ("name", "detector_type", "calibration", "condition"),
        )
    ],
    VERSIONS.name: [
        (
            ("calibration_constant_id", "physical_detector_unit_id", "begin_at"),
            ("name", "calibration_constant_id", "physical_detector_unit_id", "begin_at"),
        )
    ],
}


class StoreDamaged(SimError):
    """The catalogue's file is no SQLite database that we can use: stop, say which file."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"{path} is no catalogue ({reason}); move it away, and an empty one is made")


def open_engine(path: Path) -> Engine:
    """Open, or make, the catalogue's SQLite file (WAL: a killed process loses nothing). Raises StoreDamaged."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: object) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=5000"):
            connection.execute(f"PRAGMA {pragma}")

    try:
        METADATA.create_all(engine)
    except DatabaseError as error:
        engine.dispose()
        raise StoreDamaged(path, str(error.orig)) from None
    return engine


def all_rows(db: Connection, query: Any) -> list[dict[str, Any]]:
    """The rows of a select as dictionaries."""
    return [dict(row) for row in db.execute(query).mappings()]


def row_by_id(db: Connection, table: Table, row_id: int) -> dict[str, Any]:
    """One row. Raises NotFound."""
    row = db.execute(select(table).where(table.c.id == row_id)).mappings().first()
    if row is None:
        raise NotFound
    return dict(row)


def page_of(
    db: Connection, table: Table, where: Sequence[ColumnElement[bool]], page: int, page_size: int
) -> tuple[list[dict[str, Any]], int]:
    """One page of rows in the order of their ids, and how many rows there are on all pages."""
    total = db.execute(select(func.count()).select_from(table).where(*where)).scalar_one()
    query = select(table).where(*where).order_by(table.c.id)
    return all_rows(db, query.limit(page_size).offset((page - 1) * page_size)), total


def create(db: Connection, table: Table, body: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Insert a row from a JSON object; returns it. Raises Invalid."""
    values = read_fields(table, body)
    return insert_row(db, table, values, now_ms)


def insert_row(db: Connection, table: Table, values: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Insert a row from values that have been read; returns it. Raises Invalid."""
    stamps = {c.name: now_ms for c in table.columns if c.info.get("own")}
    _check_references(db, table, values)
    _check_unique(db, table, values, None)
    row_id = _write(lambda: insert_values(db, table, {**values, **stamps}))
    row = row_by_id(db, table, row_id)
    audit.added(db, table, row, now_ms)
    return row


def change(db: Connection, table: Table, row_id: int, body: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Update a row from a JSON object; returns it. Raises NotFound, Invalid."""
    before = row_by_id(db, table, row_id)
    values = read_fields(table, body, partial=True)
    _check_references(db, table, values)
    _check_unique(db, table, {**before, **values}, row_id)
    if "updated_at" in table.c:
        values["updated_at"] = now_ms
    if values:
        _write(lambda: db.execute(update(table).where(table.c.id == row_id).values(**values)))
    after = row_by_id(db, table, row_id)
    audit.changed(db, table, before, after, now_ms)
    return after


def insert_values(db: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """Insert values that need no check; returns the new id."""
    key = db.execute(insert(table).values(**values)).inserted_primary_key
    if key is None:
        raise AssertionError(f"SQLite gave no id for a row of {table.name}")
    return int(key[0])


def remove(db: Connection, table: Table, row_id: int) -> None:
    """Delete a row. Raises NotFound, or Invalid when other rows need it."""
    row = row_by_id(db, table, row_id)
    try:
        db.execute(sql_delete(table).where(table.c.id == row_id))
    except IntegrityError:
        raise Invalid({"base": ["cannot be deleted, because other entries need it"]}) from None
    audit.removed(db, table, row)


def rendered(table: Table) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """How to show rows of a table that embed nothing."""
    return lambda row: render(table, row)


def _write(act: Callable[[], Any]) -> Any:
    try:
        return act()
    except IntegrityError as error:
        # The checks before have named every case that we know; what is left is told in the database's words.
        raise Invalid({"base": [str(error.orig)]}) from None


def _check_references(db: Connection, table: Table, values: Mapping[str, Any]) -> None:
    wrong: dict[str, list[str]] = {}
    for column in table.columns:
        target, value = column.info.get("refers"), values.get(column.name)
        if target is None or value is None:
            continue
        referred = METADATA.tables[target]
        if db.execute(select(referred.c.id).where(referred.c.id == value)).first() is None:
            wrong[column.name] = [f"there is no {target.removesuffix('s').replace('_', ' ')} {value}"]
    if wrong:
        raise Invalid(wrong)


def _check_unique(db: Connection, table: Table, values: Mapping[str, Any], row_id: int | None) -> None:
    single: list[Unique] = [((c.name,), (c.name,)) for c in table.columns if c.unique]
    taken: dict[str, list[str]] = {}
    for columns, fields in [*single, *UNIQUE_GROUPS.get(table.name, ())]:
        if any(values.get(name) is None for name in columns):
            continue
        query = select(table.c.id).where(*(table.c[name] == values[name] for name in columns))
        if row_id is not None:
            query = query.where(table.c.id != row_id)
        if db.execute(query).first() is not None:
            taken |= {field: [TAKEN] for field in fields}
    if taken:
        raise Invalid(taken)
