"""The bench's time as it shows it in memory (docs/architecture.md, The clock): looking costs no message."""

from __future__ import annotations

import mmap
import os
from typing import Final

BYTES: Final = 16


class ShownTime:
    """The memory of a bench's clock, read only. Raises OSError or ValueError when it is not there."""

    def __init__(self, path: str) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._memory = mmap.mmap(descriptor, BYTES, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        self._cells = memoryview(self._memory).cast("q")

    def look(self) -> int | None:
        """Simulated nanoseconds; None while they are being written."""
        # The other way round than they are written: an old second cell says that the first may be newer.
        second, first = self._cells[1], self._cells[0]
        return first if first == second else None

    def close(self) -> None:
        """Look no more."""
        self._cells.release()
        self._memory.close()
