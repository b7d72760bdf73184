"""What the commands below `stellwerk sched` share: how a run is named, and how trouble is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

RunArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[RUN]",
        help="A run folder, or a number with --data. Default: the newest run.",
        show_default=False,
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The bench's data folder. Default: follow runs/latest."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON for programs.")]


@contextmanager
def refusals(json_output: bool = False) -> Iterator[None]:
    """Tell the scheduler's errors in one sentence."""
    from scheduler.errors import SchedulerError

    try:
        yield
    except SchedulerError as error:
        if json_output:
            typer.echo(json.dumps({"error": str(error)}))
        typer.echo(str(error), err=True)
        raise typer.Exit(error.exit_code) from None
