"""An injection that is killed at any step leaves at most a file without rows, and is simply repeated."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from sim.caldb.checking import check
from sim.caldb.config import DetectorTable
from sim.caldb.files import write_constant
from sim.caldb.injection import inject
from sim.caldb.opening import open_engine
from sim.caldb.seeding import seed
from sim.caldb.tables import VERSIONS

INJECTOR = Path(__file__).with_name("caldb_injector.py")
CONDITIONS = {"Memory cells": 2.0, "Pixels X": 512.0, "Pixels Y": 128.0}
STEPS = ["copied", "flushed", "renamed", "inserted", "committed"]


@pytest.mark.parametrize("at", STEPS)
def test_a_killed_injection_leaves_no_row_without_its_file(
    tmp_path: Path, caldb_database: str, at: str
) -> None:
    source, store = tmp_path / "offset.h5", tmp_path / "store"
    attributes = {**CONDITIONS, "begin_at": "2026-01-01T00:00:00Z"}
    dims = ("fast_scan", "slow_scan", "cell", "gain")
    write_constant(source, "/AGIPD_SIM_M100/Offset/0", np.ones((128, 512, 2, 3), "f4"), dims, attributes)
    engine = open_engine(caldb_database)
    with engine.begin() as db:
        seed(db, [DetectorTable(identifier="SPB_DET_AGIPD1M-1", modules=1)], 0)
    command = [sys.executable, str(INJECTOR), str(store), caldb_database, str(source), at]
    killed = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr

    with engine.connect() as db:
        rows = db.execute(select(func.count()).select_from(VERSIONS)).scalar_one()
    assert rows == (1 if at == "committed" else 0)
    assert check(engine, store, grace_s=600).orphans == [], "what is so young may be on its way"
    report = check(engine, store, repair=True, grace_s=0)
    assert report.broken == []
    assert len(report.orphans) == (0 if at == "committed" else 1)
    assert report.clean
    assert check(engine, store, grace_s=0).orphans == []

    (again,) = inject(engine, store, source, 0)
    assert again.new == (at != "committed")
    assert check(engine, store, grace_s=0).clean
    engine.dispose()
