"""Rows of any table of a catalogue. Transactions belong to the caller, who rolls back when something is raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, func, insert, select, text, update
from sqlalchemy import delete as sql_delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import ColumnElement

from sim.caldb.fields import TAKEN, Invalid, NotFound, read_fields, render
from sim.caldb.opening import StoreDamaged as StoreDamaged
from sim.caldb.opening import open_engine as open_engine
from sim.caldb.tables import CALIBRATIONS, CONSTANTS, DETECTORS, METADATA, VERSIONS

Unique: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]
"""Columns that are unique together, and the fields that the answer names when they are not."""

UNIQUE_GROUPS: Mapping[str, Sequence[Unique]] = {
    CALIBRATIONS.name: [(("name",), ("name", "unit"))],
    # Not a constraint of the database: catalogues from before may hold the same name twice.
    DETECTORS.name: [(("karabo_name",), ("karabo_name",))],
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
    filled = {**values, **stamps}
    _check(db, table, values, None)
    row_id = _write(db, lambda: insert_values(db, table, filled), lambda: _check(db, table, values, None))
    return row_by_id(db, table, row_id)


def change(db: Connection, table: Table, row_id: int, body: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Update a row from a JSON object; returns it. Raises NotFound, Invalid."""
    before = row_by_id(db, table, row_id)
    values = read_fields(table, body, partial=True)
    after = {**before, **values}
    _check(db, table, after, row_id)
    if "updated_at" in table.c:
        values["updated_at"] = now_ms
    if values:
        query = update(table).where(table.c.id == row_id).values(**values)
        _write(db, lambda: db.execute(query), lambda: _check(db, table, after, row_id))
    return row_by_id(db, table, row_id)


def insert_values(db: Connection, table: Table, values: Mapping[str, Any]) -> int:
    """Insert values that need no check; returns the new id."""
    key = db.execute(insert(table).values(**values)).inserted_primary_key
    if key is None:
        raise AssertionError(f"the database gave no id for a row of {table.name}")
    return int(key[0])


def settle_ids(db: Connection, table: Table) -> None:
    """Let new rows be counted on behind the largest id, after rows were inserted with ids of their own."""
    if db.dialect.name != "postgresql":
        return  # SQLite does so by itself
    sequence = db.execute(select(func.pg_get_serial_sequence(table.name, "id"))).scalar_one()
    last, called = db.execute(text(f"SELECT last_value, is_called FROM {sequence}")).one()
    largest = db.execute(select(func.max(table.c.id))).scalar()
    if largest is not None and largest > (last if called else 0):
        db.execute(select(func.setval(sequence, largest)))


def remove(db: Connection, table: Table, row_id: int) -> None:
    """Delete a row. Raises NotFound, or Invalid when other rows need it."""
    row_by_id(db, table, row_id)
    try:
        db.execute(sql_delete(table).where(table.c.id == row_id))
    except IntegrityError:
        raise Invalid({"base": ["cannot be deleted, because other entries need it"]}) from None


def rendered(table: Table) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """How to show rows of a table that embed nothing."""
    return lambda row: render(table, row)


def _write(db: Connection, act: Callable[[], Any], check: Callable[[], None]) -> Any:
    """Write; *check* raises Invalid with the fields, when somebody else was faster after we had checked."""
    # PostgreSQL refuses everything after an error, unless a savepoint takes it back. SQLite takes back the one
    # statement by itself, and its savepoints do not go together with the driver's implicit transactions.
    try:
        with db.begin_nested() if db.dialect.name == "postgresql" else nullcontext():
            return act()
    except IntegrityError as error:
        check()
        # What the check does not know is told in the database's words.
        raise Invalid({"base": [str(error.orig)]}) from None


def _check(db: Connection, table: Table, values: Mapping[str, Any], row_id: int | None) -> None:
    _check_references(db, table, values)
    _check_unique(db, table, values, row_id)


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
