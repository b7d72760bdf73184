"""The catalogue's rows as remotes need them. All that is stored goes through the functions that REST uses."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Literal

from sqlalchemy import Connection, Table, select

from sim.caldb.conditions import FIELD, create_condition, find_expected, read_request, show_condition
from sim.caldb.fields import TAKEN, Invalid, NotFound, read_value
from sim.caldb.remotes.fields import Parameters, Refusal
from sim.caldb.remotes.messages import Inject, Lookup
from sim.caldb.store import all_rows, insert_row, row_by_id
from sim.caldb.tables import CALIBRATIONS, CONDITIONS, CONSTANTS, DETECTOR_TYPES, DETECTORS, PDUS, VERSIONS
from sim.caldb.times import format_time
from sim.caldb.units import mappings_of, placed, unit_at, units_of_detector
from sim.caldb.versions import Moment, by_detector_conditions, create_version

VERSION_TAKEN = "Version already taken"
"""In the words that users know from the real remotes."""
MOST_VERSIONS = 1024


@dataclass(frozen=True, slots=True)
class Found:
    """A version, with all that a client needs to know and to check."""

    version: Mapping[str, Any]
    conditions: Sequence[Mapping[str, Any]]
    detector: str

    @property
    def path(self) -> PurePosixPath:
        """Its file, relative to the store's root."""
        return PurePosixPath(self.version["path"])

    def content(self) -> dict[str, Any]:
        """The fields of an answer."""
        return {"version": dict(self.version), "conditions": [dict(entry) for entry in self.conditions]}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a new constant belongs."""

    unit: Mapping[str, Any]
    calibration_id: int
    type_name: str
    begin_at_ms: int
    data_set: str
    folder: str
    """Relative to the store's root, with a slash at its end."""
    file_name: str


def search(db: Connection, lookup: Lookup, now_ms: int) -> list[Found]:
    """The versions that fit: at most one for each unit and calibration. Raises Refusal."""
    moment = Moment(
        _time("event_at", lookup.event_at, now_ms), _time("snapshot_at", lookup.snapshot_at, now_ms)
    )
    units = units_of_detector(db, _detector_id(db, lookup.detector), moment.event_at)
    wanted = [unit for unit in units if not lookup.karabo_das or unit["karabo_da"] in lookup.karabo_das]
    ids = [_calibration_id(db, name) for name in lookup.calibrations]
    request = _request(db, lookup.parameters)
    # The catalogue knows no exact: a version that begins at the event is the closest one.
    exact = lookup.strategy == "exact"
    strategy: Literal["prior", "closest"] = "prior" if lookup.strategy == "prior" else "closest"
    rows = by_detector_conditions(db, wanted, ids, request, moment, strategy)
    rows = [row for row in rows if not exact or row["begin_at"] == moment.event_at]
    if len(rows) > MOST_VERSIONS:
        raise Refusal("too_large", f"{len(rows)} versions fit; ask for fewer units or calibrations")
    return _described(db, rows, moment.event_at)


def version_by_id(db: Connection, version_id: int) -> Found:
    """One version. Raises Refusal."""
    try:
        row = row_by_id(db, VERSIONS, version_id)
    except NotFound:
        raise Refusal("not_found", f"the catalogue holds no version {version_id}") from None
    return _described(db, [row], row["begin_at"])[0]


def place_of(db: Connection, inject: Inject) -> Place:
    """Where a new constant belongs; nothing is stored yet. Raises Refusal."""
    begin_at_ms = _time("begin_at", inject.begin_at, None)
    detector_id = _detector_id(db, inject.detector)
    try:
        unit = unit_at(db, detector_id, inject.karabo_da, begin_at_ms)
    except NotFound:
        raise Refusal("not_found", f"{inject.detector} has no unit {inject.karabo_da}") from None
    calibration_id = _calibration_id(db, inject.calibration)
    _request(db, inject.parameters)
    pdu = str(unit["physical_name"])
    type_name = str(row_by_id(db, DETECTOR_TYPES, unit["detector_type_id"])["name"])
    return Place(
        unit=unit,
        calibration_id=calibration_id,
        type_name=type_name,
        begin_at_ms=begin_at_ms,
        data_set=f"/{pdu}/{inject.calibration}/0",
        folder=f"xfel/cal/{type_name.lower()}/{pdu.lower()}/",
        file_name=_file_name(begin_at_ms, pdu, inject),
    )


def register(db: Connection, inject: Inject, place: Place, now_ms: int) -> Found:
    """Enter a version whose file is there. Raises Refusal; kind `taken` names the version that is in its place."""
    try:
        constant_id = _constant_id(db, inject, place, now_ms)
        body = {
            "file_name": place.file_name,
            "path_to_file": place.folder,
            "data_set_name": place.data_set,
            "calibration_constant_id": constant_id,
            "physical_detector_unit_id": place.unit["id"],
            "begin_at": format_time(place.begin_at_ms),
            "raw_data_location": inject.raw_data_location,
            "description": inject.description,
        }
        row = create_version(db, body, now_ms)
    except Invalid as error:
        raise _refusal_of(error) from None
    return _described(db, [row], place.begin_at_ms)[0]


def version_in_place(db: Connection, inject: Inject, place: Place) -> Found | None:
    """The version with the same constant, unit and begin, if there is one."""
    condition_id = _condition_id(db, inject.parameters)
    query = select(VERSIONS).where(
        VERSIONS.c.calibration_constant_id.in_(
            select(CONSTANTS.c.id).where(
                CONSTANTS.c.calibration_id == place.calibration_id,
                CONSTANTS.c.detector_type_id == place.unit["detector_type_id"],
                CONSTANTS.c.condition_id == condition_id,
            )
        ),
        VERSIONS.c.physical_detector_unit_id == place.unit["id"],
        VERSIONS.c.begin_at == place.begin_at_ms,
    )
    row = next(iter(all_rows(db, query)), None)
    return None if row is None else _described(db, [row], place.begin_at_ms)[0]


def _refusal_of(error: Invalid) -> Refusal:
    words = "; ".join(f"{name} {', '.join(messages)}" for name, messages in error.info.items())
    # Two injections at once: the second meets the database's own constraint.
    if TAKEN in words or "unique" in words.lower():
        return Refusal("taken", VERSION_TAKEN)
    return Refusal("invalid", words)


def _constant_id(db: Connection, inject: Inject, place: Place, now_ms: int) -> int:
    """The constant of this calibration, type and condition; what is new is made."""
    condition_id = _condition_id(db, inject.parameters)
    if condition_id is None:
        name = f"{place.type_name.removesuffix('-Type')} {_key(inject.parameters)}"
        request = read_request(db, _attributes(inject.parameters))
        condition_id = int(create_condition(db, {"name": name}, request, now_ms)["id"])
    query = select(CONSTANTS.c.id).where(
        CONSTANTS.c.calibration_id == place.calibration_id,
        CONSTANTS.c.detector_type_id == place.unit["detector_type_id"],
        CONSTANTS.c.condition_id == condition_id,
    )
    found = db.execute(query).scalar()
    if found is not None:
        return int(found)
    condition_name = row_by_id(db, CONDITIONS, condition_id)["name"]
    values = {
        "name": f"{place.type_name}_{inject.calibration}_{condition_name}"[:60],
        "detector_type_id": place.unit["detector_type_id"],
        "calibration_id": place.calibration_id,
        "condition_id": condition_id,
        "flg_auto_approve": True,
        "flg_available": True,
    }
    return int(insert_row(db, CONSTANTS, values, now_ms)["id"])


def _condition_id(db: Connection, parameters: Parameters) -> int | None:
    rows = find_expected(db, _request(db, parameters), 0)
    return int(rows[0]["id"]) if rows else None


def _attributes(parameters: Parameters) -> dict[str, Any]:
    """Parameters as the catalogue reads them. Remotes ask for values, so a new condition allows no deviation."""
    return {
        FIELD: [
            {"parameter_name": n, "value": v, "lower_deviation_value": 0.0, "upper_deviation_value": 0.0}
            for n, v in parameters.items()
        ]
    }


def _request(db: Connection, parameters: Parameters) -> Any:
    try:
        return read_request(db, _attributes(parameters))
    except Invalid as error:
        raise _refusal_of(error) from None


def _key(parameters: Parameters) -> str:
    return hashlib.sha256(repr(sorted(parameters.items())).encode()).hexdigest()[:16]


def _file_name(begin_at_ms: int, pdu: str, inject: Inject) -> str:
    """`cal.{epoch seconds with fraction}.h5`; the fraction comes from the content.

    So a repeated injection writes the same file again, and different ones that begin together do not meet.
    """
    key = f"{pdu} {inject.calibration} {_key(inject.parameters)} {inject.array.sha256}"
    fraction = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % 10_000_000_000
    return f"cal.{begin_at_ms // 1000}.{fraction:010d}.h5"


def _time(name: str, text: str, default_ms: int | None) -> int:
    try:
        at = read_value("time", text)
    except ValueError as error:
        raise Refusal("invalid", f"{name} {error}") from None
    if at is None:
        if default_ms is None:
            raise Refusal("invalid", f"{name} is missing")
        return default_ms
    return int(at)


def _detector_id(db: Connection, identifier: str) -> int:
    found = db.execute(select(DETECTORS.c.id).where(DETECTORS.c.identifier == identifier)).scalar()
    if found is None:
        raise Refusal("not_found", f"the catalogue knows no detector {identifier!r}")
    return int(found)


def _calibration_id(db: Connection, name: str) -> int:
    found = db.execute(select(CALIBRATIONS.c.id).where(CALIBRATIONS.c.name == name)).scalar()
    if found is None:
        raise Refusal("not_found", f"the catalogue knows no calibration {name!r}")
    return int(found)


def _described(db: Connection, rows: Sequence[Mapping[str, Any]], at_ms: int) -> list[Found]:
    """Rows of VERSIONS with their units' places at a time; what they refer to is read at once."""
    pdu_ids = {row["physical_detector_unit_id"] for row in rows}
    mappings, units = mappings_of(db, sorted(pdu_ids)), _by_id(db, PDUS, pdu_ids)
    constants = _by_id(db, CONSTANTS, {row["calibration_constant_id"] for row in rows})
    calibrations = _by_id(db, CALIBRATIONS, {one["calibration_id"] for one in constants.values()})
    conditions = _by_id(db, CONDITIONS, {one["condition_id"] for one in constants.values()})
    stated = {row_id: _stated(db, condition) for row_id, condition in conditions.items()}
    places = {pdu_id: placed(mappings.get(pdu_id, ()), at_ms) for pdu_id in pdu_ids}
    detectors = _by_id(db, DETECTORS, {place["detector_id"] for place in places.values()} - {None})
    found = []
    for row in rows:
        unit, constant = units[row["physical_detector_unit_id"]], constants[row["calibration_constant_id"]]
        place = places[unit["id"]]
        detector = detectors.get(place["detector_id"], {"identifier": ""})["identifier"]
        version = {
            "id": row["id"],
            "constant_id": constant["id"],
            "unit_id": unit["id"],
            "calibration": calibrations[constant["calibration_id"]]["name"],
            "pdu": unit["physical_name"],
            "karabo_da": place["karabo_da"] or "",
            "module": place["module_number"],
            "begin_at": format_time(row["begin_at"]),
            "created_at": format_time(row["created_at"]),
            "path": str(PurePosixPath(row["path_to_file"]) / row["file_name"]),
            "data_set": row["data_set_name"],
            "raw_data_location": row["raw_data_location"] or "",
        }
        found.append(Found(version, stated[constant["condition_id"]], str(detector)))
    return found


def _by_id(db: Connection, table: Table, ids: set[int]) -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in all_rows(db, select(table).where(table.c.id.in_(sorted(ids))))}


def _stated(db: Connection, condition: dict[str, Any]) -> list[dict[str, Any]]:
    return [_condition_entry(entry) for entry in show_condition(db, condition)["parameters_conditions"]]


def _condition_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    text = entry["txt_value"]
    return {
        "name": entry["parameter_name"],
        "value": entry["value"] if text is None else text,
        "lower": entry["lower_deviation_value"],
        "upper": entry["upper_deviation_value"],
    }
