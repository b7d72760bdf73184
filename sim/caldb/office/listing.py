"""The list of versions: filtered, sorted, cut into pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, func, select
from sqlalchemy.sql import ColumnElement

from sim.caldb.office.filters import Filters
from sim.caldb.office.fuzzy import Device, find
from sim.caldb.store import all_rows
from sim.caldb.tables import CALIBRATIONS, CONSTANTS, DETECTOR_TYPES, DETECTORS, MAPPINGS, PDUS, VERSIONS

Row = Mapping[str, Any]
CHUNK: Final = 500
"""Rows that an export holds at a time."""

COLUMNS: Final = (
    *VERSIONS.columns,
    CONSTANTS.c.name.label("constant"),
    CONSTANTS.c.condition_id,
    PDUS.c.physical_name.label("device"),
    CALIBRATIONS.c.name.label("calibration"),
    DETECTOR_TYPES.c.name.label("detector_type"),
)

SORTS: Final[Mapping[str, ColumnElement[Any]]] = {
    "name": VERSIONS.c.name,
    "file": VERSIONS.c.file_name,
    "constant": CONSTANTS.c.name,
    "device": PDUS.c.physical_name,
    "start": VERSIONS.c.begin_at,
    "start_idx": VERSIONS.c.start_idx,
    "end_idx": VERSIONS.c.end_idx,
    "raw": VERSIONS.c.raw_data_location,
    "deployed": VERSIONS.c.flg_deployed,
    "good": VERSIONS.c.flg_good_quality,
    "injected": VERSIONS.c.created_at,
}
"""What an address may sort by. Nothing of an address ever becomes part of an SQL text."""


def devices(db: Connection) -> list[Device]:
    """All units with the words of their newest place."""
    places: dict[int, str] = {}
    query = (
        select(MAPPINGS, DETECTORS.c.identifier)
        .join(DETECTORS, DETECTORS.c.id == MAPPINGS.c.detector_id)
        .order_by(MAPPINGS.c.since, MAPPINGS.c.id)
    )
    for row in db.execute(query).mappings():
        words = (row["identifier"], row["karabo_da"], row["virtual_device_name"])
        places[row["physical_detector_unit_id"]] = " ".join(word for word in words if word)
    units = db.execute(select(PDUS.c.id, PDUS.c.physical_name).order_by(PDUS.c.physical_name))
    return [Device(unit.id, unit.physical_name, places.get(unit.id, "")) for unit in units]


def page(db: Connection, filters: Filters) -> tuple[list[dict[str, Any]], int]:
    """One page of versions, and how many there are on all pages."""
    where = _where(db, filters)
    total = db.execute(_joined(select(func.count())).where(*where)).scalar_one()
    query = _joined(select(*COLUMNS)).where(*where).order_by(*_order(filters))
    return all_rows(db, query.limit(filters.rows).offset((filters.number - 1) * filters.rows)), total


def ids(db: Connection, filters: Filters) -> list[int]:
    """The ids of all versions in the list, in its order."""
    query = _joined(select(VERSIONS.c.id)).where(*_where(db, filters)).order_by(*_order(filters))
    return [int(row.id) for row in db.execute(query)]


def one(db: Connection, version_id: int) -> dict[str, Any] | None:
    """One version as the list shows it."""
    query = _joined(select(*COLUMNS)).where(VERSIONS.c.id == version_id)
    return next(iter(all_rows(db, query)), None)


def rows_of(engine: Engine, version_ids: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Versions by id, some at a time; one that was deleted meanwhile is left out."""
    for start in range(0, len(version_ids), CHUNK):
        wanted = version_ids[start : start + CHUNK]
        # A transaction for each chunk: a client that stops reading keeps none open.
        with engine.connect() as db:
            found = all_rows(db, _joined(select(*COLUMNS)).where(VERSIONS.c.id.in_(wanted)))
        by_id = {row["id"]: row for row in found}
        yield from (by_id[key] for key in wanted if key in by_id)


def _joined(query: Select[Any]) -> Select[Any]:
    return (
        query.select_from(VERSIONS)
        .join(CONSTANTS, CONSTANTS.c.id == VERSIONS.c.calibration_constant_id)
        .join(PDUS, PDUS.c.id == VERSIONS.c.physical_detector_unit_id)
        .join(CALIBRATIONS, CALIBRATIONS.c.id == CONSTANTS.c.calibration_id)
        .join(DETECTOR_TYPES, DETECTOR_TYPES.c.id == CONSTANTS.c.detector_type_id)
    )


def _where(db: Connection, filters: Filters) -> list[ColumnElement[bool]]:
    where: list[ColumnElement[bool]] = []
    if filters.device:
        where.append(VERSIONS.c.physical_detector_unit_id.in_(find(filters.device, devices(db))))
    equal: dict[str, ColumnElement[Any]] = {
        "calibration": CONSTANTS.c.calibration_id,
        "type": CONSTANTS.c.detector_type_id,
        "constant": CONSTANTS.c.id,
        "unit": VERSIONS.c.physical_detector_unit_id,
    }
    where += [column == filters.id(name) for name, column in equal.items() if filters.id(name) is not None]
    if (since := filters.since_ms()) is not None:
        where.append(VERSIONS.c.begin_at >= since)
    if (until := filters.until_ms()) is not None:
        where.append(VERSIONS.c.begin_at < until)
    if (deployed := filters.flag("deployed")) is not None:
        where.append(VERSIONS.c.flg_deployed.is_(deployed))
    if (good := filters.flag("good")) is not None:
        where.append(VERSIONS.c.flg_good_quality.is_(good))
    return where


def _order(filters: Filters) -> list[ColumnElement[Any]]:
    # Equal keys are ordered by id, so that no row stands on two pages.
    keys = [SORTS.get(filters.sort, VERSIONS.c.begin_at), VERSIONS.c.id]
    return [key.desc() for key in keys] if filters.descending else list(keys)
