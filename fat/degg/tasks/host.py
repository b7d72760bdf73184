"""How the machine is that the acceptance test runs on: asked between tasks."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Final

import psutil

from fat.degg.records.run_file import RunFile
from scheduler import CheckResult, TaskContext

LEAST_DISK_GB: Final = 5.0
"""What the largest measurement writes, twice."""
LEAST_MEMORY_GB: Final = 0.5
MOST_BACK_S: Final = 60.0
"""Files may be so much newer than the clock says: file servers have clocks of their own."""


def host_well(context: TaskContext) -> CheckResult:
    """Whether there is room on the disks and in memory, and the clock does not go backwards."""
    run = RunFile.open(str(context.parameters["run_file"]))
    places = {folder: _free_gb(folder) for folder in (context.run_dir, run.run_dir, run.run_dir.parent)}
    for folder, free in places.items():
        if free < LEAST_DISK_GB:
            return CheckResult(
                False,
                f"{free:.1f} GB are left at {folder}, of {LEAST_DISK_GB:g} needed; make room, then resume",
            )
    memory = psutil.virtual_memory().available / 1e9
    if memory < LEAST_MEMORY_GB:
        return CheckResult(
            False, f"{memory:.2f} GB of memory are left, of {LEAST_MEMORY_GB:g} needed; end other programs"
        )
    ahead = run.path.stat().st_mtime - time.time()
    if ahead > MOST_BACK_S:
        return CheckResult(
            False, f"the clock is {ahead:.0f} s behind the last change of {run.path}; set it, then resume"
        )
    return CheckResult(True, f"{min(places.values()):.0f} GB of disk and {memory:.1f} GB of memory are left")


def _free_gb(folder: Path) -> float:
    return shutil.disk_usage(folder).free / 1e9
