"""Injects a file into a store and dies by SIGKILL at a step: `STORE DATABASE FILE STEP`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from sim.caldb.injection import inject
from sim.caldb.opening import open_engine

store, database, file, at = sys.argv[1:]


def step(name: str) -> None:
    if name == at:
        os.kill(os.getpid(), signal.SIGKILL)


inject(open_engine(database), Path(store), Path(file), 1_800_000_000_000, step=step)
