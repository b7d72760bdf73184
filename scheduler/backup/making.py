"""Making a backup, and removing old ones. An archive counts when the destination gives back what was packed."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from scheduler.backup.archive import archive_name
from scheduler.backup.destination import LIMIT_S, open_destination
from scheduler.backup.packing import Packer
from scheduler.backup.seen import Archive
from scheduler.errors import BackupFailed

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Backup:
    """An archive that has been read back."""

    to: str
    """The destination's address."""
    file: str
    """Of the archive, below the destination."""
    sha256: str
    """Of the archive."""
    files: int


def default_backup_dir(run_dir: Path) -> Path:
    """`backup` beside the folder of the runs."""
    return run_dir.resolve().parent.parent / "backup"


def addresses(named: Sequence[str], run_dir: Path) -> tuple[str, ...]:
    """The addresses of the named destinations, each once; the default folder if none is named."""
    wanted = named or [str(default_backup_dir(run_dir))]
    return tuple(dict.fromkeys(open_destination(address).address for address in wanted))


def make_backup(packer: Packer, to: str, *, seq: int, label: str) -> Backup:
    """Pack the records of a run, copy them to `{to}/{run}/{seq}-{label}-{digest}.tar.gz`, and read them back there.

    Raises BackupFailed, after LIMIT_S at the latest. Then no such archive is there, or it must not be trusted;
    earlier ones are untouched, because no name is ever used twice. The packer is not to be used again after a failure:
    what was left behind may still be at it.
    """

    def make() -> Backup:
        with tempfile.TemporaryDirectory(prefix="stellwerk-backup-") as work:
            packed = packer.pack(Path(work) / "records.tar.gz")
            name = f"{packer.run}/{archive_name(seq, label, packed.sha256)}"
            destination = open_destination(to)
            destination.put(packed.path, name)
            if destination.sha256(name) != packed.sha256:
                with contextlib.suppress(BackupFailed):
                    destination.remove(name)
                raise BackupFailed(to, f"{name} does not read back as it was written")
        return Backup(to, name, packed.sha256, len(packed.digests))

    return _within(make, to)


def remove(archives: Sequence[Archive], to: str) -> tuple[list[str], str]:
    """Remove archives at a destination. Returns the files that are gone, and what kept the others ("" for nothing)."""
    gone: list[str] = []

    def go() -> None:
        destination = open_destination(to)
        for archive in archives:
            destination.remove(archive.file)
            gone.append(archive.file)

    try:
        _within(go, to)
    except BackupFailed as error:
        return list(gone), str(error)
    return gone, ""


def _within(work: Callable[[], Result], to: str) -> Result:
    """Do something that may never return, such as reading from a server that is gone; leave it behind then."""
    future: Future[Any] = Future()

    def worker() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            future.set_exception(error)

    # Not an executor: the interpreter would wait for its threads at exit.
    threading.Thread(target=worker, name="backup", daemon=True).start()
    try:
        result: Result = future.result(LIMIT_S)
    except TimeoutError:
        if future.done():
            raise  # that of the work itself
        raise BackupFailed(to, f"took longer than {LIMIT_S:.0f} s and was left behind") from None
    return result
