"""The way back: a run from an archive onto a disk that has nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scheduler.backup.archive import file_sha256, newest_first, unpack
from scheduler.backup.destination import Destination
from scheduler.backup.verifying import agrees
from scheduler.errors import BackupFailed, JournalError, RunExists, RunNotFound
from scheduler.journal.copying import import_lines
from scheduler.journal.lines import LINES_NAME
from scheduler.runs import NUMBER, open_run, unborn_run
from scheduler.state import RunState


@dataclass(frozen=True, slots=True)
class Restored:
    """A run that was restored."""

    run_dir: Path
    file: str
    """The archive, below the destination."""
    files: int
    state: RunState
    """As its journal tells it."""


def restore(
    destination: Destination,
    run: str | None,
    root: Path,
    *,
    archive: str | None = None,
    beside: bool = False,
    passed_over: Callable[[str, str], None],
) -> Restored:
    """Put a run back below *root*, under its own number, or *beside* what is there under the next free one.

    run          its number; None for the newest that the destination has
    archive      the name of one; None for the newest that is whole
    passed_over  told of each newer archive that is not whole: its name, and why

    Every hash is compared and the journal is read before the run gets its name. Raises BackupFailed, RunExists.
    """
    number = run or _newest_run(destination)
    if not beside and (root / number).exists():
        raise RunExists(root / number)
    names = newest_first(destination.entries(number))
    if archive is not None:
        names = [name for name in names if name == archive]
    if not names:
        what = f"no backup of run {number}" if archive is None else f"no {number}/{archive}"
        raise BackupFailed(
            destination.address, f"there is {what}; `sched backup list --from` tells what there is"
        )
    for name in names:
        try:
            return _restore_one(destination, f"{number}/{name}", root, None if beside else number)
        except BackupFailed as error:
            if name == names[-1]:
                raise
            passed_over(name, error.reason)
    raise AssertionError("the last archive was restored or raised")


def _newest_run(destination: Destination) -> str:
    runs = [name for name in destination.entries("") if NUMBER.fullmatch(name)]
    if not runs:
        raise BackupFailed(destination.address, "there is no backup of any run")
    return max(runs)


def _restore_one(destination: Destination, file: str, root: Path, name: str | None) -> Restored:
    with tempfile.TemporaryDirectory(prefix="stellwerk-restore-") as work:
        fetched = Path(work) / "records.tar.gz"
        destination.fetch(file, fetched)
        if not agrees(file, file_sha256(fetched)):
            raise BackupFailed(destination.address, f"{file}: its bytes are not those that were written")
        with unborn_run(root, name) as (unborn, run_dir):
            try:
                count = unpack(fetched, unborn)
                if (unborn / LINES_NAME).is_file():  # an older Stellwerk made the backup
                    import_lines(unborn)
                state = open_run(unborn)
            except BackupFailed as error:
                raise BackupFailed(destination.address, f"{file}: {error.reason}") from error
            except (RunNotFound, JournalError) as error:
                raise BackupFailed(
                    destination.address, f"{file}: its journal is damaged or absent"
                ) from error
            if state.plan is None:
                raise BackupFailed(destination.address, f"{file}: its journal does not begin")
    return Restored(run_dir, file, count, state)
