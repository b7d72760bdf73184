"""Whether a message that nobody takes at once waits for a receiver, or is lost."""

from __future__ import annotations

from enum import StrEnum, auto
from typing import Final

PATIENCE_S: Final = 1.0
"""With policy drop: how long start and end messages, and images that were held, wait for a receiver that is there."""


class Policy(StrEnum):
    """What happens to an image that no receiver takes at once."""

    BLOCK = auto()
    """It waits, and the acquisition with it. Hardware never does; for benches that must lose nothing."""
    DROP = auto()
    """It is dropped and counted, as on hardware; also when no client is connected."""


class Patience:
    """The policy, with its exceptions: what was held back through no receiver's fault is not lost for coming late."""

    def __init__(self, policy: Policy) -> None:
        self._blocks = policy is Policy.BLOCK
        self._granted = 0
        self._stuck_since: float | None = None

    @property
    def for_images(self) -> bool:
        """Whether the next image may wait at all."""
        return self._blocks or self._granted > 0

    @property
    def limit_s(self) -> float | None:
        """How long something may wait; None: for ever."""
        return None if self._blocks else PATIENCE_S

    def grant(self, images: int) -> None:
        """So many images were held and may wait."""
        self._granted = images

    def handled(self, images: int) -> None:
        """So many images were sent or dropped."""
        self._granted = max(0, self._granted - images)

    def taken(self) -> None:
        """A receiver has taken something."""
        self._stuck_since = None

    def allows(self, now_s: float, *, peers: int, control: bool) -> bool:
        """Whether the message that is stuck now goes on waiting. *control*: a start or end message."""
        if self._blocks:
            return True
        if not peers or not (control or self._granted):
            return False
        if self._stuck_since is None:
            self._stuck_since = now_s
        if now_s - self._stuck_since < PATIENCE_S:
            return True
        self._granted = 0
        return False
