"""An engine at work at a bench: its clock, its listeners, what is said when it ends."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import typer

from fat.acceptance.display import Display
from fat.acceptance.finish import finish
from fat.acceptance.notify import notifiers
from fat.bench.client import ClockClient
from scheduler import Engine, Listener, Outcome, SchedulerTable, Verdict, WallClock


@dataclass(frozen=True, slots=True)
class Place:
    """Where a bench is: the child of this process, or one that was up before."""

    endpoints: Mapping[str, Any]
    token: str


def go(
    run_dir: Path,
    place: Place,
    settings: SchedulerTable,
    *,
    listeners: Sequence[Listener],
    preload: Sequence[str],
    json_output: bool,
) -> int:
    """Carry a run out at a bench that is up, write its report, say how it ended. Returns the exit code."""
    log_beside_the_output()
    began = time.monotonic()
    with Display(quiet=json_output) as display:
        outcome = run_engine(run_dir, place, settings, display, listeners=listeners, preload=preload)
    report = finish(run_dir, draw_anew=False, quiet=json_output)
    tell(run_dir, outcome, report, time.monotonic() - began, json_output=json_output)
    return outcome.exit_code


def run_engine(
    run_dir: Path,
    place: Place,
    settings: SchedulerTable,
    display: Display,
    *,
    preload: Sequence[str],
    listeners: Sequence[Listener] = (),
) -> Outcome:
    """Let an engine carry a run out, and people hear of it.

    listeners  beside the display and the ways to people
    """
    if "web" in place.endpoints:
        display.say(f"   live page  {place.endpoints['web']}/runs/{run_dir.name}")
    environment = {"endpoints": dict(place.endpoints), "token": place.token}
    people = notifiers(settings, run_dir, place.endpoints)
    for sentence in (*people.silent, *people.waiting):
        display.say(f"   {sentence}")
    told: list[Listener] = [*listeners, display, *people.listeners]
    with contextlib.ExitStack() as stack:
        clock: ClockClient | WallClock = WallClock()
        if "clock" in place.endpoints:  # real instruments have none but the wall
            clock = stack.enter_context(ClockClient(place.endpoints["clock"], "acceptance"))
        engine = Engine(run_dir, None, clock, environment, settings, told, preload, display.keyboard())
        try:
            outcome = engine.run()
        finally:
            left = people.close()
    for sentence in left:
        display.say(f"   {sentence}")
    return outcome


def log_beside_the_output() -> None:
    """Let what the engine and the notifiers log go to standard error: standard output may be read by programs."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


def tell(run_dir: Path, outcome: Outcome, report: Path | None, took_s: float, *, json_output: bool) -> None:
    """Say how a run ended, to people or, as JSON, to programs."""
    if json_output:
        body = {
            "run": run_dir.name,
            "folder": str(run_dir),
            "verdict": str(outcome.verdict),
            "exit_code": outcome.exit_code,
            "interrupted": outcome.interrupted,
            "report": None if report is None else str(report),
        }
        typer.echo(json.dumps(body))
        return
    with contextlib.suppress(OSError):  # of a terminal that has hung up
        _tell_people(run_dir, outcome, report, took_s)


def _tell_people(run_dir: Path, outcome: Outcome, report: Path | None, took_s: float) -> None:
    typer.echo(f"Run {run_dir.name}: {outcome.verdict} after {took_s:.0f} s")
    if report is not None:
        typer.echo(f"   report  {report}")
    if outcome.interrupted or outcome.verdict in (Verdict.ERROR, Verdict.ABORTED):
        typer.echo("   `stellwerk fat resume` goes on from here")
