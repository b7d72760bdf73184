"""Detectors with generated constants, files and all, and a history of versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, insert, select

from sim.caldb.files import path_inside, write_constant
from sim.caldb.matching import Given
from sim.caldb.populate.base import (
    NEWEST_MS,
    REGISTERED_AFTER_MS,
    add_detector,
    conditions_of,
    constant_id,
    fraction,
    unit_name,
)
from sim.caldb.populate.kinds import Constant, Detector, Value
from sim.caldb.populate.values import generate
from sim.caldb.tables import PDUS, VERSIONS
from sim.caldb.times import format_time, version_name

STEP_MS: Final = 7 * 24 * 3_600_000
"""A week between two versions of the history."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to fill a store with."""

    detectors: tuple[Detector, ...]
    cells: int = 64
    history: int = 1
    """Versions of each constant; the older ones share the file of the newest."""
    seed: int = 0

    @property
    def constants(self) -> int:
        """How many pairs of unit and constant there are."""
        return sum(len(d.units) * len(d.constants) for d in self.detectors)


@dataclass
class Done:
    """What was added; what had been there is not counted."""

    versions: int = 0
    files: int = 0
    bytes: int = 0


def populate(engine: Engine, root: Path, plan: Plan, progress: Callable[[], None] = lambda: None) -> Done:
    """Fill a store; what is there stays as it is, so that an interrupted run is simply repeated.

    Each unit's constant is a transaction of its own, its file written before.
    """
    done = Done()
    for detector in plan.detectors:
        with engine.begin() as db:
            add_detector(db, detector)
        for number in detector.units:
            for constant in detector.constants:
                with engine.begin() as db:
                    _add(db, root, plan, detector, unit_name(detector, number), constant, done)
                progress()
    return done


def values_of(detector: Detector, cells: int) -> Mapping[str, Value]:
    """The detector's conditions with so many memory cells, where it has a choice."""
    return detector.values if detector.fixed_cells else {**detector.values, "Memory cells": float(cells)}


def _add(
    db: Connection, root: Path, plan: Plan, detector: Detector, unit: str, constant: Constant, done: Done
) -> None:
    values = values_of(detector, plan.cells)
    given = conditions_of(db, detector, constant, values)
    of_constant = constant_id(db, detector, constant, given)
    unit_id = db.execute(select(PDUS.c.id).where(PDUS.c.physical_name == unit)).scalar_one()
    known = set(
        db.execute(
            select(VERSIONS.c.begin_at).where(
                VERSIONS.c.calibration_constant_id == of_constant,
                VERSIONS.c.physical_detector_unit_id == unit_id,
            )
        ).scalars()
    )
    missing = [begin for begin in _begins(plan.history) if begin not in known]
    folder = f"xfel/cal/{detector.type_name.lower()}/{unit.lower()}/"
    name = _file_name(constant, given)
    dataset = f"/{unit}/{constant.calibration}/0"
    path = path_inside(root, folder, name)
    if not path.exists():
        cells = int(float(values["Memory cells"]))
        data = generate(constant, unit, cells, plan.seed)
        attributes = {
            **{parameter: values[parameter] for parameter in constant.conditions},
            "begin_at": str(format_time(NEWEST_MS)),
            "raw_data_location": "",
        }
        write_constant(path, dataset, data, constant.dims, attributes, packed=True)
        done.files += 1
        done.bytes += path.stat().st_size
    if missing:
        rows = [_row(of_constant, unit_id, begin, folder, name, dataset) for begin in missing]
        db.execute(insert(VERSIONS), rows)
        done.versions += len(rows)


def _begins(history: int) -> Iterator[int]:
    return (NEWEST_MS - age * STEP_MS for age in range(history))


def _file_name(constant: Constant, given: list[Given]) -> str:
    return f"cal.{NEWEST_MS // 1000}.{fraction(constant.calibration, given):07d}.h5"


def _row(
    constant: int, unit: int, begin_ms: int, folder: str, name: str, dataset: str
) -> dict[str, int | str | bool]:
    return {
        "name": version_name(begin_ms, 0),
        "file_name": name,
        "path_to_file": folder,
        "data_set_name": dataset,
        "calibration_constant_id": constant,
        "physical_detector_unit_id": unit,
        "begin_at": begin_ms,
        "begin_validity_at": begin_ms,
        "raw_data_location": "",
        "created_at": begin_ms + REGISTERED_AFTER_MS,
    }
