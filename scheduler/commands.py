"""`stellwerk sched`: look at acceptance runs, steer them, take their records out. Imports are inside the commands."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.backup_command import app as backup
from scheduler.plan_command import plan
from scheduler.telling import DataOption, JsonOption, RunArgument, refusals

if TYPE_CHECKING:
    from scheduler.requests import RequestKind

EXIT_USAGE = 2

app = typer.Typer(no_args_is_help=True, help="Look at acceptance runs, and steer the one that is running.")
app.command()(plan)
app.add_typer(backup, name="backup")

ReasonOption = Annotated[str, typer.Option(help="Why; stands in the record.")]


class Form(StrEnum):
    """How a record is written."""

    JSON = "json"
    CSV = "csv"
    JSONL = "jsonl"


class Word(StrEnum):
    """An answer."""

    YES = "yes"
    NO = "no"


@app.command()
def status(
    run: RunArgument = None,
    data: DataOption = None,
    latest: Annotated[bool, typer.Option("--latest", help="The newest run; the default.")] = False,
    json_output: JsonOption = False,
) -> None:
    """Show where a run stands.

    Examples:

      stellwerk sched status

      stellwerk sched status 12 --data runs/demo --json
    """
    from scheduler.journal import being_written
    from scheduler.live import read_live
    from scheduler.records import as_record
    from scheduler.runs import find_run, open_run
    from scheduler.screen import headline, mark
    from scheduler.state import resumable

    with refusals(json_output):
        run_dir = find_run(None if latest else run, data)
        state = open_run(run_dir)
    alive = being_written(run_dir)
    live = read_live(run_dir) if alive else None
    if json_output:
        told = {"running": alive, "resumable": resumable(state) and not alive, "folder": str(run_dir)}
        told["progress"] = None if live is None else live.fraction
        typer.echo(json.dumps(as_record(state) | told, indent=2))
        return
    typer.echo(headline(state, alive=alive))
    for task in state.tasks.values():
        shape, word, _ = mark(task)
        said = task.error or task.reason
        typer.echo(f"  {shape} {task.task.id:<20} {word:<8} {said}".rstrip())
    for question in state.questions.values() if alive else ():
        again = "said no once; " if question.denied else ""
        typer.echo(f"  ? {question.task} asks: {question.text} ({again}stellwerk sched answer yes|no)")
    if live is not None and live.fraction is not None:
        typer.echo(f"  {live.task}: {live.fraction:.0%} {live.text}".rstrip())


@app.command()
def watch(run: RunArgument = None, data: DataOption = None, json_output: JsonOption = False) -> None:
    """Watch a run until nobody carries it out any more. Ctrl-C ends the watching only.

    On a terminal this is a live screen; piped, a line for each event (--json: the journal's records).

    Examples:

      stellwerk sched watch

      stellwerk sched watch runs/demo/fat/00012 | tee fat.txt
    """
    from scheduler.runs import find_run

    with refusals(json_output):
        run_dir = find_run(run, data)
        try:
            if sys.stdout.isatty() and not json_output:
                _watch_screen(run_dir)
            else:
                _watch_lines(run_dir, json_output)
        except KeyboardInterrupt:
            raise typer.Exit(0) from None


def _watch_screen(run_dir: Path) -> None:
    import time

    from rich.console import Console
    from rich.live import Live

    from scheduler.follow import follow
    from scheduler.screen import screen

    console = Console()
    with Live(console=console, auto_refresh=False) as display:
        for look in follow(run_dir):
            picture = screen(
                look.state, look.live, alive=look.alive, now_s=time.time(), height=console.size.height
            )
            display.update(picture, refresh=True)


def _watch_lines(run_dir: Path, json_output: bool) -> None:
    from dataclasses import asdict

    from scheduler.follow import follow
    from scheduler.screen import headline, line

    for look in follow(run_dir):
        for record, state in look.news:
            told = json.dumps(asdict(record)) if json_output else line(record, state)
            if told is not None:
                typer.echo(told)
    if not json_output:
        typer.echo(headline(look.state, alive=False))


@app.command()
def export(
    run: RunArgument = None,
    data: DataOption = None,
    form: Annotated[
        Form,
        typer.Option("--form", help="JSON is the whole record, CSV a row for each task, JSONL the journal."),
    ] = (Form.JSON),
    output: Annotated[Path | None, typer.Option(help="Write there instead of to the terminal.")] = None,
) -> None:
    """Write the record of a run: what its journal tells.

    Examples:

      stellwerk sched export 12 --data runs/demo --output run12.json

      stellwerk sched export --form csv
    """
    from scheduler.folding import fold
    from scheduler.journal import read_journal
    from scheduler.journal.lines import write_lines
    from scheduler.records import as_csv, as_record
    from scheduler.runs import find_run

    with refusals():
        records = read_journal(find_run(run, data))
    if form is Form.JSONL:
        text = write_lines(records)
    else:
        body = as_record(fold(records))
        text = as_csv(body) if form is Form.CSV else json.dumps(body, indent=2) + "\n"
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        typer.echo(f"{output} cannot be written: {error.strerror}", err=True)
        raise typer.Exit(EXIT_USAGE) from None


@app.command("import")
def import_(run: RunArgument = None, data: DataOption = None, json_output: JsonOption = False) -> None:
    """Take over the journal that an older Stellwerk wrote (journal.jsonl), once. The old file stays beside the new one.

    With --data and no run: those of all runs in it.

    Examples:

      stellwerk sched import 12 --data runs/demo

      stellwerk sched import --data runs/demo
    """
    from scheduler.journal.copying import import_lines, is_outdated
    from scheduler.runs import find_run, list_runs

    with refusals(json_output):
        if run is None and data is not None:
            outdated = [found for found in list_runs(data / "fat") if is_outdated(found)]
        else:
            outdated = [find_run(run, data)]
        for run_dir in outdated:
            count = import_lines(run_dir)
            body = {"folder": str(run_dir), "records": count}
            typer.echo(json.dumps(body) if json_output else f"{run_dir}: {count} records taken over")


@app.command()
def pause(run: RunArgument = None, data: DataOption = None, reason: ReasonOption = "") -> None:
    """Let a run wait once its present task has ended.

    Example: stellwerk sched pause
    """
    _ask(run, data, "pause", reason)


@app.command("continue")
def continue_(run: RunArgument = None, data: DataOption = None, reason: ReasonOption = "") -> None:
    """Let a paused run go on.

    Example: stellwerk sched continue
    """
    _ask(run, data, "continue", reason)


@app.command()
def abort(
    run: RunArgument = None,
    data: DataOption = None,
    reason: Annotated[str, typer.Option(help="Why; needed, and stands in the record.")] = "",
) -> None:
    """Stop a run now; tasks that clean up still run. It can be resumed later.

    Example: stellwerk sched abort --reason "cooling water is off"
    """
    _ask(run, data, "abort", reason)


@app.command()
def answer(
    answer: Annotated[Word, typer.Argument(metavar="yes|no")],
    run: RunArgument = None,
    data: DataOption = None,
    reason: Annotated[str, typer.Option(help="A comment; for a second no, why the run is to end.")] = "",
    task: Annotated[str, typer.Option(metavar="TASK", help="Whose question, when several tasks ask.")] = "",
) -> None:
    """Answer what a task asks. A no is asked again; a second no, with its reason, ends the run.

    Examples:

      stellwerk sched answer yes

      stellwerk sched answer no 12 --data runs/demo --reason "the gain is off"
    """
    from scheduler import question
    from scheduler.requests import Request, login, submit
    from scheduler.runs import find_run, open_run

    with refusals():
        run_dir = find_run(run, data)
        asked = open_run(run_dir).questions
        wish = Request("answer", login(), reason, task, answer=str(answer))
        why = question.refusal(asked, wish)
        meant = question.meant(asked, wish)
        if why is not None or isinstance(meant, str):
            typer.echo(why, err=True)
            raise typer.Exit(EXIT_USAGE)
        submit(run_dir, "answer", reason=reason, task=meant.task, answer=str(answer), question=str(meant.seq))
    typer.echo(f"said {answer} to {meant.task}: {meant.text}")
    if answer is Word.NO and not meant.denied:
        typer.echo("it is asked again now; a second no, with --reason, ends the run")


TaskArgument = Annotated[str, typer.Argument(metavar="TASK", help="A task that has not run.")]


@app.command()
def skip(
    task: TaskArgument,
    reason: Annotated[str, typer.Option(help="Why; stands in the record.")],
    run: RunArgument = None,
    data: DataOption = None,
) -> None:
    """Leave a task out that has not run. Refused where a later task needs what it leaves.

    Example: stellwerk sched skip dcu --reason "the control unit is being repaired"
    """
    _ask(run, data, "skip", reason, task=task)


@app.command()
def move(
    task: TaskArgument,
    before: Annotated[
        str | None, typer.Option(metavar="TASK", help="Run it before this one. Default: last.")
    ] = None,
    run: RunArgument = None,
    data: DataOption = None,
    reason: ReasonOption = "",
) -> None:
    """Run a task that has not run at another place. Refused where a condition forbids the order.

    Example: stellwerk sched move dcu --before light
    """
    _ask(run, data, "move", reason, task=task, before=before or "")


def _ask(
    run: str | None, data: Path | None, kind: RequestKind, reason: str, *, task: str = "", before: str = ""
) -> None:
    from scheduler import wishes
    from scheduler.requests import Request, submit
    from scheduler.runs import find_run, open_run

    with refusals():
        run_dir = find_run(run, data)
        if task:
            why = wishes.refusal(open_run(run_dir), Request(kind, "", reason, task, before))
            if why is not None:
                typer.echo(why, err=True)
                raise typer.Exit(EXIT_USAGE)
        submit(run_dir, kind, reason=reason, task=task, before=before)
    typer.echo(f"asked run {run_dir.name} to {kind} {task}".rstrip())
