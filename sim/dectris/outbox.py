"""Messages on their way to the stream's socket: a bounded queue with a rule for when it is full."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import StrEnum, auto
from typing import Final

from sim.dectris.messages import Parts

CONTROL_ROOM: Final = 64
"""Start and end messages that fit beyond the limit, so that a full queue still learns of the end."""


class Policy(StrEnum):
    """What happens to an image when the queue is full."""

    BLOCK = auto()
    """The acquisition waits. Hardware never does; for benches that must lose nothing."""
    DROP = auto()
    """The image is dropped and counted, as on hardware; also when no client is connected."""


class Outbox:
    """First in, first out. Holds at most *limit* messages, and some start and end messages beyond.

    `on_put` is called after each message that was accepted.
    """

    def __init__(self, policy: Policy, limit: int) -> None:
        self.policy, self.limit = policy, limit
        self.dropped = 0
        """Images not delivered since the last arm."""
        self.on_put: Callable[[], None] = _nobody
        self._waiting: deque[tuple[Parts, bool]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def holds_back(self) -> bool:
        """Whether the acquisition must wait for room."""
        return self.policy is Policy.BLOCK and len(self._waiting) >= self.limit

    def put_image(self, parts: Parts) -> None:
        """Queue an image; a full queue drops it, counted."""
        if len(self._waiting) >= self.limit:
            self.dropped += 1
            return
        self._waiting.append((parts, True))
        self.on_put()

    def put_control(self, parts: Parts) -> None:
        """Queue a start or end message; when even their own room is used up, the oldest message goes."""
        if len(self._waiting) >= self.limit + CONTROL_ROOM:
            self._waiting.popleft()
        self._waiting.append((parts, False))
        self.on_put()

    def take(self) -> tuple[Parts, bool] | None:
        """The next message and whether it is an image, or None."""
        return self._waiting.popleft() if self._waiting else None

    def discard_images(self) -> None:
        """Forget images that nobody took yet (abort)."""
        kept = [(parts, is_image) for parts, is_image in self._waiting if not is_image]
        self.dropped += len(self._waiting) - len(kept)
        self._waiting = deque(kept)


def _nobody() -> None:
    """Before a socket is there, messages only wait."""
