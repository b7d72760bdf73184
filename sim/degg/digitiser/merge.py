"""A block of charge stamps of several channels: how many each of them makes until it is full."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.degg.digitiser.queues import Queue, Rows, in_order

BATCH: Final = 32
"""Stamps that are asked of a channel at first, and at least."""
GROWTH: Final = 4
"""At most so many times what a channel has made already: rare events are noticed before much future is made."""
SPARE: Final = 1.03
"""Rates differ from one moment to the next."""


class Merge:
    """What channels have made for one block.

    left      stamps by channel that were made for an earlier block and not sent
    count     stamps of the block
    too_late  tick after which nothing is waited for
    """

    def __init__(self, left: Mapping[int, Queue], count: int, too_late: int) -> None:
        self._made, self._count, self._too_late = dict(left), count, too_late
        self._ended: set[int] = set()

    def asked(self) -> dict[int, int]:
        """How many stamps each channel is to make next; nothing: the block is full, or will not be."""
        running = [ch for ch in self._made if ch not in self._ended]
        until = min((self._last(ch) for ch in running), default=math.inf)
        if not running or until > self._too_late or sum(self._sure().values()) >= self._count:
            return {}
        if any(self._made[ch].ticks.size == 0 for ch in running):
            return {ch: BATCH for ch in running if self._made[ch].ticks.size == 0}
        # All go on to the moment at which the block will be full, if events go on to come as they have come.
        since = min(int(self._made[ch].ticks[0]) for ch in running)
        paces = {ch: self._made[ch].ticks.size / max(1.0, self._last(ch) - since) for ch in running}
        full = since + SPARE * self._count / sum(paces.values())
        found = {}
        for ch, pace in paces.items():
            lacking = math.ceil(pace * (full - self._last(ch)))
            if lacking > 0 or self._last(ch) == until:
                found[ch] = min(max(BATCH, lacking), max(BATCH, GROWTH * self._made[ch].ticks.size))
        return found

    def add(self, ch: int, data: bytes, *, goes_on: bool) -> None:
        """Stamps that a channel made; without more of them to come it is not asked again."""
        self._made[ch] = self._made[ch].followed_by(Queue(data))
        if not goes_on:
            self._ended.add(ch)

    def in_order(self) -> tuple[Rows, NDArray[np.int64], dict[int, Rows]]:
        """The stamps of the block in the order of time, their ticks, and what is left of each channel."""
        sure = self._sure()
        taken = {ch: [made.cut(0, sure[ch])] for ch, made in self._made.items()}
        rest = {ch: made.cut(sure[ch], made.ticks.size) for ch, made in self._made.items()}
        return in_order(taken, rest, self._count)

    def _last(self, ch: int) -> float:
        ticks = self._made[ch].ticks
        return float(ticks[-1]) if ticks.size else -math.inf

    def _sure(self) -> dict[int, int]:
        """How many stamps of each channel are known to come before all that is not made yet."""
        running = [(self._last(ch), ch) for ch in self._made if ch not in self._ended]
        last, whose = min(running, default=(math.inf, -1))
        found = {}
        for ch, made in self._made.items():
            # Of two stamps of one tick that of the first channel comes first.
            until = min(last if ch <= whose else last - 1, self._too_late)
            found[ch] = made.until(until)
        return found
