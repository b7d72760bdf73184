"""Rows without files, many of them, for benchmarks: written in bulk, the same for the same seed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, select, text

from sim.caldb.populate.base import (
    NEWEST_MS,
    REGISTERED_AFTER_MS,
    add_detector,
    conditions_of,
    constant_id,
    unit_name,
)
from sim.caldb.populate.detectors import DETECTORS
from sim.caldb.populate.kinds import Detector
from sim.caldb.store import settle_ids
from sim.caldb.tables import PDUS, VERSIONS
from sim.caldb.times import version_name

STEP_MS: Final = 3_600_000
"""Between two versions of one constant and unit."""
CELLS: Final = (64.0, 176.0, 352.0)
DISABLED: Final = 0.01
"""Fraction of versions that are not in use."""
BATCH: Final = 20_000
COLUMNS: Final = (
    "name",
    "file_name",
    "path_to_file",
    "data_set_name",
    "calibration_constant_id",
    "physical_detector_unit_id",
    "flg_deployed",
    "flg_good_quality",
    "begin_validity_at",
    "begin_at",
    "start_idx",
    "end_idx",
    "raw_data_location",
    "created_at",
)
Row = tuple[Any, ...]


def populate_rows(
    db: Connection, count: int, *, seed: int, progress: Callable[[int], None] = lambda _n: None
) -> int:
    """Add versions until there are *count* of this kind; returns how many were new.

    They are spread evenly over all units, calibrations and a few dozen conditions for each detector; each pair of
    constant and unit has its own history, an hour from one version to the next. `progress` is told the numbers of
    rows that were written.
    """
    pairs = list(_pairs(db))
    before = _count(db)
    rows = _rows(pairs, count, seed)
    while batch := list(itertools.islice(rows, BATCH)):
        insert_ignoring(db, batch)
        progress(len(batch))
    settle_ids(db, VERSIONS)
    # Without counts of the new rows both databases would plan for a table of a few.
    db.execute(text("ANALYZE"))
    return _count(db) - before


def _count(db: Connection) -> int:
    return int(db.execute(text(f"SELECT count(*) FROM {VERSIONS.name}")).scalar_one())


def _pairs(db: Connection) -> Iterator[tuple[int, int, str, str, str]]:
    """Every constant with every unit: their ids, folder, dataset and a mark for file names."""
    for detector in DETECTORS:
        add_detector(db, detector)
        units = {
            name: row_id
            for number in detector.units
            for name in [unit_name(detector, number)]
            for row_id in db.execute(select(PDUS.c.id).where(PDUS.c.physical_name == name)).scalars()
        }
        for constant in detector.constants:
            for values in _grid(detector):
                given = conditions_of(db, detector, constant, values)
                of_constant = constant_id(db, detector, constant, given)
                for name, unit_id in units.items():
                    folder = f"xfel/cal/{detector.type_name.lower()}/{name.lower()}/"
                    dataset = f"/{name}/{constant.calibration}/0"
                    yield of_constant, unit_id, folder, dataset, f"{of_constant:07d}"


def _grid(detector: Detector) -> Iterator[dict[str, Any]]:
    varied = dict(detector.varied)
    if not detector.fixed_cells:
        varied["Memory cells"] = CELLS
    for values in itertools.product(*varied.values()):
        yield {**detector.values, **dict(zip(varied, values, strict=True))}


def _rows(pairs: list[tuple[int, int, str, str, str]], count: int, seed: int) -> Iterator[Row]:
    random = np.random.default_rng(seed)
    for age in itertools.count():
        if age * len(pairs) >= count:
            return
        begin = NEWEST_MS - age * STEP_MS
        name = version_name(begin, 0)
        good = (random.random(len(pairs)) >= DISABLED).tolist()
        for number, (constant, unit, folder, dataset, mark) in enumerate(pairs[: count - age * len(pairs)]):
            file = f"cal.{begin // 1000}.{mark}.h5"
            flags = (good[number], good[number])
            ids = (constant, unit)
            times = (begin, begin, 0, 0, "", begin + REGISTERED_AFTER_MS)
            yield (name, file, folder, dataset, *ids, *flags, *times)


def insert_ignoring(db: Connection, rows: Iterable[Row]) -> None:
    """Insert versions (fields as COLUMNS); those that are there already stay as they are."""
    listed = ", ".join(COLUMNS)
    if db.dialect.name == "sqlite":
        marks = ", ".join("?" * len(COLUMNS))
        db.exec_driver_sql(f"INSERT OR IGNORE INTO {VERSIONS.name} ({listed}) VALUES ({marks})", list(rows))
        return
    # COPY is ten times as fast as INSERT, but knows no conflicts: so into a table of this transaction first.
    db.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS incoming ON COMMIT DROP AS SELECT {listed} FROM {VERSIONS.name} LIMIT 0"
    )
    driver: Any = db.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY incoming ({listed}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    db.exec_driver_sql(
        f"INSERT INTO {VERSIONS.name} ({listed}) SELECT {listed} FROM incoming ON CONFLICT DO NOTHING"
    )
    db.exec_driver_sql("TRUNCATE incoming")
