"""What a lookup costs with more and more versions: `python benchmarks/caldb_lookup.py [URL of a new database]`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from sqlalchemy import event

from sim.caldb.conditions import find_expected, find_possible, read_request
from sim.caldb.finding import Moment
from sim.caldb.opening import open_engine
from sim.caldb.populate.base import NEWEST_MS
from sim.caldb.populate.detectors import DETECTORS
from sim.caldb.populate.rows import populate_rows
from sim.caldb.units import units_of_detector
from sim.caldb.versions import by_detector_conditions, choose_version, show_version

COUNTS = (10_000, 100_000, 1_000_000)
REPEATS = 20


def best_of(act) -> float:
    took = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        act()
        took.append(time.perf_counter() - start)
    return 1e3 * sorted(took)[len(took) // 2]


def main() -> None:
    address = sys.argv[1] if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "catalogue.sqlite"
    engine = open_engine(address)
    statements = [0]
    event.listen(engine, "before_cursor_execute", lambda *_: statements.__setitem__(0, statements[0] + 1))
    agipd = DETECTORS[0]
    names = agipd.constants[0].conditions
    values = {**agipd.values, "Memory cells": 352.0}
    listed = [{"parameter_name": name, "value": values[name]} for name in names]
    # Between two versions in the middle of the history.
    print(
        f"{engine.dialect.name}\n{'versions':>9} {'fill s':>7} {'rows/s':>8} {'lookup ms':>10} {'shown ms':>9} "
        f"{'statements':>10} {'closest ms':>10} {'possible ms':>11} {'expected ms':>11}"
    )
    for count in COUNTS:
        start = time.perf_counter()
        with engine.begin() as db:
            new = populate_rows(db, count, seed=1)
        fill = time.perf_counter() - start
        moment = Moment(NEWEST_MS - count // 10_000 * 3_600_000 // 2 - 1, NEWEST_MS * 2)
        with engine.connect() as db:
            request = read_request(db, {"parameters_conditions_attributes": listed})
            units = units_of_detector(db, 1, NEWEST_MS)

            def lookup():
                return by_detector_conditions(db, units, [1, 2, 11, 14], request, moment, "closest")

            def shown():
                show = show_version(db, "", NEWEST_MS)
                placed = units_of_detector(db, 1, NEWEST_MS)
                return [
                    show(row)
                    for row in by_detector_conditions(db, placed, [1, 2, 11, 14], request, moment, "closest")
                ]

            row = lookup()[0]
            constant, unit = row["calibration_constant_id"], row["physical_detector_unit_id"]
            assert len(lookup()) == 64, len(lookup())
            statements[0] = 0
            shown()
            asked = statements[0]
            figures = (
                best_of(lookup),
                best_of(shown),
                asked,
                best_of(lambda: choose_version(db, [constant], unit, moment, "closest")),
                best_of(lambda: find_possible(db, request, 0)),
                best_of(lambda: find_expected(db, request, 0)),
            )
        print(
            f"{count:9d} {fill:7.1f} {new / fill:8.0f} {figures[0]:10.2f} {figures[1]:9.2f} {figures[2]:10d} "
            f"{figures[3]:10.2f} {figures[4]:11.2f} {figures[5]:11.2f}"
        )


if __name__ == "__main__":
    main()
