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
from scheduler.journal.reading import read_journal
from scheduler.journal.record import JournalRecord, to_row

UNFINISHED_NAME: Final = ".journal.sqlite"
KEPT_NAME: Final = "journal-before.jsonl"
"""What an older Stellwerk wrote, once it has been taken over."""


def snapshot(run_dir: Path, target: Path) -> int:
    """Write all records so far, each of them checked, into a new file of SQLite; returns how many.

    Wherever the journal is, and whether or not an engine is writing. Raises JournalError, RunNotFound.
    """
    records = read_journal(run_dir)
    _fill(target, records)
    return len(records)


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
        _fill(beside, records)
        beside.rename(new)
        old.rename(run_dir / KEPT_NAME)
        sync_folder(run_dir)
    finally:
        os.close(descriptor)
    return len(records)


def _fill(target: Path, records: Sequence[JournalRecord]) -> None:
    create_at(target)
    store = open_store(target, write=True)
    try:
        store.append_all([to_row(record) for record in records])
    finally:
        store.close()
