"""Detectors, units, conditions and constants of a populated catalogue: added where they are missing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from sim.caldb.conditions import parameter_rows
from sim.caldb.matching import Given, fingerprint, parameter_set
from sim.caldb.populate.kinds import Constant, Detector, Value
from sim.caldb.seeding import FIRST_SERIAL, ensure, ensure_detector, seed
from sim.caldb.store import insert_values
from sim.caldb.tables import (
    CALIBRATIONS,
    CONDITIONS,
    CONSTANTS,
    DETECTOR_TYPES,
    MAX_NAME,
    PARAMETERS,
    PARAMETERS_CONDITIONS,
)

NEWEST_MS: Final = 1_767_225_600_000
"""Begin of the newest version of each constant: 2026-01-01T00:00:00Z. The history lies before."""
REGISTERED_AFTER_MS: Final = 3_600_000
"""A version is registered an hour after its data were taken."""


def unit_name(detector: Detector, number: int) -> str:
    """Name of a unit: `AGIPD_SIM_M103`."""
    name = {"JNGFR": "Jungfrau", "EPIX": "EPIX100"}.get(detector.prefix, detector.prefix)
    return f"{name}_SIM_M{FIRST_SERIAL + number:03d}"


def add_detector(db: Connection, detector: Detector) -> None:
    """Make sure of a detector with its units, and of the names of its calibrations."""
    seed(db, [], NEWEST_MS)
    type_id = db.execute(
        select(DETECTOR_TYPES.c.id).where(DETECTOR_TYPES.c.name == detector.type_name)
    ).scalar_one()
    units = [_unit(detector, number) for number in detector.units]
    fields = {
        "name": detector.identifier,
        "identifier": detector.identifier,
        "karabo_name": detector.identifier,
        "karabo_id_control": detector.control,
        "source_name_pattern": detector.pattern,
        "number_of_modules": len(units),
        "first_module_index": detector.units[0],
    }
    ensure_detector(db, fields, type_id, units, NEWEST_MS)
    for constant in detector.constants:
        ensure(db, CALIBRATIONS, "name", {"name": constant.calibration})


def _unit(detector: Detector, number: int) -> dict[str, Any]:
    quadrant = f"Q{number // 4 + 1}M{number % 4 + 1}" if len(detector.units) == 16 else None
    return {
        "physical_name": unit_name(detector, number),
        "karabo_da": f"{detector.prefix}{number:02d}",
        "virtual_device_name": quadrant,
        "module_number": number,
    }


def conditions_of(
    db: Connection, detector: Detector, constant: Constant, values: Mapping[str, Value]
) -> list[Given]:
    """The parameters of a constant with these values and the detector's deviations."""
    known = {
        row.name: row for row in db.execute(select(PARAMETERS.c.id, PARAMETERS.c.name, PARAMETERS.c.flg_text))
    }
    given = []
    for name in constant.conditions:
        value, off = values[name], detector.deviations.get(name, 0.0)
        if known[name].flg_text:
            given.append(Given(known[name].id, 0.0, str(value)))
        else:
            given.append(Given(known[name].id, float(value), None, off, off))
    return given


def constant_id(db: Connection, detector: Detector, constant: Constant, given: list[Given]) -> int:
    """The id of a constant under a condition; both are added when they are new."""
    mark = fingerprint(given)
    condition_id = db.execute(select(CONDITIONS.c.id).where(CONDITIONS.c.fingerprint == mark)).scalar()
    name = f"{detector.type_name.removesuffix('-Type')} {mark[:16]}"
    if condition_id is None:
        row = {
            "name": name,
            "num_parameters": len(given),
            "fingerprint": mark,
            "parameter_set": parameter_set(g.parameter_id for g in given),
            "created_at": NEWEST_MS,
        }
        condition_id = insert_values(db, CONDITIONS, row)
        db.execute(insert(PARAMETERS_CONDITIONS), parameter_rows(condition_id, given, NEWEST_MS))
    key = {
        "detector_type_id": db.execute(
            select(DETECTOR_TYPES.c.id).where(DETECTOR_TYPES.c.name == detector.type_name)
        ).scalar_one(),
        "calibration_id": db.execute(
            select(CALIBRATIONS.c.id).where(CALIBRATIONS.c.name == constant.calibration)
        ).scalar_one(),
        "condition_id": condition_id,
    }
    found = db.execute(select(CONSTANTS.c.id).filter_by(**key)).scalar()
    if found is not None:
        return int(found)
    row = {
        "name": f"{detector.type_name}_{constant.calibration}_{name}"[:MAX_NAME],
        **key,
        "created_at": NEWEST_MS,
        "updated_at": NEWEST_MS,
    }
    return insert_values(db, CONSTANTS, row)


def fraction(calibration: str, given: list[Given]) -> int:
    """Seven digits that tell files of one unit and begin apart: the fraction of the second in a file's name."""
    digest = hashlib.sha256(f"{calibration} {fingerprint(given)}".encode()).digest()
    return int.from_bytes(digest[:6]) % 10_000_000
