"""The matcher: puts the modules of a train together. Pure; fed one module at a time, with the time.

Every module part that is fed comes out exactly once: in one matched train, or dropped with a reason.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Generic

from pipeline.model import MatchedTrain, PartT, TrainClock


class DropReason(StrEnum):
    """Why a module part is in no train."""

    LATE = "late"
    """Its train went out, or was given up, before."""
    REPEATED = "repeated"
    """The module was in this train already."""
    PULSES_DIFFER = "pulses_differ"
    """Its pulse or cell ids are not those of most modules."""
    TOO_FEW_MODULES = "too_few_modules"
    """Its train had fewer modules than the least number when its deadline came."""
    AHEAD = "ahead"
    """Its train id is far ahead of those that the other modules bring at the same time: the id is wrong."""
    MANDATORY_MISSING = "mandatory_missing"
    """Its train lacked a module without which no train goes on."""


@dataclass(frozen=True, slots=True)
class Dropped(Generic[PartT]):
    """A module part that goes nowhere."""

    part: PartT
    reason: DropReason


@dataclass(slots=True)
class _Waiting(Generic[PartT]):
    since_s: float
    parts: dict[int, PartT] = field(default_factory=dict)


class Matcher(Generic[PartT]):
    """Match by train id.

    modules      how many modules there are
    min_modules  the least with which a train goes out
    deadline_s   how long a train waits for its last modules
    mandatory    modules without which no train goes out
    max_waiting  trains that may wait at a time; the oldest goes out, or is given up, when there are more
    """

    def __init__(
        self, modules: int, min_modules: int, deadline_s: float, train_clock: TrainClock, max_waiting: int = 8
    ) -> None:
        self.modules, self.min_modules, self.deadline_s = modules, min_modules, deadline_s
        self._train_clock, self._max_waiting = train_clock, max_waiting
        self.mandatory: frozenset[int] = frozenset()
        self._waiting: dict[int, _Waiting[PartT]] = {}
        self._last_out = -1
        self._arrivals: dict[int, tuple[int, float]] = {}
        self.counters: Final[Counter[str]] = Counter()

    def feed(self, part: PartT, now_s: float) -> list[MatchedTrain[PartT] | Dropped[PartT]]:
        """Take a module part; what is settled by it, in the order of train ids."""
        self._arrivals[part.module] = part.train_id, now_s
        if part.train_id <= self._last_out:
            return [self._drop(part, DropReason.LATE), *self.due(now_s)]
        waiting = self._waiting.setdefault(part.train_id, _Waiting(now_s))
        if part.module in waiting.parts:
            return [self._drop(part, DropReason.REPEATED), *self.due(now_s)]
        waiting.parts[part.module] = part
        return self.due(now_s)

    def due(self, now_s: float) -> list[MatchedTrain[PartT] | Dropped[PartT]]:
        """What need not, or cannot, wait any longer. Later trains wait for earlier ones."""
        settled: list[MatchedTrain[PartT] | Dropped[PartT]] = []
        for train_id in sorted(self._waiting, reverse=True):  # wrong ids must not push right ones out
            if len(self._waiting) > self._max_waiting and self._is_ahead(train_id, self._waiting[train_id]):
                settled += self._give_up_ahead(train_id)
        for train_id in sorted(self._waiting):
            waiting = self._waiting[train_id]
            complete = len(waiting.parts) == self.modules
            overdue = now_s - waiting.since_s >= self.deadline_s or len(self._waiting) > self._max_waiting
            if not complete and not overdue:
                break
            if not complete and self._is_ahead(train_id, waiting):
                settled += self._give_up_ahead(train_id)
            else:
                settled += self._settle(train_id)
        return settled

    def _give_up_ahead(self, train_id: int) -> list[MatchedTrain[PartT] | Dropped[PartT]]:
        parts = self._waiting.pop(train_id).parts.values()
        return [self._drop(part, DropReason.AHEAD) for part in parts]

    def _is_ahead(self, train_id: int, waiting: _Waiting[PartT]) -> bool:
        """Whether the other modules went on with much lower ids since this train began.

        If such a train went out, all that the others bring up to its id would count as late.
        """
        others = [
            brought
            for module, (brought, at_s) in self._arrivals.items()
            if module not in waiting.parts and at_s > waiting.since_s
        ]
        return bool(others) and all(brought + self._max_waiting < train_id for brought in others)

    def flush(self) -> list[MatchedTrain[PartT] | Dropped[PartT]]:
        """Settle all that wait; afterwards train ids may begin anew."""
        settled = [item for train_id in sorted(self._waiting) for item in self._settle(train_id)]
        self._last_out = -1
        self._arrivals.clear()
        return settled

    @property
    def next_deadline_s(self) -> float | None:
        """When `due` has something to settle at the latest; None when nothing waits."""
        return min((w.since_s + self.deadline_s for w in self._waiting.values()), default=None)

    @property
    def last_settled(self) -> int:
        """Every train up to this id has gone out or was given up; −1: none yet."""
        return self._last_out

    def __len__(self) -> int:
        return len(self._waiting)

    def _settle(self, train_id: int) -> list[MatchedTrain[PartT] | Dropped[PartT]]:
        parts = self._waiting.pop(train_id).parts
        self._last_out = train_id
        agreeing, differing = _by_pulses(parts)
        settled: list[MatchedTrain[PartT] | Dropped[PartT]] = [
            self._drop(p, DropReason.PULSES_DIFFER) for p in differing
        ]
        if len(agreeing) < self.min_modules:
            self.counters["trains_given_up"] += 1
            return settled + [self._drop(part, DropReason.TOO_FEW_MODULES) for part in agreeing.values()]
        if not self.mandatory <= set(agreeing):
            self.counters["trains_given_up"] += 1
            return settled + [self._drop(part, DropReason.MANDATORY_MISSING) for part in agreeing.values()]
        complete = len(agreeing) == self.modules
        self.counters["trains_complete" if complete else "trains_incomplete"] += 1
        return [*settled, MatchedTrain(train_id, agreeing, self._train_clock.unix_ns(train_id))]

    def _drop(self, part: PartT, reason: DropReason) -> Dropped[PartT]:
        self.counters[f"modules_{reason}"] += 1
        return Dropped(part, reason)


def _by_pulses(
    parts: dict[int, PartT],
) -> tuple[dict[int, PartT], list[PartT]]:
    """Modules that agree with most on pulse and cell ids, by number, and those that do not."""
    ids = {module: part.pulse_id.tobytes() + part.cell_id.tobytes() for module, part in sorted(parts.items())}
    common = Counter(ids.values()).most_common(1)[0][0]
    agreeing = {module: parts[module] for module, mine in ids.items() if mine == common}
    return agreeing, [parts[module] for module, mine in ids.items() if mine != common]
