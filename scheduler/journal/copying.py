"""Journals copied whole: into a backup, and out of the form that an older Stellwerk wrote."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scheduler.errors import RunNotFound
from scheduler.files import sync_folder
from scheduler.journal.lines import LINES_NAME, parse
from scheduler.journal.lock import take_lock
from scheduler.journal.place import JOURNAL_NAME, create_at, open_store
from scheduler.journal.reading import JournalReader
from scheduler.journal.record import JournalRecord, to_row

UNFINISHED_NAME: Final = ".journal.sqlite"
KEPT_NAME: Final = "journal-before.jsonl"
"""What an older Stellwerk wrote, once it has been taken over."""


class JournalCopy:
    """A copy of a run's journal in a file of SQLite, which follows it, wherever the journal is.

    path  of the copy; made by the first `follow`
    """

    def __init__(self, run_dir: Path, path: Path) -> None:
        self._run_dir, self.path = run_dir, path
        self._seq = 0

    def follow(self, most: int | None = None) -> int:
        """Add the records that are new, each of them checked; returns how many the copy holds now.

        most  so many records at most; None: all there are
        Whether or not an engine is writing. Raises JournalError, RunNotFound.
        """
        with JournalReader(self._run_dir, after=self._seq) as reader:
            news = [record for record in reader.news() if most is None or record.seq <= most]
        if self._seq == 0:
            create_at(self.path)
        _append(self.path, news)
        self._seq += len(news)
        return self._seq


def is_outdated(run_dir: Path) -> bool:
    """Whether the run has only a journal that an older Stellwerk wrote."""
    return (run_dir / LINES_NAME).is_file() and not (run_dir / JOURNAL_NAME).exists()


def import_lines(run_dir: Path) -> int:
    """Turn the journal of an older Stellwerk into one of today; returns how many records it has.

    The old file stays, under another name. May be killed at any moment, and done again. Raises RunNotFound,
    JournalBusy, JournalCorrupt, JournalUnwritable.
    """
    old, new, beside = run_dir / LINES_NAME, run_dir / JOURNAL_NAME, run_dir / UNFINISHED_NAME
    if not is_outdated(run_dir):
        raise RunNotFound(run_dir, f"there is no {LINES_NAME} in it that could be imported")
    descriptor = take_lock(run_dir)
    try:
        records = parse(old.read_bytes(), old)
        beside.unlink(missing_ok=True)
        create_at(beside)
        _append(beside, records)
        beside.rename(new)
        old.rename(run_dir / KEPT_NAME)
        sync_folder(run_dir)
    finally:
        os.close(descriptor)
    return len(records)


def _append(target: Path, records: Sequence[JournalRecord]) -> None:
    store = open_store(target, write=True)
    try:
        store.append_all([to_row(record) for record in records])
    finally:
        store.close()
