"""Writes a journal for an engine, which must never wait for a network that is lost."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

from scheduler.errors import JournalError
from scheduler.journal import Journal, JournalRecord

LEAVE_S: Final = 2.0
"""So long the end waits for a write that was given up. One that is just connecting is left behind."""


class Scribe:
    """One event after another. Use as a context manager: nothing is written after it.

    ring  called from another thread when a write has ended

    A journal on a disk is written in the caller's thread: that ends soon, well or not. One beyond a network is written
    in a thread, which tries until the network is back, or `give_up`.
    """

    def __init__(self, journal: Journal, ring: Callable[[], None]) -> None:
        self._journal, self._ring = journal, ring
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        # Not an executor: the interpreter would wait for its thread at exit.
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def __enter__(self) -> Self:
        if self._journal.far:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._thread.is_alive():
            self._journal.give_up()
            self._work.put(None)
            self._thread.join(LEAVE_S)

    def now_s(self) -> float:
        """What stands as `at` in an event that happens now."""
        return self._journal.now_s()

    def gone(self, for_s: float) -> JournalError:
        """What is to be said of a journal that has not taken an event for so long."""
        return self._journal.gone(for_s)

    def write(self, event: str, data: Mapping[str, Any], sim_ns: int, at_s: float) -> Future[JournalRecord]:
        """Begin to make an event durable; the one before has ended."""
        future: Future[JournalRecord] = Future()
        if self._thread.is_alive():
            self._work.put(partial(_do, future, partial(self._journal.append, event, data, sim_ns, at_s)))
        else:
            _do(future, partial(self._journal.append, event, data, sim_ns))
        return future

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            with contextlib.suppress(OSError):  # who was to be woken may have gone
                self._ring()


def _do(future: Future[JournalRecord], write: Callable[[], JournalRecord]) -> None:
    try:
        future.set_result(write())
    except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
        future.set_exception(error)
