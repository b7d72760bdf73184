"""`stellwerk sched backup`: make, look at, verify and restore backups by hand. Imports are inside the commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from scheduler.telling import DataOption, JsonOption, RunArgument, refusals

if TYPE_CHECKING:
    from scheduler.backup.destination import Destination
    from scheduler.backup.restoring import Restored
    from scheduler.state import RunState

EXIT_BAD = 3


class _MakeByDefault(TyperGroup):
    """`sched backup RUN` makes one: it did so before there was anything else to do with backups."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--help" not in args[:1] and not (args and args[0] in self.commands):
            args = ["make", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_MakeByDefault,
    help="Make backups of a run's records, list them, verify them, and restore a run.\n\n"
    "Example: stellwerk sched backup make",
)
ToOption = Annotated[
    list[str] | None,
    typer.Option(
        "--to",
        metavar="DESTINATION",
        help="A folder, ssh://user@host/path, user@host:path, or a URL such as s3://bucket/path. Can be repeated. "
        "Default: where the run's own backups go.",
        show_default=False,
    ),
]
FromOption = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="DESTINATION",
        help="Look there. Can be repeated. Default: where the run's own backups are.",
        show_default=False,
    ),
]


@app.command()
def make(
    run: RunArgument = None, data: DataOption = None, to: ToOption = None, json_output: JsonOption = False
) -> None:
    """Back the records of a run up now, and read the backup back. The journal does not tell of it; the output does.

    Examples:

      stellwerk sched backup make

      stellwerk sched backup 12 --data runs/demo --to /mnt/storage/fat --to ssh://fat@storage/srv/fat
    """
    from dataclasses import asdict

    from scheduler.backup.making import addresses, make_backup
    from scheduler.backup.packing import Packer
    from scheduler.config import SchedulerTable
    from scheduler.errors import BackupFailed
    from scheduler.runs import find_run, open_run

    with refusals(json_output):
        run_dir = find_run(run, data)
        state = open_run(run_dir)
        destinations = addresses(to or state.backup_to, run_dir)
    failed = False
    for address in destinations:
        try:
            with Packer(run_dir, SchedulerTable().backup_include) as packer:
                made = make_backup(packer, address, seq=state.seq, label="by-hand")
        except BackupFailed as error:
            failed = True
            _tell(json_output, {"to": address, "error": error.reason})
            typer.echo(str(error), err=True)
            continue
        told = f"{made.to}: {made.file}, {made.files} files, read back and compared"
        _tell(json_output, asdict(made), told)
    if failed:
        raise typer.Exit(EXIT_BAD)


@app.command("list")
def list_(
    run: RunArgument = None,
    data: DataOption = None,
    from_: FromOption = None,
    json_output: JsonOption = False,
) -> None:
    """List the archives of a run, newest first. With --from and no run folder: what lies there, of a run or of all.

    Examples:

      stellwerk sched backup list 12 --data runs/demo

      stellwerk sched backup list --from ssh://fat@storage/srv/fat
    """
    from scheduler.backup.archive import newest_first

    with refusals(json_output):
        destinations, numbers, _ = _looked_at(run, data, from_)
        for destination in destinations:
            for number in numbers or _runs_at(destination):
                for name in newest_first(destination.entries(number)):
                    body = {"to": destination.address, "file": f"{number}/{name}"}
                    _tell(json_output, body, f"{destination.address}: {number}/{name}")


@app.command()
def verify(
    run: RunArgument = None,
    data: DataOption = None,
    from_: FromOption = None,
    json_output: JsonOption = False,
) -> None:
    """Read the archives of a run and compare them with the hashes in its journal.

    Exit 3 if one is missing or damaged, or if a task that should be in one is in none.

    Examples:

      stellwerk sched backup verify

      stellwerk sched backup verify 12 --data runs/demo --from s3://bench-backups/fat
    """
    from dataclasses import asdict

    from scheduler.backup import verifying
    from scheduler.errors import BackupFailed

    bad, read = 0, 0
    with refusals(json_output):
        destinations, numbers, state = _looked_at(run, data, from_)
        archives = () if state is None else state.archives
        for destination in destinations:
            try:
                for number in numbers or _runs_at(destination):
                    for found in verifying.verify(destination, number, archives):
                        read += 1
                        bad += found.finding is not verifying.Finding.GOOD
                        why = found.error or (
                            "" if found.recorded else "by its name; no journal here names it"
                        )
                        line = f"{found.to}: {found.file} {found.finding}{f' ({why})' if why else ''}"
                        _tell(json_output, asdict(found), line)
            except BackupFailed as error:
                bad += 1
                _tell(json_output, {"to": destination.address, "error": error.reason})
                typer.echo(str(error), err=True)
            for lacking in () if state is None else verifying.unsaved(state, destination.address):
                bad += 1
                line = (
                    f"{lacking.to}: no archive holds task {lacking.task} ({lacking.error or 'not made yet'})"
                )
                _tell(json_output, asdict(lacking), line)
    if not json_output:
        wrong = f"{bad} of them, their destinations, or tasks that none holds bad"
        typer.echo(f"{read} archives, {wrong if bad else 'all good'}")
    if bad:
        raise typer.Exit(EXIT_BAD)


@app.command()
def restore(
    source: Annotated[str, typer.Argument(metavar="DESTINATION", help="Where the backups are.")],
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="The bench's data folder; may be empty or absent.")
    ],
    run: Annotated[
        int | None,
        typer.Argument(metavar="[RUN]", help="Its number. Default: the newest there.", show_default=False),
    ] = None,
    archive: Annotated[
        str | None, typer.Option(metavar="NAME", help="That archive. Default: the newest that is whole.")
    ] = None,
    beside: Annotated[
        bool,
        typer.Option("--beside", help="If the run is there, put this one beside it, with the next number."),
    ] = False,
    json_output: JsonOption = False,
) -> None:
    """Put a run back from its backup, so that it can be resumed. Never writes over a run.

    The plan in it names the functions that resuming calls: restore from places that you trust.

    Examples:

      stellwerk sched backup restore /mnt/storage/fat 12 --data runs/demo

      stellwerk sched backup restore ssh://fat@storage/srv/fat --data runs/demo
    """
    from scheduler.backup.destination import open_destination
    from scheduler.backup.restoring import restore as put_back

    def passed_over(name: str, why: str) -> None:
        typer.echo(f"{name} is not whole, an older one is taken: {why}", err=True)

    with refusals(json_output):
        restored = put_back(
            open_destination(source),
            None if run is None else f"{run:05d}",
            data / "fat",
            archive=archive,
            beside=beside,
            passed_over=passed_over,
        )
    _tell_restored(restored, data, json_output)


def _tell_restored(restored: Restored, data: Path, json_output: bool) -> None:
    from scheduler.screen import headline
    from scheduler.state import resumable

    state, number = restored.state, restored.run_dir.name
    how = f"stellwerk fat resume {int(number)} --data {data}" if resumable(state) else ""
    body = {"folder": str(restored.run_dir), "file": restored.file, "files": restored.files, "resume": how}
    lines = [
        f"{restored.run_dir}: {restored.files} files from {restored.file}, every hash as it was written",
        headline(state, alive=False),
    ]
    if number != state.run:
        lines.append(f"its journal still says run {state.run}; its folder is {number}")
    lines.append(f"go on with: {how}" if how else "nothing is left to do in it")
    lines.append("detector data is in no backup: tasks that read files of earlier ones need those files")
    _tell(json_output, body, "\n".join(lines))


def _looked_at(
    run: str | None, data: Path | None, places: list[str] | None
) -> tuple[list[Destination], list[str], RunState | None]:
    """Destinations, numbers of runs (none: all that lie there), and the run's state where its folder is here."""
    from scheduler.backup.destination import open_destination
    from scheduler.backup.making import addresses
    from scheduler.errors import RunNotFound
    from scheduler.runs import find_run, open_run

    try:
        run_dir = find_run(run, data)
    except RunNotFound:
        if not places or (run is not None and not run.isdecimal()):
            raise
        numbers = [] if run is None else [f"{int(run):05d}"]
        return [open_destination(place) for place in places], numbers, None
    state = open_run(run_dir)
    told = [archive.to for archive in state.archives if archive.to]  # older journals do not tell
    named = places or addresses([*state.backup_to, *told], run_dir)
    return [open_destination(place) for place in named], [run_dir.name], state


def _runs_at(destination: Destination) -> list[str]:
    from scheduler.runs import NUMBER

    return [name for name in destination.entries("") if NUMBER.fullmatch(name)]


def _tell(json_output: bool, body: dict[str, Any], line: str = "") -> None:
    if json_output:
        typer.echo(json.dumps(body))
    elif line:
        typer.echo(line)
