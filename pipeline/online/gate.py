"""The gate before the correction: it keeps account of every train, and refuses whole trains while too much is in work.

A train is decided about once, when its first module comes; its other modules share the decision. So what is shed is
whole trains, and what goes on is complete. A train is in work as long as any of its parts is: each part that was let
in is reported when it leaves, whatever became of it, so no train can hold the gate shut longer than it holds memory.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

Policy = Literal["block", "shed"]
REMEMBERED: Final = 256
"""Decisions that are kept for modules that come later."""
RECENT_S: Final = 1.0
"""Modules of one train come within less."""


@dataclass(slots=True)
class _Train:
    since_s: float
    parts: int = 0


class Gate:
    """Pure but for the time, which is handed in.

    policy      block: every train passes, and the receivers wait. shed: trains are refused while too many are in work
    high, low   trains in work at which refusing begins, and ends
    waiting     how many of the trains in work only wait for modules that have not come: these are no load
    """

    def __init__(
        self,
        policy: Policy,
        high: int,
        low: int,
        waiting: Callable[[], int] = lambda: 0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.policy, self.high, self.low, self._waiting = policy, high, low, waiting
        self._now, self._lock = now, threading.Lock()
        self._in_work: OrderedDict[int, _Train] = OrderedDict()
        self._decided: OrderedDict[int, tuple[bool, float]] = OrderedDict()
        self._overfull = False
        self.counters: Final[Counter[str]] = Counter(
            seen=0, admitted=0, shed=0, parts_admitted=0, parts_shed=0, parts_left=0
        )

    def admit(self, train_id: int) -> bool:
        """Whether a module's part of a train may go on; if so, `left` must be called when it has left."""
        with self._lock:
            known = self._decided.get(train_id)
            if known is None:
                self._look()
            passes = self._decide(train_id) if known is None else known[0]
            if passes:
                self._in_work.setdefault(train_id, _Train(self._now())).parts += 1
                self.counters["parts_admitted"] += 1
                self._look()
            else:
                self.counters["parts_shed"] += 1
            return passes

    def _decide(self, train_id: int) -> bool:
        passes = self.policy == "block" or not self._overfull
        self._decided[train_id] = passes, self._now()
        if len(self._decided) > REMEMBERED:
            self._decided.popitem(last=False)
        self.counters["seen"] += 1
        self.counters["admitted" if passes else "shed"] += 1
        return passes

    def left(self, train_id: int) -> None:
        """One part of a train that was let in has left the stages, or was given up."""
        with self._lock:
            train = self._in_work[train_id]
            train.parts -= 1
            self.counters["parts_left"] += 1
            if not train.parts:
                del self._in_work[train_id]
                self._look()

    def begin_anew(self) -> None:
        """Train ids may start again from any number: old decisions do not hold for them, those of this moment do."""
        with self._lock:
            recent = self._now() - RECENT_S
            for train_id in [one for one, (_, at_s) in self._decided.items() if at_s < recent]:
                del self._decided[train_id]

    def _look(self) -> None:
        load = len(self._in_work) - self._waiting()
        if load >= self.high:
            self._overfull = True
        elif load <= self.low:
            self._overfull = False

    @property
    def decoupled(self) -> bool:
        """Whether more comes than the stages behind can work off."""
        return self._overfull

    @property
    def in_work(self) -> int:
        """Trains of which a part was admitted and has not left."""
        return len(self._in_work)

    @property
    def oldest_s(self) -> float:
        """For how long the oldest of them has been in work."""
        with self._lock:
            oldest = next(iter(self._in_work.values()), None)
        return 0.0 if oldest is None else round(self._now() - oldest.since_s, 3)

    @property
    def parts_in_work(self) -> int:
        """Module parts that were admitted and have not left."""
        with self._lock:
            return sum(train.parts for train in self._in_work.values())

    def accounting(self) -> dict[str, int]:
        """At every moment: trains seen = admitted + shed, and parts admitted = left + `parts_in_work`."""
        with self._lock:
            return {**self.counters, "in_work": len(self._in_work)}
