"""Charge stamps of several channels, put into the order of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from sim.degg.digitiser.recording.kernels import read_ticks
from sim.degg.digitiser.records import STAMP_BYTES

Rows = NDArray[np.uint8]
"""(n, STAMP_BYTES): stamps as they are sent."""


class Queue:
    """Stamps of one channel, in the order of time."""

    def __init__(self, data: bytes | bytearray) -> None:
        self.rows: Rows = np.frombuffer(bytes(data), np.uint8).reshape(-1, STAMP_BYTES)
        self.ticks: NDArray[np.int64] = np.empty(len(self.rows), np.int64)
        """(n) their times."""
        read_ticks(self.rows, self.ticks)

    def until(self, tick: float) -> int:
        """How many come not later than this."""
        return int(np.searchsorted(self.ticks, tick, "right"))

    def followed_by(self, later: Self) -> Self:
        """Both."""
        if not self.ticks.size:
            return later
        both = object.__new__(type(self))
        both.rows = np.concatenate([self.rows, later.rows])
        both.ticks = np.concatenate([self.ticks, later.ticks])
        return both

    def cut(self, start: int, stop: int) -> Self:
        """Some of them."""
        part = object.__new__(type(self))
        part.rows, part.ticks = self.rows[start:stop], self.ticks[start:stop]
        return part


def in_order(
    taken: Mapping[int, Sequence[Queue]], queues: Mapping[int, Queue], count: int
) -> tuple[Rows, NDArray[np.int64], dict[int, Rows]]:
    """The first *count* of what was taken of each channel, the lower channel first at the same tick.

    queues  what was not taken
    Returns the stamps, their ticks, and what is left of each channel: what was taken beyond the count, and its queue.
    """
    parts = [part for parts in taken.values() for part in parts]
    whose = np.repeat(list(taken), [sum(part.ticks.size for part in parts) for parts in taken.values()])
    rows = np.concatenate([np.empty((0, STAMP_BYTES), np.uint8), *(part.rows for part in parts)])
    ticks = np.concatenate([np.empty(0, np.int64), *(part.ticks for part in parts)])
    order = np.argsort(ticks, kind="stable")
    first, beyond = order[:count], order[count:]
    left = {ch: np.concatenate([rows[beyond[whose[beyond] == ch]], queues[ch].rows]) for ch in taken}
    return rows[first], ticks[first], left
