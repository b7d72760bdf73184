"""Gathered trains as a recording takes them: modules with another number of frames than most are left out."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import Final, TypeAlias

from pipeline.gathering import Gathered, Gathering, Refused
from pipeline.model import ModuleTrain

Settled: TypeAlias = list[Gathered[ModuleTrain] | Refused[ModuleTrain]]


class Difference(StrEnum):
    """Why a gathered module part is not recorded."""

    FRAME_COUNTS_DIFFER = "frame_counts_differ"
    """It has another number of frames than most modules: no reader could put such a train together."""


class Gatherer:
    """Pure, with an explicit time. What comes for a train that is out already is refused and counted."""

    def __init__(self, modules: int, deadline_s: float, max_waiting: int) -> None:
        self._gathering = Gathering[ModuleTrain](modules, deadline_s, max_waiting, may_restart=False)
        self.counters: Final = self._gathering.counters

    def feed(self, train: ModuleTrain, now_s: float) -> Settled:
        """What is settled by a part: trains to write, in increasing order, and parts that are refused."""
        return self._compared(self._gathering.feed(train, now_s))

    def due(self, now_s: float) -> Settled:
        """What need not or cannot wait any more."""
        return self._compared(self._gathering.due(now_s))

    def flush(self) -> Settled:
        """All that wait, complete or not."""
        return self._compared([*self._gathering.flush()])

    def __len__(self) -> int:
        return len(self._gathering)

    def _compared(self, settled: Settled) -> Settled:
        out: Settled = []
        for item in settled:
            if isinstance(item, Gathered):
                out += self._compare(item)
            out.append(item)
        return out

    def _compare(self, train: Gathered[ModuleTrain]) -> list[Refused[ModuleTrain]]:
        """Take the parts out that differ, and count what is missing."""
        counts = Counter(len(part.data) for part in train.parts.values())
        common = counts.most_common(1)[0][0]
        differing = [part for part in train.parts.values() if len(part.data) != common]
        for part in differing:
            del train.parts[part.module]
        pulses = Counter(part.pulse_id.tobytes() + part.cell_id.tobytes() for part in train.parts.values())
        self.counters["pulses_differ"] += len(train.parts) - pulses.most_common(1)[0][1]
        missing = self._gathering.modules - len(train.parts)
        self.counters["modules_missing"] += missing
        self.counters["trains_incomplete" if missing else "trains_complete"] += 1
        return [self._refused(part) for part in differing]

    def _refused(self, part: ModuleTrain) -> Refused[ModuleTrain]:
        self.counters[Difference.FRAME_COUNTS_DIFFER] += 1
        return Refused(part, Difference.FRAME_COUNTS_DIFFER)
