"""Putting the modules of a train together: pure, fed one part at a time, with the time.

The recording and the matcher of the online pipeline both wait so; what they do with a gathered train differs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Generic

from pipeline.model import PartT

RESTART_ROUNDS: Final = 3
"""So many trains' worth of parts must lie far behind, and none ahead, before ids count as begun anew."""


class Refusal(StrEnum):
    """Why a module part is in no gathered train."""

    LATE = "late"
    """Its train went out, or was given up, before."""
    REPEATED = "repeated"
    """The module was in this train already."""
    AHEAD = "ahead"
    """Its train id is far ahead of those that the other modules bring at the same time: the id is wrong."""


@dataclass(frozen=True, slots=True)
class Refused(Generic[PartT]):
    """A module part that goes nowhere."""

    part: PartT
    reason: StrEnum


@dataclass(slots=True)
class Gathered(Generic[PartT]):
    """The modules of one train that have come."""

    train_id: int
    since_s: float
    parts: dict[int, PartT] = field(default_factory=dict)


class Gathering(Generic[PartT]):
    """Collect parts until their train is complete, too old, or too many wait. Trains come out by increasing id.

    modules      how many modules there are
    deadline_s   how long a train waits for its last modules
    max_waiting  trains that may wait at a time; the oldest goes out when there are more
    may_restart  whether ids that begin anew far below are followed; a recording cannot: its files hold increasing ids
    """

    def __init__(self, modules: int, deadline_s: float, max_waiting: int, *, may_restart: bool) -> None:
        self.modules, self.deadline_s = modules, deadline_s
        self._max_waiting, self._may_restart = max_waiting, may_restart
        self._waiting: dict[int, Gathered[PartT]] = {}
        self._last_out = -1
        self._far_behind = 0
        self._arrivals: dict[int, tuple[int, float]] = {}
        self.counters: Final[Counter[str]] = Counter()

    def feed(self, part: PartT, now_s: float) -> list[Gathered[PartT] | Refused[PartT]]:
        """Take a part; what is settled by it. Every part that is fed comes out exactly once."""
        self._arrivals[part.module] = part.train_id, now_s
        settled: list[Gathered[PartT] | Refused[PartT]] = []
        if part.train_id <= self._last_out:
            if not self._begins_anew(part):
                return [self.refuse(part, Refusal.LATE), *self.due(now_s)]
            settled = self._restart()
        self._far_behind = 0
        waiting = self._waiting.setdefault(part.train_id, Gathered(part.train_id, now_s))
        if part.module in waiting.parts:
            return [*settled, self.refuse(part, Refusal.REPEATED), *self.due(now_s)]
        waiting.parts[part.module] = part
        return [*settled, *self.due(now_s)]

    def due(self, now_s: float) -> list[Gathered[PartT] | Refused[PartT]]:
        """What need not, or cannot, wait any longer. Later trains wait for earlier ones."""
        settled: list[Gathered[PartT] | Refused[PartT]] = []
        for train_id in sorted(self._waiting, reverse=True):  # wrong ids must not push right ones out
            if len(self._waiting) > self._max_waiting and self._is_ahead(self._waiting[train_id]):
                settled += self._give_up_ahead(train_id)
        for train_id in sorted(self._waiting):
            waiting = self._waiting[train_id]
            complete = len(waiting.parts) == self.modules
            overdue = now_s - waiting.since_s >= self.deadline_s or len(self._waiting) > self._max_waiting
            if not complete and not overdue:
                break
            if not complete and self._is_ahead(waiting):
                settled += self._give_up_ahead(train_id)
            else:
                settled.append(self._out(train_id))
        return settled

    def flush(self) -> list[Gathered[PartT]]:
        """All that wait, complete or not; afterwards train ids may begin anew."""
        settled = [self._out(train_id) for train_id in sorted(self._waiting)]
        self._last_out = -1
        self._arrivals.clear()
        return settled

    def __len__(self) -> int:
        return len(self._waiting)

    def _begins_anew(self, part: PartT) -> bool:
        """Whether all modules bring ids far below what went out: the time server was set back."""
        if not self._may_restart or part.train_id + self._max_waiting >= self._last_out:
            return False
        self._far_behind += 1
        return self._far_behind > RESTART_ROUNDS * self.modules

    def _restart(self) -> list[Gathered[PartT] | Refused[PartT]]:
        self.counters["restarts"] += 1
        return [*self.flush()]

    def _is_ahead(self, waiting: Gathered[PartT]) -> bool:
        """Whether the other modules went on with much lower ids since this train began.

        If such a train went out, all that the others bring up to its id would count as late.
        """
        others = [
            brought
            for module, (brought, at_s) in self._arrivals.items()
            if module not in waiting.parts and at_s > waiting.since_s
        ]
        return bool(others) and all(brought + self._max_waiting < waiting.train_id for brought in others)

    def _give_up_ahead(self, train_id: int) -> list[Refused[PartT]]:
        parts = self._waiting.pop(train_id).parts.values()
        return [self.refuse(part, Refusal.AHEAD) for part in parts]

    def _out(self, train_id: int) -> Gathered[PartT]:
        self._last_out = train_id
        return self._waiting.pop(train_id)

    def refuse(self, part: PartT, reason: StrEnum) -> Refused[PartT]:
        """Count a part that goes nowhere; also for reasons of those who use this."""
        self.counters[f"modules_{reason}"] += 1
        return Refused(part, reason)
