"""The time of a clock that others move, shown in memory: participants on this machine look instead of asking.

Two cells of eight bytes, in this machine's byte order, hold the same nanoseconds. They are written one after the other
and read the other way round: a reader who finds two different numbers has come in between, and asks.
"""

from __future__ import annotations

import mmap
import os
from typing import Final

CELL_BYTES: Final = 8
BYTES: Final = 2 * CELL_BYTES


class ShownTime:
    """The memory of one clock. It belongs to no folder and is gone with the process."""

    def __init__(self) -> None:
        self._descriptor = os.memfd_create("bench time", os.MFD_CLOEXEC)
        os.ftruncate(self._descriptor, BYTES)
        self._memory = mmap.mmap(self._descriptor, BYTES)
        self._cells = memoryview(self._memory).cast("q")

    @property
    def path(self) -> str:
        """Where other processes of this user open it, to read."""
        return f"/proc/{os.getpid()}/fd/{self._descriptor}"

    def show(self, now: int) -> None:
        """From now on it is that time. To be called before anybody is told it."""
        self._cells[0] = now
        self._cells[1] = now

    def close(self) -> None:
        """Take the path away; who has opened it keeps the last time."""
        self._cells.release()
        self._memory.close()
        os.close(self._descriptor)
