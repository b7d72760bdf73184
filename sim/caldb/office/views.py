"""What the pages show of conditions, constants, units and changes, read from the catalogue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, func, select
from sqlalchemy.sql import ColumnElement

from sim.caldb.fields import NotFound
from sim.caldb.office.filters import Filters
from sim.caldb.office.fuzzy import find
from sim.caldb.office.listing import devices, one
from sim.caldb.office.tables import AUDIT
from sim.caldb.store import all_rows, row_by_id
from sim.caldb.tables import (
    CALIBRATIONS,
    CONDITIONS,
    CONSTANTS,
    DETECTOR_TYPES,
    DETECTORS,
    MAPPINGS,
    PARAMETERS,
    PARAMETERS_CONDITIONS,
    PDUS,
    REPORTS,
    VERSIONS,
)

Rows = list[dict[str, Any]]
MOST_ROWS: Final = 500
"""A page that cannot be turned shows no more."""

TABLES: Final = {
    VERSIONS.name: ("version", "/versions"),
    CONSTANTS.name: ("constant", "/constants"),
    CONDITIONS.name: ("condition", "/conditions"),
    PDUS.name: ("device", "/units"),
}
"""Kinds of rows that have a page: how people call them, and where it is."""


def choices(db: Connection) -> dict[str, list[tuple[int, str]]]:
    """Calibrations and detector types of which there are constants, by name."""
    found = {}
    for key, table, column in (
        ("calibrations", CALIBRATIONS, CONSTANTS.c.calibration_id),
        ("types", DETECTOR_TYPES, CONSTANTS.c.detector_type_id),
    ):
        query = select(table.c.id, table.c.name).where(table.c.id.in_(select(column))).order_by(table.c.name)
        found[key] = [(int(row.id), str(row.name)) for row in db.execute(query)]
    return found


def version(db: Connection, version_id: int) -> dict[str, Any]:
    """A version with its report. Raises NotFound."""
    row = one(db, version_id)
    if row is None:
        raise NotFound
    report = None if row["report_id"] is None else row_by_id(db, REPORTS, row["report_id"])
    return {**row, "report": report}


def siblings(db: Connection, constant_id: int, unit_id: int, most: int) -> Rows:
    """The newest versions of a constant and unit, by their begin."""
    query = (
        select(VERSIONS)
        .where(
            VERSIONS.c.calibration_constant_id == constant_id, VERSIONS.c.physical_detector_unit_id == unit_id
        )
        .order_by(VERSIONS.c.begin_at.desc(), VERSIONS.c.id.desc())
        .limit(most)
    )
    return all_rows(db, query)[::-1]


def condition(db: Connection, condition_id: int) -> dict[str, Any]:
    """A condition with its parameters, and the constants that need it. Raises NotFound."""
    row = row_by_id(db, CONDITIONS, condition_id)
    parameters = (
        select(PARAMETERS_CONDITIONS, PARAMETERS.c.name)
        .join(PARAMETERS, PARAMETERS.c.id == PARAMETERS_CONDITIONS.c.parameter_id)
        .where(PARAMETERS_CONDITIONS.c.condition_id == condition_id)
        .order_by(PARAMETERS.c.name)
    )
    constants = (
        select(CONSTANTS).where(CONSTANTS.c.condition_id == condition_id).order_by(CONSTANTS.c.name)
    ).limit(MOST_ROWS)
    return {**row, "parameters": all_rows(db, parameters), "constants": all_rows(db, constants)}


def constant(db: Connection, constant_id: int) -> dict[str, Any]:
    """A constant with its condition and the units that it has versions of. Raises NotFound."""
    row = row_by_id(db, CONSTANTS, constant_id)
    units = (
        select(PDUS.c.id, PDUS.c.physical_name, func.count().label("versions"))
        .join(VERSIONS, VERSIONS.c.physical_detector_unit_id == PDUS.c.id)
        .where(VERSIONS.c.calibration_constant_id == constant_id)
        .group_by(PDUS.c.id, PDUS.c.physical_name)
        .order_by(PDUS.c.physical_name)
    )
    return {
        **row,
        "calibration": row_by_id(db, CALIBRATIONS, row["calibration_id"]),
        "detector_type": row_by_id(db, DETECTOR_TYPES, row["detector_type_id"]),
        "condition": row_by_id(db, CONDITIONS, row["condition_id"]),
        "units": all_rows(db, units),
    }


def units(db: Connection, filters: Filters) -> tuple[Rows, int]:
    """One page of units by name with the number of their versions, and how many there are."""
    known = {device.id: device for device in devices(db)}
    found = find(filters.device, list(known.values()))
    start = (filters.number - 1) * filters.rows
    on_page = found[start : start + filters.rows]
    counted = select(VERSIONS.c.physical_detector_unit_id, func.count().label("versions")).where(
        VERSIONS.c.physical_detector_unit_id.in_(on_page)
    )
    counts = {
        row[0]: row.versions for row in db.execute(counted.group_by(VERSIONS.c.physical_detector_unit_id))
    }
    rows = [
        {"id": k, "name": known[k].name, "place": known[k].place, "versions": counts.get(k, 0)}
        for k in on_page
    ]
    return rows, len(found)


def unit(db: Connection, unit_id: int) -> dict[str, Any]:
    """A unit with its places, the newest first, and its constants. Raises NotFound."""
    row = row_by_id(db, PDUS, unit_id)
    places = all_rows(
        db,
        select(MAPPINGS, DETECTORS.c.identifier)
        .join(DETECTORS, DETECTORS.c.id == MAPPINGS.c.detector_id)
        .where(MAPPINGS.c.physical_detector_unit_id == unit_id)
        .order_by(MAPPINGS.c.since, MAPPINGS.c.id),
    )
    ends = [*(place["since"] for place in places[1:]), None]
    places = [{**place, "until": end} for place, end in zip(places, ends, strict=False)][::-1]
    constants = (
        select(CONSTANTS.c.id, CONSTANTS.c.name, func.max(VERSIONS.c.begin_at).label("newest"))
        .add_columns(func.count().label("versions"))
        .join(VERSIONS, VERSIONS.c.calibration_constant_id == CONSTANTS.c.id)
        .where(VERSIONS.c.physical_detector_unit_id == unit_id)
        .group_by(CONSTANTS.c.id, CONSTANTS.c.name)
        .order_by(CONSTANTS.c.name)
        .limit(MOST_ROWS)
    )
    kind = row_by_id(db, DETECTOR_TYPES, row["detector_type_id"])
    return {**row, "detector_type": kind, "places": places, "constants": all_rows(db, constants)}


def changes(db: Connection, filters: Filters) -> tuple[Rows, int]:
    """One page of the history of changes, the newest first, and how many there are."""
    where: list[ColumnElement[bool]] = []
    if filters.who:
        where.append(AUDIT.c.who.icontains(filters.who, autoescape=True))
    for name, column in (("table", AUDIT.c.table_name), ("field", AUDIT.c.field)):
        if getattr(filters, name):
            where.append(column == getattr(filters, name))
    if (row_id := filters.id("row")) is not None:
        where.append(AUDIT.c.row_id == row_id)
    if (since := filters.since_ms()) is not None:
        where.append(AUDIT.c.at >= since)
    if (until := filters.until_ms()) is not None:
        where.append(AUDIT.c.at < until)
    total = db.execute(select(func.count()).select_from(AUDIT).where(*where)).scalar_one()
    query = select(AUDIT).where(*where).order_by(AUDIT.c.id.desc())
    query = query.limit(filters.rows).offset((filters.number - 1) * filters.rows)
    return shown(all_rows(db, query)), total


def changes_of(db: Connection, table: str, row_id: int) -> Rows:
    """The history of one row, the newest first."""
    where = (AUDIT.c.table_name == table, AUDIT.c.row_id == row_id)
    query = select(AUDIT).where(*where).order_by(AUDIT.c.id.desc()).limit(MOST_ROWS)
    return shown(all_rows(db, query))


def shown(rows: Sequence[dict[str, Any]]) -> Rows:
    """Changes with readable values and, where the row has one, the address of its page."""
    result = []
    for row in rows:
        called, page = TABLES.get(row["table_name"], (row["table_name"].replace("_", " ").rstrip("s"), ""))
        values = {key: None if row[key] is None else json.loads(row[key]) for key in ("before", "after")}
        link = f"{page}/{row['row_id']}" if page and row["action"] != "removed" else ""
        result.append({**row, **values, "called": called, "link": link})
    return result


def audited_tables(db: Connection) -> list[str]:
    """Tables that the history mentions."""
    return [
        str(row[0]) for row in db.execute(select(AUDIT.c.table_name).distinct().order_by(AUDIT.c.table_name))
    ]
