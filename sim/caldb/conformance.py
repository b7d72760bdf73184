"""The rows with negative ids that the public catalogue client's own test suite expects to find.

What the suite compares is written here as it stands there; what it leaves open is ours, and marked so.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, Table, insert, select

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
from sim.caldb.units import float_uuid

ABOUT: Final = {"flg_available": True, "description": "Created automatically via seed:seed_tests"}
FIRST, SECOND, CELLS = -1, -2, -3
"""Parameters: two numbers and one text."""
DETECTOR_UUID: Final = 12
FIRST_UUID: Final = 2_000_001
"""Ours: the suite names no UUID, but creates units with 1001 and 1000000000."""

Wanted = tuple[float, str | None, float, float]
"""Value, text, lower and upper deviation."""


def load(db: Connection) -> None:
    """Add the rows to an open catalogue. Rows that are there already stay as they are."""
    for table, rows in _rows():
        key = "parameter_id" if table is PARAMETERS_CONDITIONS else "id"
        for row in rows:
            where = [table.c[key] == row[key]]
            if table is PARAMETERS_CONDITIONS:
                where.append(table.c.condition_id == row["condition_id"])
            if db.execute(select(table.c.id).where(*where)).first() is None:
                db.execute(insert(table).values(**row))


def _rows() -> list[tuple[Table, list[dict[str, Any]]]]:
    """All rows, each table after those it refers to."""
    return [
        (DETECTOR_TYPES, [_named(-1, "UNIT_TEST_DETECTOR_TYPE-1_DO_NOT_DELETE")]),
        (DETECTORS, [_detector(n) for n in (1, 2)]),
        (PDUS, [_unit(n) for n in (1, 2, 3)]),
        (MAPPINGS, [_place(n) for n in (1, 2, 3)]),
        (CALIBRATIONS, [_calibration(n) for n in (1, 2, 3)]),
        (PARAMETERS, [_parameter(n) for n in (1, 2, 3)]),
        (CONDITIONS, [_condition(n) for n in _CONDITIONS]),
        (PARAMETERS_CONDITIONS, [row for n in _CONDITIONS for row in _parameters_of(n)]),
        (CONSTANTS, [_constant(n) for n in _CONSTANTS]),
        (VERSIONS, [_version(n) for n in _VERSIONS]),
    ]


def _named(row_id: int, name: str) -> dict[str, Any]:
    return {"id": row_id, "name": name, **ABOUT}


def _detector(n: int) -> dict[str, Any]:
    name = f"TEST_DET_CI-{n}"
    fields = {"identifier": name, "karabo_name": name, "karabo_id_control": name, "number_of_modules": 3}
    return {**_named(-n, name), **fields, "source_name_pattern": f"{name}/DET/{{modno}}CH0:xtdf"}


def _unit(n: int) -> dict[str, Any]:
    name = f"PHYSICAL_DETECTOR_UNIT-{n}_DO_NOT_DELETE"
    return {"id": -n, "physical_name": name, "uuid": FIRST_UUID + n - 1, "detector_type_id": -1, **ABOUT}


def _place(n: int) -> dict[str, Any]:
    place = {"detector_id": -2, "karabo_da": f"TEST_DAQ_DA_{n:02d}", "virtual_device_name": f"Q1M{n}"}
    return {"id": -n, "physical_detector_unit_id": -n, "since": 0, "module_number": n - 1, **place}


def _calibration(n: int) -> dict[str, Any]:
    limits = {"unit_id": -1, "min_value": 0.0, "max_value": 10.0, "allowed_deviation": 0.1}
    name = f"CALIBRATION_TEST-{n}_DO_NOT_DELETE"
    return {"id": -n, "name": name, **limits, "description": ABOUT["description"]}


def _parameter(n: int) -> dict[str, Any]:
    return {**_named(-n, f"PARAMETER_TEST-{n}_DO_NOT_DELETE"), "unit_id": -1, "flg_text": -n == CELLS}


def _cells(count: int) -> str:
    return ",".join(str(cell) for cell in range(count))


def _of_unit(n: int) -> Wanted:
    return float_uuid(FIRST_UUID + n - 1) or 0.0, None, 0.0, 0.0


_CONDITIONS: Final[dict[int, tuple[str, dict[int, Wanted]]]] = {
    # Created in this order, and the first on the day that the suite asks for the closest to 2019-07-25.
    1: ("2019-07-25", {FIRST: (2.5, None, 0.5, 0.5), SECOND: (1.5, None, 0.5, 0.5)}),
    2: ("2019-08-25", {FIRST: (2.4, None, 0.5, 0.5), SECOND: (1.3, None, 0.5, 0.5)}),
    3: ("2019-09-25", {FIRST: (2.7, None, 0.5, 0.5), SECOND: (1.8, None, 0.5, 0.5)}),
    # Each of one unit: lookups by detector find them through the unit's UUID.
    **{
        3 + n: (
            f"2019-1{n - 1}-25",
            {FIRST: (2.5, None, 0.5, 0.5), SECOND: (1.5, None, 0.5, 0.5), DETECTOR_UUID: _of_unit(n)},
        )
        for n in (1, 2, 3)
    },
    7: ("2020-01-25", {FIRST: (1.5, None, 0.5, 0.5), CELLS: (0.0, _cells(512), 0.0, 0.0)}),
    8: ("2020-02-25", {FIRST: (1.3, None, 0.5, 0.5), CELLS: (0.0, _cells(250), 0.0, 0.0)}),
}
"""Day of creation and parameters by number."""


def _condition(n: int) -> dict[str, Any]:
    day, parameters = _CONDITIONS[n]
    created = {"num_parameters": len(parameters), "created_at": parse_time(day)}
    return {**_named(-n, f"CONDITION_TEST-{n}_DO_NOT_DELETE"), **created}


def _parameters_of(n: int) -> list[dict[str, Any]]:
    day, parameters = _CONDITIONS[n]
    return [
        {
            "condition_id": -n,
            "parameter_id": parameter_id,
            "value": value,
            "txt_value": text,
            "lower_deviation_value": lower,
            "upper_deviation_value": upper,
            "created_at": parse_time(day),
            **ABOUT,
        }
        for parameter_id, (value, text, lower, upper) in parameters.items()
    ]


_CONSTANTS: Final = {1: (-1, -1), 2: (-1, -2), 3: (-2, -3)} | {
    # Ours: calibrations 1 and 2 under the conditions of each unit.
    number: (-1 if number < 7 else -2, -4 - (number - 4) % 3)
    for number in range(4, 10)
}
"""Calibration and condition by number."""


def _constant(n: int) -> dict[str, Any]:
    calibration_id, condition_id = _CONSTANTS[n]
    created = parse_time(f"2019-10-{n:02d}")
    return {
        **_named(-n, f"CALIBRATION_CONSTANT_TEST-{n}_DO_NOT_DELETE"),
        "detector_type_id": -1,
        "calibration_id": calibration_id,
        "condition_id": condition_id,
        "flg_auto_approve": True,
        "created_at": created,
        "updated_at": created,
    }


_VERSIONS: Final = {
    1: (1, 1, "2014-05-20T12:00:00", "2014-05-20T10:30:14"),
    2: (1, 1, "2014-05-26T12:00:00", "2014-05-25T10:30:14"),
    3: (2, 1, "2015-05-24T12:00:00", "2015-05-24T10:30:14"),
    4: (2, 1, "2015-05-26T12:00:00", "2015-05-25T10:30:14"),
    5: (3, 1, "2016-05-24T12:00:00", "2016-05-24T10:30:14"),
    6: (3, 1, "2016-05-26T12:00:00", "2016-05-25T10:30:14"),
    # Ours: later than all before, so that they are the closest to now.
    **{6 + n: (3 + n, (n - 1) % 3 + 1, "2019-12-26T12:00:00", "2019-12-25T10:30:14") for n in range(1, 7)},
}
"""Constant, unit, begin and begin of validity by number; times of Berlin."""


def _version(n: int) -> dict[str, Any]:
    constant, unit, begin_at, valid_from = _VERSIONS[n]
    return {
        "id": -n,
        "name": f"CALIBRATION_CONSTANT_VERSION_TEST-{n}_DO_NOT_DELETE",
        "file_name": "cal.r0001.c0001.h5" if n == 5 else "cal.r0001.c0002.h5",
        "path_to_file": "/usr/local/cal_repo/",
        "data_set_name": "exp001.cal001",
        "calibration_constant_id": -constant,
        "physical_detector_unit_id": -unit,
        "flg_deployed": True,
        "flg_good_quality": True,
        "begin_validity_at": parse_time(valid_from),
        "end_validity_at": parse_time("2029-06-24T00:00:00"),
        "begin_at": parse_time(begin_at),
        "start_idx": None,
        "end_idx": None,
        "description": None if n == 1 else ABOUT["description"],
        "created_at": parse_time(f"2020-01-{n:02d}"),
    }
