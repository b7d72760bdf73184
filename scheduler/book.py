"""What an engine knows and writes: the journal of its run, the state that follows from it, and who hears of both."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from scheduler.clock import Clock
from scheduler.errors import ClockLost
from scheduler.folding import apply, fold
from scheduler.journal import Journal
from scheduler.listening import Listeners
from scheduler.state import RunState


class Book:
    """The one way by which an engine changes the state of its run: it writes down what happened."""

    def __init__(self, journal: Journal, clock: Clock, listeners: Listeners) -> None:
        self._journal, self._clock = journal, clock
        self.listeners = listeners
        self.state: RunState = fold(journal.records)
        self.sim_ns = 0
        """The run's clock when it was last read."""
        self.shut = False
        """Nothing more is written: what happens from now on is in no record."""

    def write(self, event: str, **data: Any) -> None:
        """Make an event durable, then take it into the state, then tell the listeners. Raises JournalUnwritable."""
        if self.shut:
            return
        self.look_at_clock()
        record = self._journal.append(event, data, self.sim_ns)
        self.state = apply(self.state, record)
        self.listeners.tell(record, self.state)

    def look_at_clock(self) -> None:
        """Read the run's clock. Without one the time last known will do: the next task meets that trouble and tells."""
        with suppress(ClockLost):
            self.sim_ns = self._clock.now_ns()
