"""Backups in the course of a run: made after flagged tasks, old ones removed, both journalled by the engine.

Copying may take minutes, so it has a thread of its own, which reads the run's folder and writes nothing into it. The
engine begins one piece of work at a time and takes its result up between its other steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from scheduler.backup.aside import Aside
from scheduler.backup.making import Backup, Removal, begin_backup
from scheduler.backup.packing import Packer
from scheduler.backup.seen import superfluous
from scheduler.book import Book
from scheduler.config import SchedulerTable
from scheduler.errors import BackupFailed
from scheduler.state import TaskState


@dataclass(frozen=True, slots=True)
class _Copying:
    """A backup that is being made."""

    task: str
    to: str
    records: int
    """So many of the journal are certainly in it."""
    aside: Aside[Backup]


@dataclass(frozen=True, slots=True)
class _Pruning:
    """Old backups that are being removed."""

    to: str
    removal: Removal


class Saving:
    """The backups of one run. *ring* is called from another thread when `take_up` may have something to do."""

    def __init__(self, run_dir: Path, book: Book, settings: SchedulerTable, ring: Callable[[], None]) -> None:
        self._run_dir, self._book, self._settings, self._ring = run_dir, book, settings, ring
        self._doing: _Copying | _Pruning | None = None
        self._packer: Packer | None = None

    @property
    def busy(self) -> bool:
        """Whether something is under way, or its result was not taken up."""
        return self._doing is not None

    def begin(self, task: TaskState, to: str) -> None:
        """Back the records up after a task, to one destination."""
        name, records = task.task.id, self._book.state.seq
        if self._packer is None:
            self._packer = Packer(self._run_dir, self._settings.backup_include)
        aside = begin_backup(self._packer, to, seq=records, label=name, ring=self._ring)
        self._doing = _Copying(name, to, records, aside)

    def take_up(self) -> None:
        """Write down what has ended. A backup that failed is journalled, and the run goes on."""
        match self._doing:
            case _Copying(aside=aside) as copying if aside.over:
                self._doing = None
                self._write(copying)
            case _Pruning(to, removal) if removal.over:
                self._doing = None
                gone, kept_by = removal.result()
                self._book.write("backup_pruned", to=to, files=gone, error=kept_by)

    def close(self) -> None:
        """Let go of what was packed."""
        packer, self._packer = self._packer, None
        if packer is not None:
            packer.close()

    def _write(self, copying: _Copying) -> None:
        of = {"task": copying.task, "records": copying.records}
        try:
            made = copying.aside.result()
        except BackupFailed as error:
            self.close()  # what was left behind may still be at it
            self._book.write("backup_failed", **of, to=copying.to, error=str(error))
            return
        prune = partial(self._prune, copying.to)
        self._book.write_then(prune, "backup_finished", **of, verified=True, **asdict(made))

    def _prune(self, to: str) -> None:
        last, days = self._settings.backup_keep_last, self._settings.backup_keep_days
        archives = self._book.state.archives
        old = superfluous(archives, to, keep_last=last, keep_days=days, now_s=time.time())
        if old:
            self._doing = _Pruning(to, Removal(old, to, self._ring))
