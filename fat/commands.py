"""`stellwerk fat …`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from fat.degg.commands import run_commands, station_commands, visibility
from fat.errors import UsageError
from scheduler.plan_command import BeginOption, CheckOption, PictureOption

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)

JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]
EndpointsOption = Annotated[
    Path | None, typer.Option(help="Use a bench that is up, by its endpoints file, instead of starting one.")
]
ScheduleOption = Annotated[
    str | None,
    typer.Option(
        metavar="SCHEDULE",
        help="The tasks, instead of the bench file's plan: a .toml or .ini file, or module:function.",
    ),
]
RunArgument = Annotated[
    str | None, typer.Argument(help="Run folder or number. Default: the newest run.", show_default=False)
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="The bench's data folder; needed when RUN is a number of an older bench."),
]


ForceOption = Annotated[
    bool, typer.Option("--force", help="A master run: although the source has uncommitted changes.")
]


@app.callback()
def fat() -> None:
    """Acceptance runs: plan, run, resume, report."""


@app.command()
def plan(
    bench: Annotated[Path, typer.Argument(metavar="BENCH.toml")],
    schedule: ScheduleOption = None,
    check: CheckOption = False,
    picture: PictureOption = None,
    begin: BeginOption = None,
    json_output: JsonOption = False,
) -> None:
    """Show the tasks that an acceptance run would do, in their time, without doing them.

    Lengths that the plan does not tell are taken from earlier runs of the bench.

    Examples:

      stellwerk fat plan configs/demo.toml

      stellwerk fat plan configs/demo.toml --check --picture plan.png

      stellwerk fat plan configs/demo.toml --schedule night.toml --check
    """
    from fat.acceptance.launch import planned
    from scheduler.plan_command import show

    built, data = planned(bench, schedule)
    show(built, check=check, picture=picture, begin=begin, data=data, json_output=json_output)


@app.command()
def run(
    bench: Annotated[Path, typer.Argument(metavar="BENCH.toml")],
    endpoints: EndpointsOption = None,
    schedule: ScheduleOption = None,
    recover: Annotated[
        bool, typer.Option("--recover", help="Go on with the bench's newest run, as `resume` does.")
    ] = False,
    force: ForceOption = False,
    json_output: JsonOption = False,
) -> None:
    """Carry out an acceptance run. Ctrl-C stops it (exit 75); `stellwerk fat resume` goes on.

    Examples:

      stellwerk fat run configs/demo.toml

      stellwerk fat run configs/demo.toml --endpoints runs/demo/endpoints.json

      stellwerk fat run configs/demo.toml --schedule night.toml

      stellwerk fat run configs/demo.toml --recover
    """
    from fat.acceptance import launch

    if recover:
        if schedule is not None:
            raise UsageError("a run that is recovered has its schedule; leave --schedule out")
        newest = launch.newest_run(bench)
        code = launch.resume(newest, endpoints=endpoints, json_output=json_output, force=force)
    elif force:
        raise UsageError("--force belongs to --recover: a new run of a bench is not refused")
    else:
        code = launch.run_new(bench, endpoints=endpoints, schedule=schedule, json_output=json_output)
    raise typer.Exit(code)


@app.command()
def resume(
    run: RunArgument = None,
    data: DataOption = None,
    endpoints: EndpointsOption = None,
    force: ForceOption = False,
    json_output: JsonOption = False,
) -> None:
    """Go on with a run that was stopped, killed, or ended in an error of the bench.

    Examples:

      stellwerk fat resume

      stellwerk fat resume 12 --data runs/demo
    """
    from fat.acceptance import launch
    from scheduler.runs import find_run

    found = find_run(run, data)
    raise typer.Exit(launch.resume(found, endpoints=endpoints, json_output=json_output, force=force))


@app.command()
def report(run: RunArgument = None, data: DataOption = None, json_output: JsonOption = False) -> None:
    """Write the report of a run anew from its records, also of one that was ended while it wrote its report.

    Example: stellwerk fat report 12 --data runs/demo
    """
    from fat.acceptance.finish import finish
    from scheduler.runs import find_run

    path = finish(find_run(run, data), quiet=json_output)
    typer.echo(json.dumps({"report": str(path)}) if json_output else str(path))


station_commands.register(app)
run_commands.register(app)
visibility.register(app)
