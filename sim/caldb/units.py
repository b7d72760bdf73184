"""Physical detector units, and where each of them sat when."""

from __future__ import annotations

import math
import struct
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from sim.caldb.fields import TAKEN, Invalid, NotFound, read_fields, render
from sim.caldb.store import all_rows, change, create, remove, row_by_id
from sim.caldb.tables import DETECTOR_TYPES, DETECTORS, MAPPINGS, PDUS

PLACE = ("detector_id", "karabo_da", "virtual_device_name", "module_number")


def float_uuid(uuid: int | None) -> float | None:
    """The bits of a UUID read as a double, which conditions hold as a number; None where they are none."""
    if uuid is None:
        return None
    number = float(struct.unpack("<d", struct.pack("<q", uuid))[0])
    return number if math.isfinite(number) else None


def place_at(db: Connection, pdu_id: int, at_ms: int) -> dict[str, Any]:
    """Where a unit sat at a time: the latest mapping since then, or the first there is. Fields of PLACE."""
    return placed(mappings_of(db, [pdu_id]).get(pdu_id, ()), at_ms)


def mappings_of(db: Connection, pdu_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """All places of some units, by unit, the earliest first: a unit moves a few times in its life."""
    query = select(MAPPINGS).where(MAPPINGS.c.physical_detector_unit_id.in_(pdu_ids))
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in all_rows(db, query.order_by(MAPPINGS.c.since, MAPPINGS.c.id)):
        found[row["physical_detector_unit_id"]].append(row)
    return found


def placed(mappings: Sequence[Mapping[str, Any]], at_ms: int) -> dict[str, Any]:
    """The place at a time out of all places of one unit, the earliest first. Fields of PLACE."""
    since = [mapping for mapping in mappings if mapping["since"] <= at_ms]
    row = since[-1] if since else next(iter(mappings), None)
    return {field: row[field] if row is not None else None for field in PLACE}


def units_of_detector(db: Connection, detector_id: int, at_ms: int) -> list[dict[str, Any]]:
    """Units that sat in a detector at a time, with their places, by aggregator name."""
    ever = select(MAPPINGS.c.physical_detector_unit_id).where(MAPPINGS.c.detector_id == detector_id)
    rows = all_rows(db, select(PDUS).where(PDUS.c.id.in_(ever)))
    mappings = mappings_of(db, [row["id"] for row in rows])
    units = [{**row, **placed(mappings[row["id"]], at_ms)} for row in rows]
    return sorted(
        (unit for unit in units if unit["detector_id"] == detector_id),
        key=lambda u: (u["karabo_da"], u["id"]),
    )


def show_unit(unit: Mapping[str, Any]) -> dict[str, Any]:
    """A unit with its place as a JSON object."""
    place = {field: unit[field] for field in PLACE}
    return {**render(PDUS, unit), "float_uuid": float_uuid(unit["uuid"]), **place}


def show_unit_of_detector(db: Connection, unit: Mapping[str, Any]) -> dict[str, Any]:
    """A unit with its detector and type embedded."""
    detector = row_by_id(db, DETECTORS, unit["detector_id"])
    kind = row_by_id(db, DETECTOR_TYPES, unit["detector_type_id"])
    return {
        **show_unit(unit),
        "detector": render(DETECTORS, detector),
        "detector_type": render(DETECTOR_TYPES, kind),
    }


def unit_by_id(db: Connection, pdu_id: int, at_ms: int) -> dict[str, Any]:
    """A unit with its place at a time. Raises NotFound."""
    return {**row_by_id(db, PDUS, pdu_id), **place_at(db, pdu_id, at_ms)}


def create_unit(db: Connection, body: Mapping[str, Any], now_ms: int, since_ms: int = 0) -> dict[str, Any]:
    """Add a unit and put it into its place. Raises Invalid."""
    wrong: dict[str, list[str]] = {}
    place: Mapping[str, Any] = {}
    try:
        place = _read_place(db, body, now_ms, None)
    except Invalid as error:
        wrong |= error.info
    if body.get("uuid") is None:
        largest = db.execute(select(func.max(PDUS.c.uuid))).scalar()
        body = {**body, "uuid": 1_100_001 if largest is None else largest + 1}
    try:
        unit = create(db, PDUS, body, now_ms)
    except Invalid as error:
        raise Invalid(wrong | error.info) from None
    if wrong:
        raise Invalid(wrong)
    _move(db, unit["id"], since_ms, place)
    return unit_by_id(db, unit["id"], now_ms)


def change_unit(db: Connection, pdu_id: int, body: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Change a unit. A new place counts from now on; the old one stays in the history. Raises NotFound, Invalid."""
    before = unit_by_id(db, pdu_id, now_ms)
    if body.get("physical_name", before["physical_name"]) != before["physical_name"]:
        raise Invalid({"physical_name": ["cannot be updated"]})
    place = _read_place(db, {**{field: before[field] for field in PLACE}, **body}, now_ms, pdu_id)
    change(db, PDUS, pdu_id, body, now_ms)
    if place != {field: before[field] for field in PLACE}:
        _move(db, pdu_id, now_ms, place)
    return unit_by_id(db, pdu_id, now_ms)


def remove_unit(db: Connection, pdu_id: int) -> None:
    """Delete a unit with its places. Raises NotFound, or Invalid when versions need it."""
    row_by_id(db, PDUS, pdu_id)
    db.execute(delete(MAPPINGS).where(MAPPINGS.c.physical_detector_unit_id == pdu_id))
    remove(db, PDUS, pdu_id)


def unit_at(db: Connection, detector_id: int, karabo_da: str, at_ms: int) -> dict[str, Any]:
    """The unit behind an aggregator of a detector. Raises NotFound."""
    for unit in units_of_detector(db, detector_id, at_ms):
        if unit["karabo_da"] == karabo_da:
            return unit
    raise NotFound


def _read_place(db: Connection, body: Mapping[str, Any], now_ms: int, pdu_id: int | None) -> dict[str, Any]:
    filled = {"physical_detector_unit_id": 0, "since": "1971-01-01", **body}
    values = read_fields(MAPPINGS, filled)
    place = {field: values.get(field) for field in PLACE}
    try:
        row_by_id(db, DETECTORS, values["detector_id"])
    except NotFound:
        raise Invalid({"detector_id": [f"there is no detector {values['detector_id']}"]}) from None
    for unit in units_of_detector(db, values["detector_id"], now_ms):
        if unit["karabo_da"] == place["karabo_da"] and unit["id"] != pdu_id:
            raise Invalid({"karabo_da": [TAKEN]})
    return place


def _move(db: Connection, pdu_id: int, since_ms: int, place: Mapping[str, Any]) -> None:
    db.execute(insert(MAPPINGS).values(physical_detector_unit_id=pdu_id, since=since_ms, **place))
