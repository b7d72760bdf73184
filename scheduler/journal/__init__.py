"""The journal of a run: an event is durable before anyone acts on it, and nothing in it ever changes.

By default it is `journal.sqlite` in the run's folder; `journal.toml` there leads to one in PostgreSQL. Task processes
import this package for its spelling of JSON: SQLAlchemy is loaded when a journal is opened, not before.
"""

from scheduler.journal.lock import being_written
from scheduler.journal.place import JOURNAL_NAME, create_journal, has_journal
from scheduler.journal.reading import JournalReader, read_journal
from scheduler.journal.record import JournalRecord, canonical
from scheduler.journal.writing import Journal

__all__ = [
    "JOURNAL_NAME",
    "Journal",
    "JournalReader",
    "JournalRecord",
    "being_written",
    "canonical",
    "create_journal",
    "has_journal",
    "read_journal",
]
