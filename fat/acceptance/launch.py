"""Start an acceptance run, or go on with one: its bench, its engine, its listeners, its report."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import typer

from fat.acceptance.display import Display
from fat.acceptance.engine_run import Place, log_beside_the_output, run_engine, tell
from fat.acceptance.finish import finish, finish_if_missed
from fat.acceptance.notify import notifiers
from fat.bench.client import running_bench
from fat.bench.file import BenchFile, load, parse
from fat.bench.owned import OwnedBench
from fat.errors import BenchFileRejected, UsageError
from fat.files import write_bytes_atomically
from fat.plans import PLANS
from scheduler import (
    Plan,
    RunState,
    create_run,
    open_run,
    open_runs,
    point_latest,
    resumable,
    resume_time_ns,
)
from scheduler.runs import find_run
from scheduler.schedule.forecast import forecast, lengths
from scheduler.schedule.reading import check_end, check_functions, read_schedule
from scheduler.schedule.schedule import Schedule

GOING_DOWN_S: Final = 10.0
MASTER_KEY: Final = "config"
"""A parameter that only plans of `stellwerk fat master` have: the schedule's file."""


def run_new(
    bench_path: Path, *, endpoints: Path | None = None, schedule: str | None = None, json_output: bool = False
) -> int:
    """Make a new acceptance run of a bench file and carry it out. Returns the exit code.

    schedule  where the tasks come from instead of the bench file's plan
    """
    log_beside_the_output()
    file = load(bench_path)
    planned = _schedule(file, schedule)
    if schedule is not None:
        check_functions(planned)
        earlier = lengths(open_runs(file.data_dir / "fat"))
        check_end(planned, forecast(planned.plan, earlier), datetime.now(UTC).astimezone())
    run_dir = create_run(file.data_dir / "fat", planned.plan, journal=file.scheduler.journal)
    return _carry_out(file, run_dir, endpoints=endpoints, json_output=json_output, start_ns=None)


def planned(bench_path: Path, schedule: str | None = None) -> tuple[Schedule, Path]:
    """What a new run of a bench file would carry out, and the bench's data folder."""
    file = load(bench_path)
    return _schedule(file, schedule), file.data_dir


def newest_run(bench_path: Path) -> Path:
    """The newest run of a bench file. Raises RunNotFound when there is none."""
    return find_run(None, load(bench_path).data_dir)


def resume(
    run_dir: Path, *, endpoints: Path | None = None, json_output: bool = False, force: bool = False
) -> int:
    """Go on with an acceptance run where its journal ends. Returns the exit code; 0 when nothing is left.

    force  a master run, although the source has changes that are not committed
    """
    log_beside_the_output()
    state = open_run(run_dir)
    if state.plan is not None and MASTER_KEY in state.plan.parameters:
        from fat.degg.master.resuming import resume_run

        return resume_run(run_dir, state.plan, endpoints, json_output=json_output, force=force)
    if not resumable(run_dir):
        finish_if_missed(run_dir, quiet=json_output)
        _deliver_left(run_dir, state, json_output=json_output)
        text = f"run {run_dir.name} has ended with {state.verdict}; nothing is left to do"
        typer.echo(json.dumps({"run": run_dir.name, "nothing_left": True}) if json_output else text)
        return 0
    file = _file_of(run_dir, state)
    return _carry_out(
        file, run_dir, endpoints=endpoints, json_output=json_output, start_ns=resume_time_ns(run_dir)
    )


def _deliver_left(run_dir: Path, state: RunState, *, json_output: bool) -> None:
    """Send what could not be told while the run was carried out. The bench, and a Slack of its own, is down."""
    try:
        people = notifiers(_file_of(run_dir, state).scheduler, run_dir, {})
    except BenchFileRejected:
        return  # of another version: a run that has ended needs its bench file for nothing else
    if not people.waiting:
        return
    for sentence in (*people.silent, *people.waiting, *people.deliver_left(run_dir)):
        if not json_output:
            typer.echo(sentence)


def _schedule(file: BenchFile, source: str | None) -> Schedule:
    """The bench file's own plan, or another's tasks with all that the bench file's plan would tell them."""
    own = _plan(file)
    if source is None:
        return Schedule(own, str(file.path))
    given = read_schedule(source)
    checks = given.plan.checks or own.checks
    parameters = {**own.parameters, **given.plan.parameters}
    return replace(given, plan=replace(given.plan, checks=checks, parameters=parameters))


def _plan(file: BenchFile) -> Plan:
    if file.fat.plan not in PLANS:
        raise BenchFileRejected(
            file.path, [f"{file.path}: fat.plan must be one of {', '.join(sorted(PLANS))}"]
        )
    return PLANS[file.fat.plan].build(file)


def _file_of(run_dir: Path, state: RunState) -> BenchFile:
    """The bench file as it was when the run was made, on the run's own data folder."""
    if state.plan is None:
        raise UsageError(f"{run_dir}: its journal does not begin; make a new run")
    text = str(state.plan.parameters["bench_text"])
    path = run_dir / "bench.toml"
    _put(path, text.encode())
    parse(text, path)  # a bench file of an older version is refused here, with its line
    return load(path, run_dir.parent.parent)


def _put(path: Path, content: bytes) -> None:
    """Write a file that is not there yet: a run is also taken up, and made safe, on a disk that is full."""
    if not (path.is_file() and path.read_bytes() == content):
        write_bytes_atomically(path, content)


def _carry_out(
    file: BenchFile, run_dir: Path, *, endpoints: Path | None, json_output: bool, start_ns: int | None
) -> int:
    began = time.monotonic()
    kind, plan = PLANS[file.fat.plan], open_run(run_dir).plan
    listeners = () if plan is None else kind.listeners(plan, run_dir)
    engine = partial(run_engine, run_dir, preload=kind.preload, listeners=listeners)
    point_latest(file.data_dir.parent / "latest", run_dir)
    with Display(quiet=json_output) as display:
        display.say(f"Acceptance run {run_dir.name} of bench {file.bench.name}")
        if endpoints is not None:
            outcome = engine(_running(file, endpoints), file.scheduler, display)
        else:
            bench_path = run_dir / "bench.toml"
            _put(bench_path, file.text.encode())
            display.say(f"   starting the bench (log: {file.data_dir / 'log'})")
            log = file.data_dir / "log" / "bench.log"
            # A killed run's bench may need a moment to go down.
            owned_bench = OwnedBench(
                bench_path, data_dir=file.data_dir, start_ns=start_ns, patience_s=GOING_DOWN_S, log=log
            )
            with owned_bench as owned:
                place = Place(owned.endpoints, owned.token)
                outcome = engine(place, file.scheduler, display)
    # The report task has just drawn the same figures, which takes some seconds.
    report = finish(run_dir, draw_anew=False, quiet=json_output)
    tell(run_dir, outcome, report, time.monotonic() - began, json_output=json_output)
    return outcome.exit_code


def _running(file: BenchFile, endpoints: Path) -> Place:
    try:
        addresses = json.loads(endpoints.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{endpoints}: not an endpoints file: {error}") from None
    return Place(addresses, str(running_bench(file.data_dir)["token"]))
