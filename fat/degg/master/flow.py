"""The flow of the master run of modules: checks, greeting, connectivity, schedule, launch, engine, farewell."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fat.acceptance.engine_run import Place, go
from fat.acceptance.notify import warn_outside
from fat.bench.client import running_bench
from fat.degg.master import listing
from fat.degg.master.archive import archive_config
from fat.degg.master.connectivity import connectivity
from fat.degg.master.launch_book import LaunchBook
from fat.degg.master.launch_object import first_unfinished, key_of, new_launch
from fat.degg.preload import PRELOAD
from fat.degg.provenance import provenance_of
from fat.degg.records.run_file import RunFile
from fat.degg.schedule.once_more import errors_once_more
from fat.degg.schedule.plan import safe_at_the_end
from fat.degg.station.endpoints import data_folder
from fat.errors import BenchError, BenchNotUp, UsageError
from fat.provenance import demand_committed
from scheduler import Plan, SchedulerTable, Task, create_run, list_runs, open_run, point_latest, resumable
from scheduler.errors import SchedulerError
from scheduler.journal.lock import take_lock
from scheduler.schedule.reading import check_functions, read_schedule
from scheduler.schedule.schedule import Schedule
from scheduler.state import RunState, TaskStatus, resumed

PLAN: Final = "FAT Master Script"
CHECKS: Final = ("fat.degg.tasks.host:host_well", "fat.degg.tasks.instruments:laboratory_well")
"""Before each task."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for."""

    config: Path
    endpoints: Mapping[str, Any]
    endpoints_file: Path
    recover: bool = False
    test: bool = False
    force: bool = False
    settings: SchedulerTable = field(default_factory=SchedulerTable)
    json_output: bool = False
    bench_file: Path | None = None
    """Where *settings* come from; resuming reads them again."""


def master(wanted: Wanted, say: Say) -> int:
    """Carry a schedule out, or go on with it. Returns the exit code.

    Raises UsageError for what cannot be, BenchError when modules of the run are not ready, ScheduleRejected.
    """
    read, run = admitted(wanted)
    if wanted.recover:
        launches = run.launches()
        return _recover(wanted, run, read, launches[list(launches)[-1]], say)
    return _begin(wanted, run, read, 0, say)


def admitted(wanted: Wanted) -> tuple[Schedule, RunFile]:
    """The schedule and the run of a launch that may begin, as far as files tell.

    Raises UsageError, ScheduleRejected, RecordUnreadable.
    """
    demand_committed(wanted.force)
    read = read_schedule(str(wanted.config))
    read = replace(read, plan=safe_at_the_end(errors_once_more(read.plan)))
    run = RunFile.open(read.plan.parameters["run_file"])
    launches = run.launches()
    if launches and not (wanted.recover or wanted.test):
        raise UsageError(
            f"{run.path}: the run was launched before ({list(launches)[-1]}); go on with --recover, or make a new run "
            "with `stellwerk fat configs`"
        )
    if wanted.recover and not launches:
        raise UsageError(f"{run.path}: the run was never launched, so there is nothing to recover")
    if not wanted.recover:
        check_functions(read)
    return read, run


def _begin(wanted: Wanted, run: RunFile, read: Schedule, first: int, say: Say) -> int:
    """Launch the tasks of a schedule from the first that is wanted on."""
    plan = _plan(wanted, run, read.plan, first)
    tasks = plan.tasks[first:]
    _greet(wanted, run, plan.tasks, first, say)
    if wanted.test:
        say(f"Test mode: {len(tasks)} tasks could be run. No data were taken, and nothing was written.")
        return 0
    copy = archive_config(wanted.config, run.device_dir)
    plan = replace(plan, tasks=tasks, parameters={**plan.parameters, "config": str(copy)})
    run_dir = create_run(data_folder(wanted.endpoints) / "fat", plan)
    launch = run.begin_launch(new_launch([task.title for task in tasks], copy, datetime.now(UTC)))
    keys = {task.id: key_of(number, task.title) for number, task in enumerate(tasks)}
    return _carry_out(wanted, run_dir, LaunchBook(run, launch, keys, run_dir), say)


def _recover(wanted: Wanted, run: RunFile, read: Schedule, launch: Mapping[str, Any], say: Say) -> int:
    """Go on with the run that the engine's journal tells of; without a journal with what the run file tells."""
    say("Attempting to recover failed run")
    run_dir = engine_run_of(run, data_folder(wanted.endpoints) / "fat")
    if run_dir is None:
        say("   its journal is not here: the run file says where it stopped")
        check_functions(read)
        first = first_unfinished(launch, [task.title for task in read.plan.tasks])
        return _begin(wanted, run, read, first, say)
    state = open_run(run_dir)
    if not resumable(run_dir):
        raise UsageError(f"{run.path}: all tasks of the run are done; there is nothing left to do")
    if all(task.status is TaskStatus.PENDING for task in resumed(state).tasks.values()):
        raise UsageError(
            f"{run.path}: nothing of the run is done yet, so there is no need to recover; "
            f"`stellwerk fat resume {run_dir}` begins it"
        )
    return go_on(wanted, run, run_dir, state, say)


def go_on(wanted: Wanted, run: RunFile, run_dir: Path, state: RunState, say: Say) -> int:
    """Take an engine's run up again, as a new launch of what is left.

    Raises JournalBusy while another carries it out: before modules in use are asked, and before anything is written.
    """
    os.close(take_lock(run_dir))
    left = [t.task for t in resumed(state).tasks.values() if t.status is TaskStatus.PENDING]
    for task in state.tasks.values():
        mark = "!" if task.task in left else "✔"
        if not wanted.json_output and (mark == "!" or len(state.tasks) <= len(left) + MOST_DONE):
            say(f" {mark} {task.task.title}")
    _greet(wanted, run, left, 0, say)
    if wanted.test:
        say(f"Test mode: {len(left)} tasks are left. No data were taken, and nothing was written.")
        return 0
    copy = archive_config(wanted.config, run.device_dir)
    launch = run.begin_launch(new_launch([task.title for task in left], copy, datetime.now(UTC)))
    keys = {task.id: key_of(number, task.title) for number, task in enumerate(left)}
    return _carry_out(wanted, run_dir, LaunchBook(run, launch, keys, run_dir), say)


MOST_DONE: Final = 40
"""So many tasks that are done are listed at recovery."""


def _greet(wanted: Wanted, run: RunFile, tasks: Sequence[Task], first: int, say: Say) -> None:
    """Greeting, connectivity, schedule. Raises BenchError when a module is not ready."""
    say(f"Executing {PLAN} - Time is now: {datetime.now(UTC):%Y-%m-%d %H:%M:%S UTC}")
    for line in _greeting(run, recover=wanted.recover):
        say(line)
    found = connectivity(run, wanted.endpoints)
    say(found.line)
    for sentence in found.dead:
        say(f" ! {sentence}")
    if found.dead and not wanted.test:
        texts = [f"run {run.number:05d} does not begin: {sentence}" for sentence in found.dead]
        for sentence in warn_outside(wanted.settings, run.run_dir, wanted.endpoints, texts):
            say(f"   {sentence}")
        raise BenchError(
            f"{found.line}; the run does not begin. See to the modules, or put them on the ignore list "
            f"{run.run_dir / 'ignore.json'}"
        )
    say("Schedule:")
    for line in listing.schedule(tasks, first):
        say(line)


def _greeting(run: RunFile, *, recover: bool) -> list[str]:
    devices = [(device.port, device.path) for device in run.devices()]
    return listing.greeting(run.path.stem.removeprefix("run_"), devices, verbose=True, recover=recover)


def _carry_out(wanted: Wanted, run_dir: Path, book: LaunchBook, say: Say) -> int:
    book.mirror()
    data = data_folder(wanted.endpoints)
    point_latest(
        data.parent / "latest", run_dir
    )  # what `resume`, `report` and `sched watch` mean without a run
    place = Place(wanted.endpoints, _token(data))
    code = go(
        run_dir, place, wanted.settings, listeners=[book], preload=PRELOAD, json_output=wanted.json_output
    )
    say("All actions completed - master script terminating")
    return code


def _plan(wanted: Wanted, run: RunFile, plan: Plan, first: int) -> Plan:
    """The schedule's plan, told where it comes from."""
    constants = {device.serial: device.constants for device in run.devices()}
    provenance = {
        **provenance_of(run.path, wanted.config.read_bytes()),
        "constants_sha256": hashlib.sha256(json.dumps(constants, sort_keys=True).encode()).hexdigest(),
    }
    told = {
        "bench": f"run {run.path.stem.removeprefix('run_')}",
        "greeting": _greeting(run, recover=wanted.recover) if plan.parameters.get("verbose") else [],
        "condensed": list(listing.condensed(plan.tasks, first)),
        "provenance": provenance,
        "config": str(wanted.config.absolute()),
        "bench_file": None if wanted.bench_file is None else str(wanted.bench_file.absolute()),
        "endpoints_file": str(wanted.endpoints_file.absolute()),
    }
    parameters = {**plan.parameters, "run_file": str(run.path), **told}
    return replace(plan, name=PLAN, checks=CHECKS, parameters=parameters)


def engine_run_of(run: RunFile, root: Path) -> Path | None:
    """The newest run of the engine that carried this run out; None when there is none."""
    for run_dir in reversed(list_runs(root)):
        try:
            plan = open_run(run_dir).plan
        except SchedulerError:
            continue
        if plan is not None and plan.parameters.get("run_file") == str(run.path):
            return run_dir
    return None


def _token(data: Path) -> str:
    """What changes at the bench need; empty where none is up: real instruments ask for none."""
    try:
        return str(running_bench(data)["token"])
    except BenchNotUp:
        return ""
