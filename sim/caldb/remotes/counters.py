"""What a remote counts: requests, refusals, how fast they come and how many wait."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

WINDOW_S: Final = 10


class Counters:
    """Numbers since the start. *monotonic_s* is wall time: clients' patience does not follow the bench's clock."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._seconds: deque[tuple[int, int]] = deque(maxlen=WINDOW_S + 1)
        self.requests = 0
        self.answered = 0
        self.refused: Counter[str] = Counter()
        self.waiting = 0
        self.highest_waiting = 0
        self.highest_requests_per_s = 0
        self.slowest_answer_s = 0.0
        self.kills = 0

    def came(self) -> None:
        """A request came in."""
        self.requests += 1
        second = int(self._monotonic_s())
        count = 1
        if self._seconds and self._seconds[-1][0] == second:
            count += self._seconds.pop()[1]
        self._seconds.append((second, count))
        self.highest_requests_per_s = max(self.highest_requests_per_s, count)

    def waits(self, waiting: int) -> None:
        """So many requests wait now, behind the one that is worked on."""
        self.waiting = waiting
        self.highest_waiting = max(self.highest_waiting, waiting)

    def took(self, seconds: float) -> None:
        """An answer was ready so long after its request came."""
        self.slowest_answer_s = max(self.slowest_answer_s, seconds)

    def content(self) -> dict[str, Any]:
        """All of them by name."""
        since = int(self._monotonic_s()) - WINDOW_S
        recent = sum(count for second, count in self._seconds if second > since)
        return {
            "requests": self.requests,
            "answered": self.answered,
            "refused": dict(self.refused),
            "waiting": self.waiting,
            "highest_waiting": self.highest_waiting,
            "requests_per_s": recent / WINDOW_S,
            "highest_requests_per_s": self.highest_requests_per_s,
            "slowest_answer_s": self.slowest_answer_s,
            "kills": self.kills,
        }
