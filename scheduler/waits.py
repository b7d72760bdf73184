"""Who waits on the run's clock. The engine takes part in it once; here its tasks share that part.

Simulated time must not move while a task works. So the engine waits on the clock only while every process that takes
part in time waits, until the first moment that one of them waits for. On a clock that moves by itself (hardware) a
wait also ends in time while others work: the clock is looked at each time that the engine looks around.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

from scheduler.clock import Clock
from scheduler.errors import ClockLost

INTERRUPT_AGAIN_S: Final = 0.02

Answer = Callable[[int | ClockLost], None]
"""Told the time when a wait has ended, or why it never will."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One wait."""

    until_ns: int
    answer: Answer


class Waits:
    """The waits of all processes on one clock. *ring* is called from another thread when something may have ended."""

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock, self._ring = clock, ring
        self._waiting: dict[object, Waiting] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="clock wait")
        self._outstanding: Future[int] | None = None
        self._until_ns = 0

    def now_ns(self) -> int:
        """The clock's time. Raises ClockLost."""
        return self._clock.now_ns()

    def add(self, who: object, until_ns: int, answer: Answer) -> None:
        """Wait for somebody, instead of what they waited for before."""
        self._waiting[who] = Waiting(until_ns, answer)

    def drop(self, who: object) -> None:
        """They wait no more."""
        self._waiting.pop(who, None)

    def has(self, who: object) -> bool:
        """Whether they wait."""
        return who in self._waiting

    def turn(self, busy: Callable[[], bool]) -> None:
        """Answer what has ended, and wait on, unless somebody who takes part in time works, so that it must stand."""
        self._collect()
        if not self._waiting:
            self._end()
            return
        if busy():  # asked only now: whoever was just answered works again
            self._end()
            self._answer_due()
            return
        first_ns = min(waiting.until_ns for waiting in self._waiting.values())
        if self._outstanding is not None and self._until_ns != first_ns:
            self._end()  # somebody may have been answered: the next turn waits on
            return
        if self._outstanding is None:
            self._until_ns = first_ns
            self._outstanding = self._thread.submit(self._clock.wait_until, first_ns)
            self._outstanding.add_done_callback(lambda _: self._ring())

    def close(self) -> None:
        """Wait for nothing any more."""
        self._waiting.clear()
        self._end()
        self._thread.shutdown()

    def _end(self) -> None:
        """Let the wait on the clock return early; answer what has ended by then."""
        while self._outstanding is not None and not self._outstanding.done():
            self._clock.interrupt()  # one that comes just before the wait begins is lost
            wait([self._outstanding], INTERRUPT_AGAIN_S)
        self._collect()

    def _collect(self) -> None:
        if self._outstanding is None or not self._outstanding.done():
            return
        outstanding, self._outstanding = self._outstanding, None
        try:
            self._answer(outstanding.result())
        except ClockLost as error:
            self._lose(error)

    def _answer_due(self) -> None:
        try:
            self._answer(self._clock.now_ns())
        except ClockLost as error:
            self._lose(error)

    def _answer(self, now_ns: int) -> None:
        for who, waiting in list(self._waiting.items()):
            if waiting.until_ns <= now_ns:
                del self._waiting[who]
                waiting.answer(now_ns)

    def _lose(self, error: ClockLost) -> None:
        for waiting in list(self._waiting.values()):
            waiting.answer(error)
        self._waiting.clear()
