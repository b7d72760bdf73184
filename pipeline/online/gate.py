"""The gate before the correction: it keeps account of every train, and refuses whole trains while too much is in work.

A train is decided about once, when its first module comes; its other modules share the decision. So what is shed is
whole trains, and what goes on is complete.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Final, Literal

Policy = Literal["block", "shed"]
REMEMBERED: Final = 256
FORGOTTEN_AFTER_S: Final = 60.0
"""A train of which nothing was heard for so long has vanished: no stage keeps one so long."""


class Gate:
    """Pure but for the time, which is handed in.

    policy      block: every train passes, and the receivers wait. shed: trains are refused while too many are in work
    high, low   trains in work at which refusing begins, and ends
    """

    def __init__(
        self, policy: Policy, high: int, low: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.policy, self.high, self.low = policy, high, low
        self._now, self._lock = now, threading.Lock()
        self._in_work: OrderedDict[int, float] = OrderedDict()
        self._decided: OrderedDict[int, bool] = OrderedDict()
        self._overfull = False
        self.counters: Final[Counter[str]] = Counter(seen=0, admitted=0, shed=0, settled=0, vanished=0)

    def admit(self, train_id: int) -> bool:
        """Whether a module's part of a train may go on."""
        with self._lock:
            known = self._decided.get(train_id)
            if known is not None:
                return known
            self._look()
            passes = self.policy == "block" or not self._overfull
            self._decided[train_id] = passes
            if len(self._decided) > REMEMBERED:
                self._decided.popitem(last=False)
            self.counters["seen"] += 1
            self.counters["admitted" if passes else "shed"] += 1
            if passes:
                self._in_work[train_id] = self._now()
            return passes

    def settled(self, up_to: int) -> None:
        """All trains up to this id have left the stages, or will not."""
        with self._lock:
            for train_id in [train_id for train_id in self._in_work if train_id <= up_to]:
                del self._in_work[train_id]
                self.counters["settled"] += 1
            self._look()

    def forget(self) -> None:
        """Begin anew: train ids may start again from any number."""
        with self._lock:
            self.counters["vanished"] += len(self._in_work)
            self._in_work.clear()
            self._decided.clear()
            self._overfull = False

    def _look(self) -> None:
        """Bring the state up to date; trains of which nothing was heard do not count for ever."""
        oldest = self._now() - FORGOTTEN_AFTER_S
        while self._in_work and next(iter(self._in_work.values())) < oldest:
            self._in_work.popitem(last=False)
            self.counters["vanished"] += 1
        if len(self._in_work) >= self.high:
            self._overfull = True
        elif len(self._in_work) <= self.low:
            self._overfull = False

    @property
    def decoupled(self) -> bool:
        """Whether more comes than the stages behind can work off."""
        with self._lock:
            self._look()
            return self._overfull

    @property
    def in_work(self) -> int:
        """Trains that were admitted and have not left."""
        return len(self._in_work)

    @property
    def oldest_s(self) -> float:
        """For how long the oldest of them has been in work."""
        with self._lock:
            began = next(iter(self._in_work.values()), None)
        return 0.0 if began is None else round(self._now() - began, 3)

    def accounting(self) -> dict[str, int]:
        """Trains seen = admitted + shed, and admitted = settled + vanished + in work, at every moment."""
        with self._lock:
            return {**self.counters, "in_work": len(self._in_work)}
