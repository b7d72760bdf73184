"""What lies at a destination, against what the journal of a run recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from scheduler.backup.archive import ARCHIVE_NAME, newest_first
from scheduler.backup.destination import Destination
from scheduler.backup.seen import Archive
from scheduler.errors import BackupFailed
from scheduler.state import RunState


class Finding(StrEnum):
    """What became of an archive."""

    GOOD = "good"
    MISSING = "missing"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True)
class Verified:
    """An archive that was looked for and read."""

    to: str
    file: str
    finding: Finding
    recorded: bool
    """Whether the journal names it; else its name tells the first digits of its digest."""
    error: str = ""


def verify(destination: Destination, run: str, archives: Sequence[Archive]) -> Iterator[Verified]:
    """Read each archive of a run there, oldest first; those that *archives* records there must be there.

    A destination that has moved knows its archives by their names. Raises BackupFailed when it cannot be reached.
    """
    lying = {f"{run}/{name}" for name in newest_first(destination.entries(run))}
    recorded = {archive.file: archive.sha256 for archive in archives}
    expected = {archive.file for archive in archives if archive.to == destination.address}
    for file in sorted(lying | expected):
        if file not in lying:
            yield Verified(destination.address, file, Finding.MISSING, recorded=True)
            continue
        try:
            found = destination.sha256(file)
        except BackupFailed as error:  # one bad sector is no reason not to look at the others
            yield Verified(destination.address, file, Finding.DAMAGED, file in recorded, error.reason)
            continue
        good = agrees(file, found) and recorded.get(file, found) == found
        finding = Finding.GOOD if good else Finding.DAMAGED
        yield Verified(
            destination.address, file, finding, file in recorded, "" if good else "its bytes are others"
        )


@dataclass(frozen=True, slots=True)
class Unsaved:
    """A task that no archive at a destination holds, although one should."""

    to: str
    task: str
    error: str
    """Why the backup after it failed; empty while it was not tried."""


def unsaved(run: RunState, to: str) -> Iterator[Unsaved]:
    """The tasks of a run whose backup at *to* is lacking. The next one that is made there makes up for them."""
    for name, task in run.tasks.items():
        if task.saved.lacks(to, task.saved.since):
            seen = task.saved.seen.get(to)
            yield Unsaved(to, name, "" if seen is None else seen.error)


def agrees(file: str, sha256: str) -> bool:
    """Whether an archive has the digest that its name tells."""
    match = ARCHIVE_NAME.fullmatch(file.rpartition("/")[2])
    return match is not None and sha256.startswith(match["digest"])
