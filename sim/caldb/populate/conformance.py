"""Rows with negative ids which the tests of the public calibration_client (11.4) expect in a test catalogue.

What they hold follows from those tests: ids, names and times that they compare; the rest (among it condition 4, and
the constants and versions that hang on it) is chosen so that their lookups give what they ask for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Table, insert, select

from sim.caldb.conditions import parameter_rows
from sim.caldb.matching import Given, fingerprint, parameter_set
from sim.caldb.seeding import seed
from sim.caldb.store import settle_ids
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
    VERSIONS,
)
from sim.caldb.times import parse_time

ABOUT: Final = "Created automatically via seed:seed_tests"
END: Final = "2029-06-24T00:00:00.000+02:00"
HALF: Final = 0.5


def _given(*values: float) -> list[Given]:
    return [Given(-number, value, None, HALF, HALF) for number, value in enumerate(values, 1)]


def _ordered(value: float, cells: int) -> list[Given]:
    """A condition with a text: numbers of cells, separated by commas."""
    return [Given(-1, value, None, HALF, HALF), Given(-3, 0.0, ",".join(map(str, range(cells))))]


CONDITIONS_BY_NUMBER: Final[Mapping[int, tuple[list[Given], str]]] = {
    1: (_given(2.5, 1.5), "2019-07-25T09:14:52+02:00"),
    2: (_given(2.4, 1.3), "2019-07-26T09:14:52+02:00"),
    3: (_given(2.7, 1.8), "2019-07-27T09:14:52+02:00"),
    # Fits 2.5 and 1.5, but not 2.9 and 1.3, with which a lookup must find nothing for unit 3.
    4: ([Given(-1, 2.5, None, 0.1, 0.1), Given(-2, 1.5, None, 0.1, 0.1)], "2018-01-01T00:00:00+01:00"),
    7: (_ordered(1.5, 512), "2023-01-01T00:00:00+01:00"),
    8: (_ordered(1.3, 250), "2023-02-01T00:00:00+01:00"),
}
"""Parameters and time of creation: closeness to it is the order of answers."""

CONSTANTS_BY_NUMBER: Final = {1: (1, 1), 2: (1, 2), 3: (2, 3), 4: (1, 4), 5: (2, 4)}
"""Calibration and condition."""

VERSIONS_BY_NUMBER: Final = {
    1: (1, 1, "2014-05-20T12:00:00+02:00", "2014-05-20T10:30:14+02:00"),
    2: (1, 1, "2014-05-26T12:00:00+02:00", "2014-05-25T10:30:14+02:00"),
    3: (2, 1, "2014-06-26T12:00:00+02:00", "2014-06-25T10:30:14+02:00"),
    4: (2, 1, "2015-05-26T12:00:00+02:00", "2015-05-25T10:30:14+02:00"),
    5: (3, 1, "2016-05-24T12:00:00+02:00", "2016-05-24T10:30:14+02:00"),
    6: (3, 1, "2016-05-26T12:00:00+02:00", "2016-05-25T10:30:14+02:00"),
    7: (4, 1, "2018-05-26T12:00:00+02:00", "2018-05-25T10:30:14+02:00"),
    8: (4, 2, "2018-05-26T12:00:00+02:00", "2018-05-25T10:30:14+02:00"),
    9: (4, 3, "2018-05-26T12:00:00+02:00", "2018-05-25T10:30:14+02:00"),
    10: (5, 1, "2018-05-26T12:00:00+02:00", "2018-05-25T10:30:14+02:00"),
    11: (5, 2, "2018-05-26T12:00:00+02:00", "2018-05-25T10:30:14+02:00"),
    12: (5, 3, "2018-05-26T12:00:00+02:00", "2018-05-25T10:30:14+02:00"),
}
"""Constant, unit, begin, begin of validity."""


def load(db: Connection) -> int:
    """Add the rows that are missing; returns how many."""
    seed(db, [], 0)
    added = 0
    for table, row in _rows():
        if db.execute(select(table.c.id).where(table.c.id == row["id"])).first() is None:
            db.execute(insert(table).values(**row))
            added += 1
    for number, (given, at) in CONDITIONS_BY_NUMBER.items():
        held = select(PARAMETERS_CONDITIONS.c.id).where(PARAMETERS_CONDITIONS.c.condition_id == -number)
        if db.execute(held).first() is None:
            rows = parameter_rows(-number, given, parse_time(at))
            db.execute(insert(PARAMETERS_CONDITIONS), [{**row, "description": ABOUT} for row in rows])
            added += len(rows)
    for table in (
        DETECTOR_TYPES,
        DETECTORS,
        CALIBRATIONS,
        PARAMETERS,
        PDUS,
        MAPPINGS,
        CONDITIONS,
        CONSTANTS,
        VERSIONS,
    ):
        settle_ids(db, table)
    return added


def _named(number: int, word: str) -> dict[str, Any]:
    return {"id": -number, "name": f"{word}-{number}_DO_NOT_DELETE", "description": ABOUT}


def _rows() -> Iterator[tuple[Table, dict[str, Any]]]:
    for number in (1, 2, 3):
        yield DETECTOR_TYPES, _named(number, "UNIT_TEST_DETECTOR_TYPE")
        yield CALIBRATIONS, {**_named(number, "CALIBRATION_TEST"), "unit_id": -1}
        yield PARAMETERS, {**_named(number, "PARAMETER_TEST"), "unit_id": -1}
    for number in (1, 2):
        name = f"TEST_DET_CI-{number}"
        about = {"karabo_name": name, "karabo_id_control": name, "description": ABOUT}
        yield DETECTORS, {"id": -number, "name": name, "identifier": name, **about}
    for number in (1, 2, 3):
        yield PDUS, _unit(number)
        yield MAPPINGS, _place(number)
    for number, (given, at) in CONDITIONS_BY_NUMBER.items():
        yield CONDITIONS, _condition(number, given, parse_time(at))
    for number, (calibration, condition) in CONSTANTS_BY_NUMBER.items():
        yield CONSTANTS, _constant(number, calibration, condition)
    for number, (constant, unit, begin, valid) in VERSIONS_BY_NUMBER.items():
        yield VERSIONS, _version(number, constant, unit, parse_time(begin), parse_time(valid))


def _unit(number: int) -> dict[str, Any]:
    row = _named(number, "PHYSICAL_DETECTOR_UNIT")
    row["physical_name"] = row.pop("name")
    return {**row, "uuid": 999 + number, "detector_type_id": -1}


def _place(number: int) -> dict[str, Any]:
    place = {"karabo_da": f"TEST_DAQ_DA_{number:02d}", "virtual_device_name": f"Q1M{number}"}
    ids = {"id": -number, "physical_detector_unit_id": -number, "detector_id": -2}
    return {**ids, **place, "module_number": number, "since": 0}


def _condition(number: int, given: list[Given], at_ms: int) -> dict[str, Any]:
    keys = {
        "fingerprint": fingerprint(given),
        "parameter_set": parameter_set(g.parameter_id for g in given),
    }
    return {**_named(number, "CONDITION_TEST"), "num_parameters": len(given), "created_at": at_ms, **keys}


def _constant(number: int, calibration: int, condition: int) -> dict[str, Any]:
    # The newest comes first in lists of constants, and the tests want -2 before -1.
    at_ms = parse_time("2014-01-01T00:00:00+01:00") + number
    ids = {"detector_type_id": -1, "calibration_id": -calibration, "condition_id": -condition}
    return {**_named(number, "CALIBRATION_CONSTANT_TEST"), **ids, "created_at": at_ms, "updated_at": at_ms}


def _version(number: int, constant: int, unit: int, begin_ms: int, valid_ms: int) -> dict[str, Any]:
    return {
        **_named(number, "CALIBRATION_CONSTANT_VERSION_TEST"),
        "description": None if number == 1 else ABOUT,
        "file_name": "cal.r0001.c0001.h5" if number == 5 else "cal.r0001.c0002.h5",
        "path_to_file": "/usr/local/cal_repo/",
        "data_set_name": "exp001.cal001",
        "calibration_constant_id": -constant,
        "physical_detector_unit_id": -unit,
        "begin_at": begin_ms,
        "begin_validity_at": valid_ms,
        "end_validity_at": parse_time(END),
        "start_idx": None,
        "end_idx": None,
        "created_at": begin_ms,
    }
