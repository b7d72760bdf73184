"""Memory that all remotes of a catalogue may hold together: what clients bring and what they have not yet fetched."""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any

from numpy.typing import NDArray


class Budget:
    """Counts bytes. Taken by one thread; given back by any, also in the middle of another statement.

    ZeroMQ lets go of what it has sent in a thread of its own, and the last reference may end anywhere. So what comes
    back is only noted, without a lock, and counted when somebody takes.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self._held = 0
        self._returned: deque[int] = deque()

    @property
    def held(self) -> int:
        """Bytes that are taken now."""
        while self._returned:
            self._held -= self._returned.popleft()
        return self._held

    def take(self, count: int) -> bool:
        """Take bytes, if there are so many."""
        if self.held + count > self.most_bytes:
            return False
        self._held += count
        return True

    def give(self, count: int) -> None:
        """Give bytes back."""
        self._returned.append(count)

    def give_when_gone(self, data: NDArray[Any], count: int) -> None:
        """Give bytes back when the last reference to an array is gone, that is, when ZeroMQ has sent it."""
        weakref.finalize(data, self.give, count).atexit = False
