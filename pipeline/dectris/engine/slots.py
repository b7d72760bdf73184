"""The slab: memory for packed frames between receiver and workers, taken once, given back and forth."""

from __future__ import annotations

import queue
from typing import Final

import numpy as np

from pipeline.dectris.engine.settings import Settings

MAX_CHANNELS: Final = 8
AT_WORK: Final = 8
"""Slots that may be in use without anything being late."""


class Slot:
    """Room for one stack of frames."""

    def __init__(self, at: int, settings: Settings, channels: int) -> None:
        stack = settings.frame_stack_size
        self.at = at
        """Where it begins in the slab."""
        self.frames = np.zeros(stack, np.int64)
        self.offsets = np.zeros((channels, stack), np.int64)
        self.lengths = np.zeros((channels, stack), np.int64)
        self.digests = np.zeros((stack, 16), np.uint8)


class Slab:
    """All slots. `take` and `give_back` may be called from any thread."""

    def __init__(self, settings: Settings, channels: int) -> None:
        self.settings, self.channels = settings, channels
        # The system gives the pages when they are first written: slots that are never needed cost nothing.
        self.data = np.zeros(settings.slab_bytes, np.uint8)
        self._free: queue.LifoQueue[Slot] = queue.LifoQueue()
        for number in range(settings.num_slots):
            self._free.put(Slot(number * settings.slot_bytes, settings, channels))
        self.used_max = 0

    def take(self, timeout_s: float | None) -> Slot | None:
        """A free slot; None after *timeout_s*, or at once when that is None."""
        try:
            slot = self._free.get(block=timeout_s is not None, timeout=timeout_s)
        except queue.Empty:
            return None
        self.used_max = max(self.used_max, self.settings.num_slots - self._free.qsize())
        return slot

    @property
    def scarce(self) -> bool:
        """Whether three quarters of the slots are in use, and more than a few: reducing has fallen behind."""
        used = self.settings.num_slots - self._free.qsize()
        return used > max(AT_WORK, 3 * self.settings.num_slots // 4)

    def give_back(self, slot: Slot) -> None:
        """The slot's frames are done with."""
        self._free.put(slot)
