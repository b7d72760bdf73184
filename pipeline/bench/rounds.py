"""Measuring candidates in turn."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def side_by_side(
    candidates: Mapping[str, Callable[[], object]], rounds: int, warm_up: int = 2
) -> dict[str, float]:
    """Median seconds of each candidate over *rounds* rounds, in each of which all run in turn.

    Rounds of warming up come first and are not counted: the first touch of memory is slow. So drifts of a shared
    machine meet all candidates alike.
    """
    took: dict[str, list[float]] = {name: [] for name in candidates}
    for number in range(warm_up + rounds):
        for name, call in candidates.items():
            began = time.perf_counter()
            call()
            if number >= warm_up:
                took[name].append(time.perf_counter() - began)
    return {name: statistics.median(times) for name, times in took.items()}
