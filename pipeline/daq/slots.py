"""Receive slots: memory for whole blocks, allocated and touched once, lent to those who work on a train."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final

import numpy as np

from pipeline.daq.packets import DATAGRAM_BYTES, PAYLOAD_BYTES, TOGETHER, packets_for
from pipeline.model import U8


class Slot:
    """Memory for one block."""

    __slots__ = ("_pool", "bytes", "view")

    def __init__(self, capacity_bytes: int, pool: SlotPool) -> None:
        # Several datagrams may arrive together at the end of the block, hence room for as many more.
        size = packets_for(capacity_bytes) * PAYLOAD_BYTES + TOGETHER * DATAGRAM_BYTES
        self.bytes: U8 = np.ones(size, np.uint8)  # ones, not empty: the first touch of memory is slow
        self.view: Final = self.bytes.data
        self._pool = pool

    def release(self) -> None:
        """Give the slot back to its pool; once."""
        with self._pool.lock:
            self._pool.free.append(self)
            self._pool.returned.notify()


class SharedRelease:
    """Calls *release* when all of its holders have called it."""

    __slots__ = ("_holders", "_lock", "_release")

    def __init__(self, release: Callable[[], None], holders: int) -> None:
        self._release, self._holders = release, holders
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """One holder has done with it."""
        with self._lock:
            self._holders -= 1
            last = self._holders == 0
        if last:
            self._release()


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
