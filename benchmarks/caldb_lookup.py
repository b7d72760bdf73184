"""What a lookup costs with more and more versions: `python benchmarks/caldb_lookup.py [URL of a new database]`."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Select, event

from sim.caldb.conditions import find_expected, find_possible, read_request
from sim.caldb.finding import Moment, fitting_constants, neighbours
from sim.caldb.opening import open_engine
from sim.caldb.populate.base import NEWEST_MS
from sim.caldb.populate.detectors import DETECTORS
from sim.caldb.populate.rows import populate_rows
from sim.caldb.units import units_of_detector
from sim.caldb.versions import by_detector_conditions, choose_version, show_version

COUNTS = (10_000, 100_000, 1_000_000)
REPEATS = 20
CALIBRATIONS = [1, 2, 11, 14]
HEAD = (
    "versions",
    "fill s",
    "rows/s",
    "lookup ms",
    "shown ms",
    "statements",
    "closest ms",
    "possible ms",
    "expected ms",
)


def best_ms(act: Callable[[], object]) -> float:
    """The shortest time of an act, milliseconds: the machine may be shared."""
    took = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        act()
        took.append(time.perf_counter() - start)
    return 1e3 * min(took)


def measure(db: Connection, moment: Moment, statements: list[int]) -> list[float]:
    """Times of the questions that clients ask, in the order of HEAD."""
    agipd = DETECTORS[0]
    values = {**agipd.values, "Memory cells": 352.0}
    listed = [{"parameter_name": name, "value": values[name]} for name in agipd.constants[0].conditions]
    request = read_request(db, {"parameters_conditions_attributes": listed})
    units = units_of_detector(db, 1, NEWEST_MS)

    def lookup() -> list[dict[str, object]]:
        return by_detector_conditions(db, units, CALIBRATIONS, request, moment, "closest")

    def shown() -> list[dict[str, object]]:
        units_of_detector(db, 1, NEWEST_MS)
        rows = lookup()
        return [*map(show_version(db, "", NEWEST_MS, rows), rows)]

    found = lookup()
    assert len(found) == 16 * len(CALIBRATIONS), len(found)
    constant, unit = (
        int(str(found[0]["calibration_constant_id"])),
        int(str(found[0]["physical_detector_unit_id"])),
    )
    statements[0] = 0
    shown()
    asked = statements[0]
    return [
        best_ms(lookup),
        best_ms(shown),
        asked,
        best_ms(lambda: choose_version(db, [constant], [unit], moment, "closest")),
        best_ms(lambda: find_possible(db, request, 0)),
        best_ms(lambda: find_expected(db, request, 0)),
    ]


def run(engine: Engine, count: int, statements: list[int]) -> None:
    """Fill up to *count* versions, and print one line."""
    start = time.perf_counter()
    with engine.begin() as db:
        new = populate_rows(db, count, seed=1)
    fill = time.perf_counter() - start
    # Between two versions in the middle of the history.
    moment = Moment(NEWEST_MS - count // 10_000 * 3_600_000 // 2 - 1, NEWEST_MS * 2)
    with engine.connect() as db:
        figures = [count, fill, new / fill, *measure(db, moment, statements)]
    print(" ".join(f"{figure:>11.2f}" for figure in figures), flush=True)


def plan(db: Connection, query: Select[Any]) -> str:
    """What the database means to do, in its words."""
    words = str(query.compile(db, compile_kwargs={"literal_binds": True}))
    if db.dialect.name == "sqlite":
        return "\n".join(str(row[3]) for row in db.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}"))
    return "\n".join(str(row[0]) for row in db.exec_driver_sql(f"EXPLAIN {words}".replace("%", "%%")))


def show_plans(engine: Engine) -> None:
    """The plans of what grows with the catalogue."""
    moment = Moment(NEWEST_MS - 1, NEWEST_MS * 2)
    values = {**DETECTORS[0].values, "Memory cells": 352.0}
    listed = [
        {"parameter_name": name, "value": values[name]} for name in DETECTORS[0].constants[0].conditions
    ]
    with engine.connect() as db:
        request = read_request(db, {"parameters_conditions_attributes": listed})
        questions = {
            "constants under fitting conditions": fitting_constants([2], CALIBRATIONS, request),
            "versions next to the event": neighbours([1, 2], [1, 2], moment),
        }
        for name, query in questions.items():
            print(f"\n{name}\n{plan(db, query)}")


def main() -> None:
    """Measure on a new database."""
    engine = open_engine(sys.argv[1] if len(sys.argv) > 1 else Path(tempfile.mkdtemp()) / "catalogue.sqlite")
    statements = [0]
    event.listen(engine, "before_cursor_execute", lambda *_: statements.__setitem__(0, statements[0] + 1))
    print(engine.dialect.name)
    print(" ".join(f"{word:>11}" for word in HEAD), flush=True)
    for count in COUNTS:
        run(engine, count, statements)
    show_plans(engine)


if __name__ == "__main__":
    main()
