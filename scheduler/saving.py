"""Backups in the course of a run: made after flagged tasks, old ones removed, both journalled."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

from scheduler.backup.making import make_backup, remove
from scheduler.backup.packing import Packer
from scheduler.backup.seen import superfluous
from scheduler.book import Book
from scheduler.config import SchedulerTable
from scheduler.errors import BackupFailed
from scheduler.state import TaskState


class Saver:
    """Backs one run up; close it."""

    def __init__(self, run_dir: Path, book: Book, settings: SchedulerTable) -> None:
        self._run_dir, self._book, self._settings = run_dir, book, settings
        self._packer: Packer | None = None

    def save_after(self, task: TaskState, to: str) -> None:
        """Back the records up after a task, to one destination. One that fails is journalled, and the run goes on."""
        name = task.task.id
        if self._packer is None:
            self._packer = Packer(self._run_dir, self._settings.backup_include)
        try:
            made = make_backup(self._packer, to, seq=self._book.state.seq, label=name)
        except BackupFailed as error:
            self._packer = None  # what was left behind may still be at it
            self._book.write("backup_failed", task=name, to=to, error=str(error))
            return
        self._book.write("backup_finished", task=name, verified=True, **asdict(made))
        _prune(to, self._book, self._settings)

    def close(self) -> None:
        """Let go of what was packed."""
        if self._packer is not None:
            self._packer.close()


def _prune(to: str, book: Book, settings: SchedulerTable) -> None:
    last, days = settings.backup_keep_last, settings.backup_keep_days
    old = superfluous(book.state.archives, to, keep_last=last, keep_days=days, now_s=time.time())
    if old:
        gone, kept_by = remove(old, to)
        book.write("backup_pruned", to=to, files=gone, error=kept_by)
