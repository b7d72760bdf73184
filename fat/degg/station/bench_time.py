"""Time on the bench's clock, as somebody spends it who takes data."""

from __future__ import annotations

from typing import Protocol

NS_PER_S = 1e9


class ClockLike(Protocol):
    """A clock of the scheduler's, or a bench's."""

    def now_ns(self) -> int:
        """Now, nanoseconds."""
        ...

    def wait_until(self, t_ns: int) -> int:
        """Block until then; returns the time."""
        ...


class BenchTime:
    """Waits, and spends what data span.

    Where the clock follows the wall, a block of events is answered when its last event has happened: the time that it
    spans has passed already. Where it does not, blocks come at once and no time passes but by waiting. `spend` waits
    for what is left in either case.
    """

    def __init__(self, clock: ClockLike) -> None:
        self._clock = clock
        self._mark_ns = clock.now_ns()
        """When the last wait ended; what has passed since then has gone into taking data."""

    def wait(self, seconds: float) -> None:
        """Let so much time pass from now on."""
        self._mark_ns = self._clock.wait_until(self._clock.now_ns() + round(seconds * NS_PER_S))

    def spend(self, seconds: float) -> None:
        """Let so much time have passed since the last wait."""
        goal_ns = self._mark_ns + round(seconds * NS_PER_S)
        now_ns = self._clock.now_ns()
        self._mark_ns = self._clock.wait_until(goal_ns) if goal_ns > now_ns else now_ns
