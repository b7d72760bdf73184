"""Rates and times of flight, measured as trains pass."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

WINDOW_S: Final = 5.0
BUCKETS_S: Final = (0.02, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Upper limits of the histogram's buckets."""


class Rate:
    """Events in each second over the last five."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._events = now, deque[tuple[float, float]]()
        self._lock = threading.Lock()

    def add(self, amount: float = 1.0) -> None:
        """Something happened."""
        with self._lock:
            self._events.append((self._now(), amount))
            self._forget()

    @property
    def per_second(self) -> float:
        """Amount in each second."""
        with self._lock:
            self._forget()
            return round(sum(amount for _, amount in self._events) / WINDOW_S, 3)

    def _forget(self) -> None:
        oldest = self._now() - WINDOW_S
        while self._events and self._events[0][0] < oldest:
            self._events.popleft()


class Histogram:
    """How often times fell into which bucket."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0
        self._recent: deque[float] = deque(maxlen=600)

    def add(self, seconds: float) -> None:
        """One more time."""
        bucket = next((k for k, limit in enumerate(BUCKETS_S) if seconds <= limit), len(BUCKETS_S))
        self.counts[bucket] += 1
        self.sum_s += seconds
        self._recent.append(seconds)

    def buckets(self) -> dict[str, Any]:
        """Counts up to each limit, and the sum of all times in seconds, since the start."""
        limits = [*(str(limit) for limit in BUCKETS_S), "+Inf"]
        return {
            "buckets": list(zip(limits, itertools.accumulate(self.counts), strict=True)),
            "sum": round(self.sum_s, 6),
        }

    def describe(self) -> dict[str, float]:
        """Quantiles of the last 600 times, in milliseconds."""
        ordered = sorted(self._recent.copy())
        if not ordered:
            return {}
        last = len(ordered) - 1
        return {f"p{q}": round(1e3 * ordered[round(last * q / 100)], 1) for q in (50, 90, 99)} | {
            "max": round(1e3 * ordered[-1], 1)
        }
