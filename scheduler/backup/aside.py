"""Work that may never return, such as reading from a server that is gone: beside whoever wants its result."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from scheduler.backup import destination
from scheduler.errors import BackupFailed

Result = TypeVar("Result")


class Aside(Generic[Result]):
    """One piece of work at a destination, in a thread of its own, left behind after `destination.LIMIT_S`.

    to    the destination's address
    work  must share nothing with anybody that can change
    ring  called from the thread when the work has ended
    """

    def __init__(self, to: str, work: Callable[[], Result], ring: Callable[[], None] = lambda: None) -> None:
        self._to, self._work, self._ring = to, work, ring
        self._limit_s = destination.LIMIT_S
        self._deadline_s = time.monotonic() + self._limit_s
        self._future: Future[Result] = Future()
        # Not an executor: the interpreter would wait for its threads at exit.
        threading.Thread(target=self._do, name="backup", daemon=True).start()

    @property
    def over(self) -> bool:
        """Whether there is a result, or the time is up."""
        return self._future.done() or time.monotonic() >= self._deadline_s

    def result(self) -> Result:
        """What came of it, waited for. Raises BackupFailed when the time is up, and what the work has raised."""
        try:
            return self._future.result(max(0.0, self._deadline_s - time.monotonic()))
        except TimeoutError:
            if self._future.done():
                raise  # that of the work itself
        raise BackupFailed(self._to, f"took longer than {self._limit_s:.0f} s and was left behind")

    def _do(self) -> None:
        try:
            self._future.set_result(self._work())
        except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
            self._future.set_exception(error)
        with contextlib.suppress(OSError):  # who was to be woken may have gone
            self._ring()
