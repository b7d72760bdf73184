"""Backups in the course of a run: made after flagged tasks, old ones removed, both journalled by the engine.

Copying may take minutes, so it has a thread of its own, which reads the run's folder and writes nothing into it. The
engine begins one piece of work at a time and takes its result up between its other steps. What goes into an archive is
read first: once that is done, tasks may change it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from scheduler.backup.aside import Aside
from scheduler.backup.making import Backup, Removal, begin_backup
from scheduler.backup.packing import Packer
from scheduler.backup.seen import Making, superfluous
from scheduler.book import Book
from scheduler.config import SchedulerTable
from scheduler.errors import BackupFailed
from scheduler.state import TaskState


@dataclass(frozen=True, slots=True)
class _Copying:
    """A backup that is being made."""

    task: str
    making: Making
    was_read: threading.Event
    """Set when all that goes into it was read."""
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
        self._reading = False

    @property
    def making(self) -> Making | None:
        """The backup that is under way, or was not taken up."""
        return self._doing.making if isinstance(self._doing, _Copying) else None

    @property
    def reading(self) -> bool:
        """Whether the records are still being read, or were by the latest `take_up`: tasks must not change them."""
        return self._reading

    @property
    def busy(self) -> bool:
        """Whether something is under way, or its result was not taken up."""
        return self._doing is not None

    def begin(self, task: TaskState, to: str) -> None:
        """Back the records up after a task, to one destination."""
        name, records = task.task.id, self._book.state.seq
        if self._packer is None:
            self._packer = Packer(self._run_dir, self._settings.backup_include)
        was_read = threading.Event()

        def tell() -> None:
            was_read.set()
            self._ring()

        aside = begin_backup(self._packer, to, seq=records, label=name, ring=self._ring, was_read=tell)
        self._doing = _Copying(name, Making(to, records), was_read, aside)
        self._reading = True

    def take_up(self) -> bool:
        """Write down what has ended. A backup that failed is journalled, and the run goes on.

        Returns whether something has changed for what waits.
        """
        doing, was_reading = self._doing, self._reading
        match doing:
            case _Copying(aside=aside) if aside.over:
                self._doing, self._reading = None, False
                self._write(doing)
            case _Copying(was_read=was_read):
                self._reading = not was_read.is_set()
            case _Pruning(to, removal) if removal.over:
                self._doing = None
                gone, kept_by = removal.result()
                self._book.write("backup_pruned", to=to, files=gone, error=kept_by)
        return self._doing is not doing or self._reading is not was_reading

    def close(self) -> None:
        """Let go of what was packed."""
        packer, self._packer = self._packer, None
        if packer is not None:
            packer.close()

    def _write(self, copying: _Copying) -> None:
        of, to = {"task": copying.task, "records": copying.making.records}, copying.making.to
        try:
            made = copying.aside.result()
        except BackupFailed as error:
            self.close()  # what was left behind may still be at it
            self._book.write("backup_failed", **of, to=to, error=str(error))
            return
        prune = partial(self._prune, to)
        self._book.write_then(prune, "backup_finished", **of, verified=True, **asdict(made))

    def _prune(self, to: str) -> None:
        last, days = self._settings.backup_keep_last, self._settings.backup_keep_days
        archives = self._book.state.archives
        old = superfluous(archives, to, keep_last=last, keep_days=days, now_s=time.time())
        if old:
            self._doing = _Pruning(to, Removal(old, to, self._ring))
