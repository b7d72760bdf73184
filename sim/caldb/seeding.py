"""Fill a new catalogue, and add what the bench file names to an old one. Nothing is ever taken away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from sim.caldb import seeds
from sim.caldb.conditions import complete_conditions
from sim.caldb.config import DetectorTable
from sim.caldb.store import insert_values, settle_ids
from sim.caldb.tables import (
    CALIBRATIONS,
    DETECTOR_TYPES,
    DETECTORS,
    DETECTORS_INSTRUMENTS,
    INSTRUMENTS,
    PARAMETERS,
    PDUS,
)
from sim.caldb.units import create_unit

FIRST_SERIAL = 100
"""Serial number of the module on channel 0."""


def unit_name(prefix: str, channel: int) -> str:
    """Name of a simulated module: `AGIPD_SIM_M103` sits on channel 3. The detector simulator uses the same rule."""
    return f"{prefix}_SIM_M{FIRST_SERIAL + channel:03d}"


def seed(db: Connection, detectors: list[DetectorTable], now_ms: int) -> None:
    """Make sure that the preloaded rows and the bench's detectors are there."""
    for table, names in (
        (DETECTOR_TYPES, seeds.DETECTOR_TYPES),
        (CALIBRATIONS, seeds.CALIBRATIONS),
        (PARAMETERS, seeds.PARAMETERS),
    ):
        for row_id, name in names.items():
            ensure(db, table, "name", {"id": row_id, "name": name})
        settle_ids(db, table)
    db.execute(update(PARAMETERS).where(PARAMETERS.c.id == seeds.MEMORY_CELL_ORDER).values(flg_text=True))
    complete_conditions(db)
    for name in seeds.INSTRUMENTS:
        ensure(db, INSTRUMENTS, "identifier", {"name": name, "identifier": name})
    for detector in detectors:
        _seed_detector(db, detector, now_ms)


def _seed_detector(db: Connection, table: DetectorTable, now_ms: int) -> None:
    prefix = seeds.DEVICE_PREFIXES[table.type]
    types = {name: row_id for row_id, name in seeds.DETECTOR_TYPES.items()}
    fields = {
        "name": table.identifier,
        "identifier": table.identifier,
        "karabo_name": table.identifier,
        "karabo_id_control": table.karabo_id_control,
        "source_name_pattern": f"{table.identifier}/DET/{{modno}}CH0:xtdf",
        "number_of_modules": len(table.channels),
    }
    units = [
        {
            "physical_name": unit_name(prefix, channel),
            "karabo_da": f"{prefix}{channel:02d}",
            "virtual_device_name": f"Q{channel // 4 + 1}M{channel % 4 + 1}",
            "module_number": channel,
        }
        for channel in table.channels
    ]
    ensure_detector(db, fields, types[table.type], units, now_ms)


def ensure_detector(
    db: Connection, fields: Mapping[str, Any], type_id: int, units: Sequence[Mapping[str, Any]], now_ms: int
) -> int:
    """Make sure of a detector, its instrument (named by the identifier's first part) and its units; returns its id."""
    detector_id = ensure(db, DETECTORS, "identifier", fields)
    instrument = select(INSTRUMENTS.c.id).where(
        INSTRUMENTS.c.identifier == fields["identifier"].split("_")[0]
    )
    instrument_id = db.execute(instrument).scalar()
    links = select(DETECTORS_INSTRUMENTS.c.id).where(DETECTORS_INSTRUMENTS.c.detector_id == detector_id)
    if instrument_id is not None and db.execute(links).first() is None:
        row = {"instrument_id": instrument_id, "detector_id": detector_id}
        db.execute(insert(DETECTORS_INSTRUMENTS).values(**row))
    for unit in units:
        known = select(PDUS.c.id).where(PDUS.c.physical_name == unit["physical_name"])
        if db.execute(known).first() is None:
            create_unit(db, {**unit, "detector_type_id": type_id, "detector_id": detector_id}, now_ms)
    return detector_id


def ensure(db: Connection, table: Table, key: str, values: Mapping[str, Any]) -> int:
    """The id of the row with the same value of *key*; it is inserted when there is none."""
    found = db.execute(select(table.c.id).where(table.c[key] == values[key])).scalar()
    if found is not None:
        return int(found)
    return insert_values(db, table, values)
