"""Reading a journal, whether or not an engine is writing it."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from scheduler.journal.place import open_store, place_of
from scheduler.journal.record import JournalRecord


class JournalReader:
    """Reads a journal as it grows. Use as a context manager, or close it; belongs to one thread at a time.

    after  the number of the last record that is known already

    Raises RunNotFound, JournalOutdated, JournalCorrupt, JournalUnreachable.
    """

    def __init__(self, run_dir: Path, after: int = 0) -> None:
        self._store = open_store(place_of(run_dir), write=False)
        self._seq = after

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def news(self) -> list[JournalRecord]:
        """The records since the call before, or behind *after*. Raises JournalCorrupt, JournalUnreachable."""
        records = self._store.records(after=self._seq)
        self._seq += len(records)
        return records

    def close(self) -> None:
        """Let the journal go."""
        self._store.close()


def read_journal(run_dir: Path) -> list[JournalRecord]:
    """The records of a run. Raises what JournalReader raises."""
    with JournalReader(run_dir) as reader:
        return reader.news()
