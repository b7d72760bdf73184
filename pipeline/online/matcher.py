"""The matcher: gathered trains whose modules agree. Pure; fed one module at a time, with the time.

Every module part that is fed comes out exactly once: in one matched train, or dropped with a reason.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final, Generic

from pipeline.gathering import Gathered, Gathering, Refused
from pipeline.model import MatchedTrain, PartT, TrainClock


class Disagreement(StrEnum):
    """Why a gathered module part is in no matched train."""

    PULSES_DIFFER = "pulses_differ"
    """Its pulse or cell ids are not those of most modules."""
    TOO_FEW_MODULES = "too_few_modules"
    """Its train had fewer modules than the least number when its deadline came."""
    MANDATORY_MISSING = "mandatory_missing"
    """Its train lacked a module without which no train goes on."""


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
        self.min_modules = min_modules
        self.mandatory: frozenset[int] = frozenset()
        self._train_clock = train_clock
        self._gathering = Gathering[PartT](modules, deadline_s, max_waiting, may_restart=True)
        self.counters: Final = self._gathering.counters

    def feed(self, part: PartT, now_s: float) -> list[MatchedTrain[PartT] | Refused[PartT]]:
        """Take a module part; what is settled by it, in the order of train ids."""
        return self._match(self._gathering.feed(part, now_s))

    def due(self, now_s: float) -> list[MatchedTrain[PartT] | Refused[PartT]]:
        """What need not, or cannot, wait any longer. Later trains wait for earlier ones."""
        return self._match(self._gathering.due(now_s))

    def flush(self) -> list[MatchedTrain[PartT] | Refused[PartT]]:
        """Settle all that wait; afterwards train ids may begin anew."""
        return self._match([*self._gathering.flush()])

    @property
    def modules(self) -> int:
        """How many modules there are."""
        return self._gathering.modules

    @property
    def deadline_s(self) -> float:
        """How long a train waits for its last modules."""
        return self._gathering.deadline_s

    @deadline_s.setter
    def deadline_s(self, value: float) -> None:
        self._gathering.deadline_s = value

    def __len__(self) -> int:
        return len(self._gathering)

    def _match(
        self, settled: list[Gathered[PartT] | Refused[PartT]]
    ) -> list[MatchedTrain[PartT] | Refused[PartT]]:
        out: list[MatchedTrain[PartT] | Refused[PartT]] = []
        for item in settled:
            out += [item] if isinstance(item, Refused) else self._agree(item)
        return out

    def _agree(self, train: Gathered[PartT]) -> list[MatchedTrain[PartT] | Refused[PartT]]:
        agreeing, differing = _by_pulses(train.parts)
        dropped: list[MatchedTrain[PartT] | Refused[PartT]] = [
            self._gathering.refuse(p, Disagreement.PULSES_DIFFER) for p in differing
        ]
        if len(agreeing) < self.min_modules:
            self.counters["trains_given_up"] += 1
            return dropped + [
                self._gathering.refuse(part, Disagreement.TOO_FEW_MODULES) for part in agreeing.values()
            ]
        if not self.mandatory <= set(agreeing):
            self.counters["trains_given_up"] += 1
            return dropped + [
                self._gathering.refuse(part, Disagreement.MANDATORY_MISSING) for part in agreeing.values()
            ]
        complete = len(agreeing) == self.modules
        self.counters["trains_complete" if complete else "trains_incomplete"] += 1
        return [*dropped, MatchedTrain(train.train_id, agreeing, self._train_clock.unix_ns(train.train_id))]


def _by_pulses(
    parts: dict[int, PartT],
) -> tuple[dict[int, PartT], list[PartT]]:
    """Modules that agree with most on pulse and cell ids, by number, and those that do not."""
    ids = {module: part.pulse_id.tobytes() + part.cell_id.tobytes() for module, part in sorted(parts.items())}
    common = Counter(ids.values()).most_common(1)[0][0]
    agreeing = {module: parts[module] for module, mine in ids.items() if mine == common}
    return agreeing, [parts[module] for module, mine in ids.items() if mine != common]
