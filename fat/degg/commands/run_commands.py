"""Commands of a run of optical modules, for the command line: configs, create-ini, master, screen, complete."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from fat.degg.commands import logbook

EndpointsOption = Annotated[
    Path, typer.Option("--endpoints", metavar="PATH", help="Addresses, as `stellwerk up` writes them.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG_INI")]
RunFileArgument = Annotated[Path, typer.Argument(metavar="RUN_JSON")]
ForceOption = Annotated[bool, typer.Option("--force", help="Although the source has uncommitted changes.")]


def register(app: typer.Typer) -> None:
    """Offer the commands."""
    app.command()(configs)
    app.command("create-ini")(create_ini)
    app.command()(master)
    app.command(context_settings={"ignore_unknown_options": True})(screen)
    app.command()(complete)
    app.add_typer(logbook.app, name="logbook")


def configs(
    open_ports: Annotated[
        Path, typer.Argument(metavar="OPEN_PORTS_JSON", help="From `stellwerk fat setup`.")
    ],
    endpoints: EndpointsOption,
    catalogue: Annotated[Path, typer.Option(help="Papers of the modules: TOML or JSON, [[module]].")],
    run_dir: Annotated[Path | None, typer.Option(help="RUN_DIR. Default: `json` in the data folder.")] = None,
    comment: Annotated[str | None, typer.Option(help="Instead of being asked for one.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: go on without ports that failed.")] = False,
    fpga_version: Annotated[int, typer.Option(help="What all modules must have.")] = 0x110,
    json_output: JsonOption = False,
) -> None:
    """Make a new run: ask each module who it is, write its file, and the run's.

    Example:

      stellwerk fat configs open_ports.json --endpoints runs/lab/endpoints.json \\
        --catalogue runs/lab/lab/modules.toml
    """
    from fat.degg.commands.asking import at_terminal
    from fat.degg.new_run import new_run
    from fat.degg.station.endpoints import data_folder, read_endpoints

    addresses = read_endpoints(endpoints)
    place = run_dir or data_folder(addresses) / "json"
    answers = at_terminal(yes=yes, comment=comment)
    run = new_run(open_ports, addresses, catalogue, place, answers, fpga_version=fpga_version)
    if run is None:
        typer.echo("No run was made.", err=True)
        raise typer.Exit(1)
    devices = {device.serial: str(device.path) for device in run.devices()}
    if json_output:
        typer.echo(json.dumps({"run": run.number, "run_file": str(run.path), "devices": devices}))
        return
    typer.echo(f"Run {run.number:05d}: {run.path}")
    typer.echo("For the logbook:")
    for device in run.devices():
        typer.echo(f"   {device.port}  {device.serial}")


def create_ini(
    run_json: RunFileArgument,
    config_ini: ConfigArgument,
    no_hv: Annotated[
        bool, typer.Option("--no-hv", "--no_hv", help="Without scans of the high voltage.")
    ] = False,
    short: Annotated[bool, typer.Option("--short", help="Every kind of task once.")] = False,
    fewer_events: Annotated[
        bool, typer.Option("--fewer-events", help="Where simulated modules take long and tell little more.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Tell people of the launch.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite")] = False,
) -> None:
    """Write the schedule of a run: 1114 tasks, 1086 without scans of the high voltage.

    Example: stellwerk fat create-ini runs/lab/json/run/run_00012.json fat_12.ini -v
    """
    from fat.degg.commands.create_ini import create_ini as write

    count = write(
        run_json,
        config_ini,
        no_hv=no_hv,
        short=short,
        fewer_events=fewer_events,
        verbose=verbose,
        overwrite=overwrite,
    )
    typer.echo(f"{config_ini}: {count} tasks")


def master(
    config_ini: ConfigArgument,
    endpoints: EndpointsOption,
    recover: Annotated[bool, typer.Option("--recover", help="Go on where the run stopped.")] = False,
    test: Annotated[
        bool, typer.Option("--test", help="Build and report the schedule, take no data.")
    ] = False,
    force: ForceOption = False,
    bench: Annotated[
        Path | None,
        typer.Option(metavar="BENCH.toml", help="Whose [scheduler] table: backups, Slack, e-mail."),
    ] = None,
    screen: Annotated[
        bool, typer.Option("--screen", help="In a screen session `master` with a log file.")
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Carry the acceptance test of a run out. Ctrl-C asks for a reason and stops it; --recover goes on.

    Example: stellwerk fat master fat_12.ini --endpoints runs/lab/endpoints.json --screen
    """
    from fat.bench.file import load
    from fat.degg.master import flow
    from fat.degg.station.endpoints import read_endpoints
    from scheduler import SchedulerTable

    settings = SchedulerTable() if bench is None else load(bench).scheduler
    wanted = flow.Wanted(
        config_ini, read_endpoints(endpoints), endpoints, recover, test, force, settings, json_output, bench
    )
    if screen:
        _in_screen(flow.admitted(wanted)[1].number)
        return
    raise typer.Exit(flow.master(wanted, lambda line: typer.echo(line, err=json_output)))


def _in_screen(run: int) -> None:
    """Start this very command again inside a session."""
    from fat.degg.commands import screen as sessions

    log = Path(sessions.log_name("master", run))
    command = [sys.executable, "-m", "fat", *(word for word in sys.argv[1:] if word != "--screen")]
    sessions.start("master", log, command)
    typer.echo(f"screen session master, log {log}; attach with `screen -r master`, leave it with Ctrl-A d")
    sessions.attach("master", log)


def screen(
    name: Annotated[str, typer.Argument(help="setup or master.")],
    command: Annotated[list[str] | None, typer.Argument(help="What runs in it. Default: a shell.")] = None,
    run: Annotated[int | None, typer.Option(help="Run number, for the name of the log file.")] = None,
) -> None:
    """Start a screen session that outlives this terminal, with its log file.

    Examples:

      stellwerk fat screen setup

      stellwerk fat screen master --run 12
    """
    from fat.degg.commands import screen as sessions
    from fat.errors import UsageError

    if name not in sessions.NAMES:
        raise UsageError(f"a session is called {' or '.join(sessions.NAMES)}, not {name!r}")
    log = Path(sessions.log_name(name, run))
    sessions.start(name, log, command or [])
    typer.echo(
        f"screen session {name} with {sessions.shown(command or [])}, log {log}; attach: screen -r {name}"
    )
    sessions.attach(name, log)


def complete(run_json: RunFileArgument, json_output: JsonOption = False) -> None:
    """Whether a finished run has all its measurements, with their folders. Exit code 1 when something is missing.

    Example: stellwerk fat complete runs/lab/json/run/run_00012.json
    """
    from fat.degg.records.completeness import Found, completeness
    from fat.degg.records.run_file import RunFile

    found = completeness(RunFile.open(run_json))
    missing = [line for line in found.lines if line.found is not Found.PASS and not line.ignored]
    totals = {
        "good": found.good,
        "missing_results": found.missing_results,
        "missing_measurements": found.missing_measurements,
    }
    if json_output:
        lines = [[line.device, line.part, line.name, str(line.found), line.ignored] for line in found.lines]
        typer.echo(json.dumps({**totals, "lines": lines}))
    else:
        for line in missing:
            typer.echo(f"{line.found:<14}{line.device}  {line.part or 'cameras':<10}{line.name}")
        typer.echo(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in totals.items()))
    raise typer.Exit(1 if missing else 0)
