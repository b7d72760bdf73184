"""Receive slots: memory for whole blocks, allocated and touched once, lent to those who work on a train."""

from __future__ import annotations

import threading
from collections import deque
from typing import Final

import numpy as np

from pipeline.daq.packets import DATAGRAM_BYTES, PAYLOAD_BYTES, packets_for
from pipeline.model import U8


class Slot:
    """Memory for one block, lent out and counted back."""

    __slots__ = ("_holders", "_pool", "bytes", "view")

    def __init__(self, capacity_bytes: int, pool: SlotPool) -> None:
        # A short last datagram arrives with its trailer behind it, hence room for one whole datagram more.
        size = packets_for(capacity_bytes) * PAYLOAD_BYTES + DATAGRAM_BYTES
        self.bytes: U8 = np.ones(size, np.uint8)  # ones, not empty: the first touch of memory is slow
        self.view: Final = self.bytes.data
        self._pool, self._holders = pool, 1

    def hold(self, holders: int) -> None:
        """Say how many will call `release`; before any of them gets the slot."""
        self._holders = holders

    def release(self) -> None:
        """Give the slot back; the last of the holders returns it to its pool."""
        with self._pool.lock:
            self._holders -= 1
            if self._holders == 0:
                self._holders = 1
                self._pool.free.append(self)
                self._pool.returned.notify()


class SlotPool:
    """The slots of one module."""

    def __init__(self, count: int, capacity_bytes: int) -> None:
        self.count, self.capacity_bytes = count, capacity_bytes
        self.lock: Final = threading.Lock()
        self.returned: Final = threading.Condition(self.lock)
        self.free: Final[deque[Slot]] = deque(Slot(capacity_bytes, self) for _ in range(count))

    def take(self, wait_s: float = 0.0) -> Slot | None:
        """A free slot, waiting at most *wait_s* seconds for one; None when all are lent out."""
        with self.lock:
            if not self.free and wait_s > 0:
                self.returned.wait_for(lambda: bool(self.free), wait_s)
            return self.free.popleft() if self.free else None
