"""`stellwerk fat check-laser-visibility`: whether each photomultiplier of a run sees the laser."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fat.degg.commands.station_commands import EndpointsOption

if TYPE_CHECKING:
    from fat.degg.tasks.visibility import Seen
    from scheduler import TaskContext
    from scheduler.task import TaskClock

NAME = "check-laser-visibility"


def register(app: typer.Typer) -> None:
    """Offer the command."""
    app.command(NAME)(check_laser_visibility)


def check_laser_visibility(
    run_json: Annotated[Path, typer.Argument(metavar="RUN_JSON")],
    comment: Annotated[str, typer.Argument(metavar="COMMENT", help="For the papers.")],
    endpoints: EndpointsOption = None,
    jobs: Annotated[int, typer.Option("-j", "--jobs", min=1, help="Wire pairs that work at a time.")] = 4,
    force: Annotated[
        bool, typer.Option("--force", help="Although the source has uncommitted changes.")
    ] = False,
    events: Annotated[int, typer.Option(min=100, help="Records of each photomultiplier.")] = 3000,
    json_output: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """See whether each photomultiplier sees the laser: a dead fibre is named. Exit code 1 when one does not.

    High voltage goes on, the laser flashes at 100 Hz behind filter 0.25, and is off afterwards. What was seen goes
    into the run's papers, `LaserVisibilityMeasurement_NN`.

    Example:

      stellwerk fat check-laser-visibility runs/lab/json/run/run_00012.json "before run 12" -j4 \\
        --endpoints runs/lab/endpoints.json
    """
    from fat.degg.commands.place import endpoints_path
    from fat.degg.station.endpoints import read_endpoints
    from fat.degg.tasks.visibility import measure_visibility
    from fat.provenance import demand_committed

    demand_committed(force)
    with _context(run_json, read_endpoints(endpoints_path(endpoints))) as context:
        found = measure_visibility(context, comment, jobs, events)
    _show(found, json_output)
    raise typer.Exit(0 if all(one.seen.sees_laser for one in found) else 1)


def _show(found: Sequence[Seen], json_output: bool) -> None:
    if json_output:
        typer.echo(json.dumps({"photomultipliers": [_as_json(one) for one in found]}))
        return
    typer.echo("  sees laser   spacing   pulses seen   threshold   photomultiplier")
    for one in found:
        spacing = f"{one.seen.spacing_s * 1e3:.2f} ms" if isfinite(one.seen.spacing_s) else "nothing"
        word = "yes" if one.seen.sees_laser else "NO"
        line = f"  {word:<10} {spacing:>9} {one.seen.efficiency:>13.1%} {one.threshold:>11}   {one.pmt.name}"
        typer.echo(line)
    blind = [one.pmt.name for one in found if not one.seen.sees_laser]
    typer.echo(f"{len(found) - len(blind)} of {len(found)} photomultipliers see the laser.")
    if blind:
        typer.echo(f"Check the fibre of {', '.join(blind)}.")


def _as_json(one: Seen) -> dict[str, Any]:
    spacing = one.seen.spacing_s
    return {
        "device": one.pmt.device.serial,
        "part": one.pmt.part,
        "pmt": one.pmt.entry.serial,
        "sees_laser": one.seen.sees_laser,
        "spacing_s": spacing if isfinite(spacing) else None,
        "efficiency": one.seen.efficiency,
        "threshold": one.threshold,
    }


@contextmanager
def _context(run_json: Path, endpoints: dict[str, Any]) -> Iterator[TaskContext]:
    """What a measurement needs to be carried out by hand."""
    from fat.bench.client import ClockClient
    from scheduler import TaskContext, WallClock

    def made(clock: TaskClock, folder: Path) -> TaskContext:
        parameters = {"run_file": str(run_json)}
        return TaskContext(
            folder, NAME, NAME, 1, {}, parameters, {}, {"endpoints": endpoints}, clock, _Terminal()
        )

    with tempfile.TemporaryDirectory() as folder:
        if "clock" not in endpoints:
            yield made(WallClock(), Path(folder))
            return
        with ClockClient(str(endpoints["clock"]), NAME) as clock:
            yield made(clock, Path(folder))


class _Terminal:
    """Where a measurement's words go: what must be known to the terminal, the rest nowhere."""

    def progress(self, done: float, total: float, text: str) -> None:
        """Not shown."""

    def note(self, text: str) -> None:
        """Not shown: a warning tells the same."""

    def notify(self, notice: Any) -> None:
        """Shown."""
        typer.echo(notice.text, err=True)

    def ask(self, text: str, severity: Any) -> Any:  # noqa: ARG002  # as the others have it
        """Nothing asks here."""
        raise RuntimeError(f"nobody can be asked: {text}")

    def keep(self, value: Any) -> None:
        """Nothing is kept."""
