"""The journal of a run in the hands of the one engine that writes it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scheduler.errors import JournalBusy, JournalError, JournalUnwritable
from scheduler.journal.lock import take_lock
from scheduler.journal.place import open_store, place_of
from scheduler.journal.record import JournalRecord, Row, to_row


class Journal:
    """The journal of one run, held by one engine. Use as a context manager.

    patient  a write waits for a database that is gone until `give_up`, and not for a minute
    at_least_read  one that can be read and not written (a full disk) is opened all the same, and refuses every event

    Raises RunNotFound, JournalOutdated, JournalBusy, JournalCorrupt, JournalUnreachable, JournalUnwritable.
    """

    def __init__(
        self,
        run_dir: Path,
        wall_s: Callable[[], float] = time.time,
        *,
        patient: bool = False,
        at_least_read: bool = False,
    ) -> None:
        self._wall_s = wall_s
        self._alone = threading.Lock()
        place = place_of(run_dir)
        with ExitStack() as stack:
            self._descriptor = take_lock(run_dir)
            stack.callback(os.close, self._descriptor)
            self._refusal: JournalUnwritable | None = None
            try:
                self._store = open_store(place, write=True, patient=patient)
            except JournalUnwritable as error:
                if not at_least_read:
                    raise
                self._refusal = error
                self._store = open_store(place, write=False)
            stack.callback(self._store.close)
            self.records = self._store.records(after=0)
            self._open = stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    def fileno(self) -> int:
        """The descriptor that carries the lock. Who inherits it holds the run too."""
        return self._descriptor

    @property
    def far(self) -> bool:
        """Whether a write may take as long as a network is lost."""
        return self._store.far

    def now_s(self) -> float:
        """What stands as `at` in an event that happens now."""
        return round(self._wall_s(), 6)

    def gone(self, for_s: float) -> JournalError:
        """What is to be said of a journal that has taken nothing for so long: JournalUnwritable, or JournalBusy."""
        trouble = self._store.trouble
        if isinstance(trouble, JournalBusy):
            return trouble
        reason = trouble.reason if isinstance(trouble, JournalUnwritable) else "it does not answer"
        return JournalUnwritable(self._store.where, f"for {for_s:.0f} s: {reason}")

    def give_up(self) -> None:
        """Let a write that waits for a network end with an error. From any thread."""
        self._store.give_up()

    def append(
        self, event: str, data: Mapping[str, Any], sim_ns: int, at_s: float | None = None
    ) -> JournalRecord:
        """Write an event; when this returns it is durable. From any thread.

        at_s  when it happened (`now_s`); default: now

        Raises JournalUnwritable, and JournalBusy if another engine has written meanwhile.
        """
        with self._alone:
            at = self.now_s() if at_s is None else at_s
            record = JournalRecord(len(self.records) + 1, at, sim_ns, event, data)
            self._write(to_row(record))
            self.records.append(record)
        return record

    def _write(self, row: Row) -> None:
        if self._refusal is not None:
            raise self._refusal
        self._store.append(row)
