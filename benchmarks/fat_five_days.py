"""The whole acceptance test of optical modules, its five days in simulated time: `python benchmarks/fat_five_days.py`.

The full schedule of 1114 tasks on sixteen modules in skip mode, by `stellwerk fat run`; a program answers yes where an
operator is asked. The table says for each kind of task how often it ran, what it took of the wall's time and of the
bench's, and what was missed.

    --modules N    modules (16)
    --no-hv        the 1086 tasks without scans of the high voltage
    --keep DIR     leave bench file, data and report there
    --quick        the short schedule, two modules
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Any

from scheduler import SchedulerError, list_runs, open_run, record

BENCH = """
[bench]
name = "degg"
seed = 20260115
data_dir = "{data}"
[sim.clock]
mode = "skip"
[sim.devices.lab]
kind = "lab"
modules = {{ count = {modules} }}
[fat]
plan = "degg"
[fat.degg]
schedule = "{schedule}"
"""
LOOK_S = 0.5
LAST_BYTES = 2000
DAY_NS = 86_400 * 10**9


def main() -> int:
    """Carry the run out; print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--modules", type=int, default=16)
    parser.add_argument("--no-hv", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    schedule = "short" if given.quick else "full_no_hv" if given.no_hv else "full"
    modules = 2 if given.quick else given.modules
    with tempfile.TemporaryDirectory(prefix="stellwerk-days-") as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "degg.toml"
        file.write_text(BENCH.format(data=folder / "data", modules=modules, schedule=schedule))
        began = time.monotonic()
        code, core_s = carry_out(file, folder)
        wall_s = time.monotonic() - began
        run_dir = list_runs(folder / "data" / "fat")[-1]
        table(record(run_dir), wall_s, core_s, modules)
    return code


def carry_out(file: Path, folder: Path) -> tuple[int, float]:
    """Exit code of the run, and seconds of a core that it and all that it started took."""
    command = [sys.executable, "-m", "fat", "fat", "run", str(file)]
    with (folder / "run.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as run:
        while run.poll() is None:
            time.sleep(LOOK_S)
            if asks(folder / "run.log"):
                say_yes(folder / "data")
    took = resource.getrusage(resource.RUSAGE_CHILDREN)
    return run.returncode, took.ru_utime + took.ru_stime


def asks(log: Path) -> bool:
    """Whether the last words of the log are a question: to look into the journal would take more than the run."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - LAST_BYTES))
        return b"sched answer" in file.read()


def say_yes(data: Path) -> None:
    """Answer what the run asks, if it asks."""
    with suppress(SchedulerError, IndexError):
        run_dir = list_runs(data / "fat")[-1]
        if open_run(run_dir).questions:
            command = [sys.executable, "-m", "fat", "sched", "answer", "yes", str(run_dir)]
            subprocess.run(command, capture_output=True)


def table(found: dict[str, Any], wall_s: float, core_s: float, modules: int) -> None:
    """By kind of task."""
    kinds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for task in found["tasks"]:
        kinds[task["call"].rpartition(":")[2]].append(task)
    print(f"{'task':<28}{'times':>6}{'wall s':>9}{'each':>8}{'bench h':>9}{'missed':>8}{'errors':>8}")
    for name, tasks in sorted(kinds.items(), key=lambda pair: -sum(t["wall_s"] or 0 for t in pair[1])):
        took = sum(task["wall_s"] or 0.0 for task in tasks)
        hours = sum((t["finished_sim_ns"] or 0) - (t["started_sim_ns"] or 0) for t in tasks) / 3600e9
        missed = sum(task["verdict"] == "FAIL" for task in tasks)
        errors = sum(task["verdict"] in ("ERROR", "ABORTED") for task in tasks)
        each = took / len(tasks)
        print(f"{name:<28}{len(tasks):>6}{took:>9.1f}{each:>8.2f}{hours:>9.1f}{missed:>8}{errors:>8}")
    in_tasks = sum(task["wall_s"] or 0.0 for task in found["tasks"])
    days = found["sim_ns"] / DAY_NS
    print(f"\n{modules} modules, {len(found['tasks'])} tasks, verdict {found['verdict']}")
    print(f"{days:.2f} days of the bench's time in {wall_s:.0f} s")
    print(
        f"{in_tasks:.0f} s of it in tasks; {core_s:.0f} s of a core; {days * 86400 / wall_s:.0f} times as fast as time"
    )


if __name__ == "__main__":
    sys.exit(main())
