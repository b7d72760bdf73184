"""`stellwerk sched plan`: look at a schedule before anything runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from scheduler.schedule.schedule import Schedule

CheckOption = Annotated[
    bool,
    typer.Option("--check", help="Look every function up and check its arguments, and when it would end."),
]
PictureOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Draw it in its time: .png, .svg or .pdf.")
]
BeginOption = Annotated[
    datetime | None, typer.Option(help="When it would begin, local time. Default: now.", show_default=False)
]


def plan(
    source: Annotated[
        str, typer.Argument(metavar="SCHEDULE", help="A .toml or .ini file, or module:function.")
    ],
    check: CheckOption = False,
    picture: PictureOption = None,
    begin: BeginOption = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Take lengths that the plan does not tell from its runs."),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Write JSON for programs.")] = False,
) -> None:
    """Show a schedule in its time: a table, and a picture. Nothing is run.

    Examples:

      stellwerk sched plan night.toml --check

      stellwerk sched plan fat.ini --check --picture fat.png --begin "2026-12-01 08:00:00"
    """
    from scheduler.errors import SchedulerError
    from scheduler.schedule.reading import read_schedule

    try:
        show(
            read_schedule(source),
            check=check,
            picture=picture,
            begin=begin,
            data=data,
            json_output=json_output,
        )
    except SchedulerError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None


def show(
    schedule: Schedule,
    *,
    check: bool,
    picture: Path | None,
    begin: datetime | None,
    data: Path | None,
    json_output: bool,
) -> None:
    """Print a schedule as table or JSON, and draw it. Raises SchedulerError when a check finds mistakes."""
    from rich.console import Console

    from scheduler.runs import list_runs, open_run
    from scheduler.schedule.forecast import forecast, lengths
    from scheduler.schedule.gantt import draw_gantt
    from scheduler.schedule.reading import check_end, check_functions
    from scheduler.schedule.showing import as_json, summary, table

    runs = [] if data is None else [open_run(run) for run in list_runs(data / "fat")]
    expected = forecast(schedule.plan, lengths(runs))
    when = (begin or datetime.now(UTC)).astimezone()
    if check:
        check_functions(schedule)
        check_end(schedule, expected, when)
    if picture is not None:
        draw_gantt(expected, dict(schedule.plan.begins), when, schedule.plan.name, picture)
    if json_output:
        typer.echo(json.dumps(as_json(schedule, expected, when), indent=2))
        return
    Console(highlight=False).print(table(expected, when))
    typer.echo(summary(schedule, expected, when))
    if check:
        typer.echo("every function is there and takes its arguments; no order is forbidden")
    if picture is not None:
        typer.echo(f"drawn: {picture}")
