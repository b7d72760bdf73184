"""The log that Iceboot keeps until somebody prints it."""

from __future__ import annotations

from collections import deque
from typing import Final

KEPT: Final = 100


class BootLog:
    """Lines, the oldest first; more than a hundred are not kept."""

    def __init__(self) -> None:
        self.enabled, self.level = True, 1
        self._lines: deque[str] = deque(maxlen=KEPT)

    def add(self, milliseconds: int, text: str) -> None:
        """Note something, if it is to be noted."""
        if self.enabled:
            self._lines.append(f"{milliseconds} {text}")

    def take(self) -> list[str]:
        """All of it; it is forgotten."""
        lines = list(self._lines)
        self._lines.clear()
        return lines
