"""The time that a run goes by: wall time on hardware, simulated time on a bench."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Where a run's time comes from. Integers of nanoseconds; only differences and order mean anything."""

    def now_ns(self) -> int:
        """The time now. Raises ClockLost."""
        ...

    def wait_until(self, t_ns: int) -> int:
        """Block until it is *t_ns*, or until `interrupt`. Returns the time then. Raises ClockLost.

        Called from one thread at a time, which is not the engine's.
        """
        ...

    def interrupt(self) -> None:
        """Make the wait in progress return at once; without one, do nothing. Called from any thread."""
        ...


class WallClock:
    """Unix time in nanoseconds, for real hardware."""

    def __init__(self) -> None:
        self._interrupted = threading.Event()

    def now_ns(self) -> int:
        """Unix time, nanoseconds."""
        return time.time_ns()

    def wait_until(self, t_ns: int) -> int:
        """Sleep until then, or until interrupted."""
        self._interrupted.clear()
        while (left_ns := t_ns - self.now_ns()) > 0:
            if self._interrupted.wait(left_ns / 1e9):
                break
        return self.now_ns()

    def interrupt(self) -> None:
        """Wake the sleeper."""
        self._interrupted.set()
