"""`stellwerk fat resume` of a master run: the same as `stellwerk fat master --recover`, by the engine's run folder."""

from __future__ import annotations

import json
from pathlib import Path

import typer

from fat.acceptance.finish import finish_if_missed
from fat.bench.file import load
from fat.degg.master.flow import Wanted, go_on
from fat.degg.master.mirror import put_back
from fat.degg.records.run_file import RunFile
from fat.degg.station.endpoints import read_endpoints
from fat.provenance import demand_committed
from scheduler import Plan, SchedulerTable, open_run, resumable


def resume_run(run_dir: Path, plan: Plan, endpoints: Path | None, *, json_output: bool, force: bool) -> int:
    """Go on with a master run. Returns the exit code; 0 when nothing is left.

    endpoints  by default the file that it was launched with
    force      although the source has changes that are not committed

    Raises UsageError, BenchError when modules of the run are not ready.
    """
    if not resumable(run_dir):
        finish_if_missed(run_dir)
        text = f"run {run_dir.name} has ended; nothing is left to do"
        typer.echo(json.dumps({"run": run_dir.name, "nothing_left": True}) if json_output else text)
        return 0
    demand_committed(force)
    path = endpoints or Path(str(plan.parameters["endpoints_file"]))
    config = Path(str(plan.parameters["config"]))
    wanted = Wanted(
        config,
        read_endpoints(path),
        path,
        recover=True,
        force=force,
        settings=settings_of(plan),
        json_output=json_output,
    )
    run_file = Path(str(plan.parameters["run_file"]))
    put_back(run_file, run_dir)
    run = RunFile.open(run_file)
    return go_on(wanted, run, run_dir, open_run(run_dir), typer.echo)


def settings_of(plan: Plan) -> SchedulerTable:
    """Where backups and messages go: as the bench file of the launch says. Raises BenchFileRejected."""
    told = plan.parameters.get("bench_file")
    return SchedulerTable() if told is None else load(Path(str(told))).scheduler
