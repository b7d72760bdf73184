"""Bounded queues between the stages, each with a named policy and a count of what it dropped."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from enum import StrEnum
from typing import Final, Generic, TypeVar

T = TypeVar("T")


class Policy(StrEnum):
    """What a full queue does with one more item."""

    BLOCK = "block"
    DROP_OLDEST = "drop_oldest"
    DROP_NEWEST = "drop_newest"


class BoundedQueue(Generic[T]):
    """A queue of at most *depth* items.

    dropped   called with every item that is dropped, so that its memory goes back
    """

    def __init__(self, name: str, depth: int, policy: Policy, dropped: Callable[[T], None]) -> None:
        self.name, self.depth, self.policy = name, depth, policy
        self._dropped = dropped
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self._in_work = 0
        self.counters: Final[Counter[str]] = Counter()

    def put(self, item: T) -> None:
        """Add an item; a full queue blocks or drops, as its policy says. After `close` items are dropped."""
        victim: T | None = None
        with self._changed:
            if self.policy is Policy.BLOCK:
                if len(self._items) >= self.depth:
                    self.counters["blocked"] += 1
                self._changed.wait_for(lambda: self._closed or len(self._items) < self.depth)
            if self._closed:
                victim = item
                self.counters["dropped_closed"] += 1
            elif len(self._items) < self.depth:
                self._append(item)
            elif self.policy is Policy.DROP_OLDEST:
                victim = self._items.popleft()
                self.counters["dropped_oldest"] += 1
                self._append(item)
            else:
                victim = item
                self.counters["dropped_newest"] += 1
        if victim is not None:
            self._dropped(victim)

    def _append(self, item: T) -> None:
        self._items.append(item)
        self.counters["items"] += 1
        self._changed.notify_all()

    def get(self, timeout_s: float | None = None) -> T | None:
        """The next item; None after *timeout_s* or when closed and empty. Call `done` after the work."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items), timeout_s)
            if not self._items:
                return None
            self._in_work += 1
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def done(self) -> None:
        """Say that the item that `get` gave has been worked on."""
        with self._changed:
            self._in_work -= 1
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Wait until nothing is queued or worked on; whether that came about in time."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._items and not self._in_work, timeout_s)

    def close(self) -> None:
        """Take no more items; those inside can still be got."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    @property
    def busy(self) -> bool:
        """Whether anything is queued or worked on."""
        with self._changed:
            return bool(self._items) or self._in_work > 0

    def __len__(self) -> int:
        return len(self._items)
