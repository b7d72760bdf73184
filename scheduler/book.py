"""What an engine knows and writes: the journal of its run, the state that follows from it, and who hears of both."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from scheduler.clock import Clock
from scheduler.errors import ClockLost, JournalError
from scheduler.folding import apply, fold
from scheduler.journal import JournalRecord
from scheduler.listening import Listeners
from scheduler.scribe import Scribe
from scheduler.state import RunState

PROMPT_S: Final = 1.0
"""So long a write is waited for on the spot. Then the journal counts as gone: it is owed what happens."""
Then = Callable[[], None]


@dataclass(frozen=True, slots=True)
class _Owed:
    """What has happened, and is not in the journal yet."""

    event: str
    data: Mapping[str, Any]
    sim_ns: int
    at_s: float
    then: Then | None


class Book:
    """The one way by which an engine changes the state of its run: it writes down what happened.

    records  what the journal holds already
    """

    def __init__(
        self, records: list[JournalRecord], scribe: Scribe, clock: Clock, listeners: Listeners
    ) -> None:
        self._scribe, self._clock = scribe, clock
        self.listeners = listeners
        self.state: RunState = fold(records)
        self.sim_ns = 0
        """The run's clock when it was last read."""
        self.shut = False
        """Nothing more is written: what happens from now on is in no record."""
        self._owed: deque[_Owed] = deque()
        self._writing: Future[JournalRecord] | None = None
        """The first of what is owed."""
        self._owes_since_s = 0.0

    @property
    def owes(self) -> bool:
        """Whether something that has happened is not durable: the journal is gone, and the state that of before."""
        return bool(self._owed)

    @property
    def owed(self) -> list[tuple[str, Mapping[str, Any]]]:
        """What is not durable yet: events and their data."""
        return [(owed.event, owed.data) for owed in self._owed]

    def gone(self) -> JournalError:
        """What is to be said when what is owed is waited for no more."""
        return self._scribe.gone(self.owes_for_s)

    @property
    def owes_for_s(self) -> float:
        """For how long the first of it has not been durable; wall time."""
        return time.monotonic() - self._owes_since_s if self._owed else 0.0

    def write(self, event: str, **data: Any) -> None:
        """Make an event durable, then take it into the state and tell the listeners.

        When this returns that is done, unless the journal is gone (`owes`): then `catch_up` does it, in order.
        Raises JournalUnwritable.
        """
        self.write_then(None, event, **data)

    def write_then(self, then: Then | None, event: str, /, **data: Any) -> None:
        """As `write`; *then* is called when all that is done. Raises JournalUnwritable."""
        if self.shut:
            return
        self.look_at_clock()
        self._owed.append(_Owed(event, data, self.sim_ns, self._scribe.now_s(), then))
        if len(self._owed) == 1:
            self._owes_since_s = time.monotonic()
            self.catch_up(PROMPT_S)

    def catch_up(self, patience_s: float = 0.0) -> None:
        """Take up what has become durable, and go on writing. Raises JournalUnwritable, JournalBusy."""
        while self._owed:
            first = self._owed[0]
            if self._writing is None:
                self._writing = self._scribe.write(first.event, first.data, first.sim_ns, first.at_s)
            try:
                record = self._writing.result(patience_s)
            except TimeoutError:
                if self._writing.done():
                    raise
                return
            self._writing = None
            self._owed.popleft()
            self._owes_since_s = time.monotonic()
            self.state = apply(self.state, record)
            self.listeners.tell(record, self.state)
            if first.then is not None:
                first.then()

    def look_at_clock(self) -> None:
        """Read the run's clock. Without one the time last known will do: the next task meets that trouble and tells."""
        with suppress(ClockLost):
            self.sim_ns = self._clock.now_ns()
