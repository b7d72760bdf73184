"""Backups in the course of a run: made after flagged tasks, old ones removed, both journalled."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path

from scheduler.backup.making import make_backup, remove
from scheduler.backup.seen import superfluous
from scheduler.book import Book
from scheduler.config import SchedulerTable
from scheduler.errors import BackupFailed
from scheduler.state import TaskState


def save_after(task: TaskState, to: str, run_dir: Path, book: Book, settings: SchedulerTable) -> None:
    """Back the records up after a task, to one destination. One that fails is journalled, and the run goes on."""
    name = task.task.id
    try:
        made = make_backup(run_dir, to, settings.backup_include, seq=book.state.seq, label=name)
    except BackupFailed as error:
        book.write("backup_failed", task=name, to=to, error=str(error))
        return
    book.write("backup_finished", task=name, verified=True, **asdict(made))
    _prune(to, book, settings)


def _prune(to: str, book: Book, settings: SchedulerTable) -> None:
    last, days = settings.backup_keep_last, settings.backup_keep_days
    old = superfluous(book.state.archives, to, keep_last=last, keep_days=days, now_s=time.time())
    if old:
        gone, kept_by = remove(old, to)
        book.write("backup_pruned", to=to, files=gone, error=kept_by)
