"""What a journal tells of backups: which archives there are, and what each task still lacks. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

DAY_S: Final = 86400.0


@dataclass(frozen=True, slots=True)
class BackupSeen:
    """What became of a backup at one destination."""

    verified: bool
    file: str = ""
    """Of the archive, below the destination."""
    sha256: str = ""
    files: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Making:
    """A backup that is being made."""

    to: str
    """The destination."""
    records: int
    """So many of the journal are certainly in it."""

    def holds(self, record: int, to: str) -> bool:
        """Whether a record will be saved at *to* by it."""
        return to == self.to and record <= self.records


@dataclass(frozen=True, slots=True)
class Saved:
    """The backups of one task's records."""

    seen: Mapping[str, BackupSeen] = field(default_factory=dict)
    """By the address of the destination."""
    owed: tuple[str, ...] = ()
    """Destinations that have not been tried yet."""
    since: int = 0
    """The record that an archive must hold: that of the task's end."""

    def lacks(self, to: str, records: int) -> bool:
        """Whether a backup at *to* was promised, is not there, and would be in an archive of so many records."""
        promised = to in self.owed or (to in self.seen and not self.seen[to].verified)
        return promised and self.since <= records

    def first_owed(self, making: Making | None) -> str | None:
        """Where a backup is to be begun, apart from what the one that is being made will hold; None for nowhere."""
        return next((to for to in self.owed if making is None or not making.holds(self.since, to)), None)

    def after(self, to: str, seen: BackupSeen) -> Saved:
        """With what became of it at one more destination."""
        owed = tuple(other for other in self.owed if other != to)
        return replace(self, seen={**self.seen, to: seen}, owed=owed)

    def promised_again(self, destinations: tuple[str, ...]) -> Saved:
        """As a new engine takes it up, with *destinations* of its own: what is not complete is made at all of them."""
        if self.seen and not self.owed and all(seen.verified for seen in self.seen.values()):
            return self
        kept = {to: seen for to, seen in self.seen.items() if seen.verified}
        return replace(self, seen=kept, owed=tuple(to for to in destinations if to not in kept))

    def summary(self) -> BackupSeen | None:
        """All of them in one: the failures if there are any, else the latest; None while none was tried."""
        if not self.seen:
            return None
        failed = [seen.error for seen in self.seen.values() if not seen.verified]
        return BackupSeen(False, error="; ".join(failed)) if failed else list(self.seen.values())[-1]


UNSAVED: Final = Saved()


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that was verified and has not been removed since."""

    to: str
    file: str
    sha256: str
    files: int
    at: float
    """When it was made, Unix time, seconds."""

    def as_seen(self) -> BackupSeen:
        """As a task sees it."""
        return BackupSeen(True, self.file, self.sha256, self.files)


def superfluous(
    archives: Sequence[Archive], to: str, *, keep_last: int | None, keep_days: float | None, now_s: float
) -> list[Archive]:
    """Which archives at *to* may go, oldest first: those that no limit keeps. Never the newest."""
    here = [archive for archive in archives if archive.to == to]
    if keep_last is None and keep_days is None:
        return []
    older = here[: -(keep_last or 1)]
    return [archive for archive in older if keep_days is None or now_s - archive.at > keep_days * DAY_S]


def without(archives: tuple[Archive, ...], to: str, files: Sequence[str]) -> tuple[Archive, ...]:
    """What is left when *files* at *to* are gone."""
    return tuple(archive for archive in archives if archive.to != to or archive.file not in files)


def repointed(saved: Saved, to: str, files: Sequence[str], newest: Archive) -> Saved:
    """When the archive at *to* is gone, a later one holds what it held."""
    seen = saved.seen.get(to)
    if seen is None or seen.file not in files:
        return saved
    return replace(saved, seen={**saved.seen, to: newest.as_seen()})
