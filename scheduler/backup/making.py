"""Making a backup, and removing old ones. An archive counts when the destination gives back what was packed."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from scheduler.backup.archive import archive_name
from scheduler.backup.aside import Aside
from scheduler.backup.destination import open_destination
from scheduler.backup.packing import Packer
from scheduler.backup.seen import Archive
from scheduler.errors import BackupFailed


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
    return begin_backup(packer, to, seq=seq, label=label).result()


def begin_backup(
    packer: Packer,
    to: str,
    *,
    seq: int,
    label: str,
    ring: Callable[[], None] = lambda: None,
    was_read: Callable[[], None] = lambda: None,
) -> Aside[Backup]:
    """The same, beside the caller. All records up to *seq* are in it, and none that is written meanwhile.

    was_read  called from the thread when all that goes into it was read; not if that failed
    """

    def make() -> Backup:
        with tempfile.TemporaryDirectory(prefix="stellwerk-backup-") as work:
            packed = packer.pack(Path(work) / "records.tar.gz", seq, was_read)
            name = f"{packer.run}/{archive_name(seq, label, packed.sha256)}"
            destination = open_destination(to)
            destination.put(packed.path, name)
            if destination.sha256(name) != packed.sha256:
                with contextlib.suppress(BackupFailed):
                    destination.remove(name)
                raise BackupFailed(to, f"{name} does not read back as it was written")
        return Backup(to, name, packed.sha256, len(packed.digests))

    return Aside(to, make, ring)


class Removal:
    """Removing archives at a destination, beside the caller."""

    def __init__(self, archives: Sequence[Archive], to: str, ring: Callable[[], None] = lambda: None) -> None:
        self._gone: list[str] = []
        self._archives, self._to = archives, to
        self._aside = Aside(to, self._remove, ring)

    @property
    def over(self) -> bool:
        """Whether it has ended, or the time is up."""
        return self._aside.over

    def result(self) -> tuple[list[str], str]:
        """The files that are gone, and what kept the others ("" for nothing)."""
        try:
            self._aside.result()
        except BackupFailed as error:
            return list(self._gone), str(error)
        return list(self._gone), ""

    def _remove(self) -> None:
        destination = open_destination(self._to)
        for archive in self._archives:
            destination.remove(archive.file)
            self._gone.append(archive.file)
