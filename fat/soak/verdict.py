"""From samples to a verdict. Pure: leaks by a robust slope with its uncertainty, stalls by the longest silence."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from fat.soak.ledger import Ledger

LEAK_MB_PER_HOUR: Final = 60.0
"""Growth of the memory of all processes that is still taken as settling."""
STALL_S: Final = 8.0
SHORTEST_FOR_LEAKS_S: Final = 120.0
MOST_HANDLES_GAINED: Final = 20
"""Open files and sockets, and threads, that may come and go."""
SLOPE_POINTS: Final = 40
"""Medians of so many stretches make the slope: neighbouring samples are not independent."""
CONFIDENT: Final = 1.96
"""Standard deviations of Kendall's statistic for 95 %."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One look at the bench."""

    at_s: float
    trains_out: int
    trains_per_s: float
    images_per_s: float
    p50_ms: float
    p99_ms: float
    memory_mb: dict[str, float]
    """Proportional set size by process."""
    handles: int
    """Open files and sockets of all processes."""
    sending: bool
    threads: int = 0
    """Of all processes."""
    waiting: int = 0
    """Module parts in the queues of the pipeline."""
    disk_free_mb: float = 0.0
    """Where the runs are written."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Growth of memory over the second half, MB in an hour."""

    per_hour: float
    low: float
    high: float
    """Limits of the 95 % confidence interval."""


@dataclass(slots=True)
class Verdict:
    """PASS or FAIL, and why."""

    passed: bool = True
    sentences: list[str] = field(default_factory=list)

    def fail(self, sentence: str) -> None:
        """One more reason to fail."""
        self.passed = False
        self.sentences.append(sentence)


def judge(samples: Sequence[Sample], ledger: Ledger, seconds: float, problems: Sequence[str] = ()) -> Verdict:
    """Judge a soak. *problems* are stages that are in ERROR at the end, with their reasons."""
    verdict = Verdict()
    book = ledger.acquisition
    if book.entered == 0 or not samples:
        verdict.fail("nothing was sent")
        return verdict
    if book.unexplained:
        verdict.fail(f"{book.unexplained} of {book.entered} module trains were lost without a reason")
    if ledger.correction.unexplained:
        verdict.fail(
            f"{ledger.correction.unexplained} of {ledger.correction.entered} received module trains never came out, "
            "and no counter says why"
        )
    silence = longest_silence_s(samples)
    if silence > STALL_S:
        verdict.fail(f"nothing came out for {silence:.0f} s while trains were sent")
    for problem in problems:
        verdict.fail(problem)
    _judge_growth(verdict, samples, seconds)
    if verdict.passed:
        verdict.sentences.insert(
            0, f"{book.entered} module trains sent, {ledger.lost} lost, each with a reason"
        )
    return verdict


def _judge_growth(verdict: Verdict, samples: Sequence[Sample], seconds: float) -> None:
    growth = growth_of(samples)
    if growth is None or seconds < SHORTEST_FOR_LEAKS_S:
        verdict.sentences.append(f"too short to judge leaks ({seconds:.0f} s)")
        return
    said = f"memory grows by {growth.per_hour:.0f} MB in an hour ({growth.low:.0f} to {growth.high:.0f})"
    if growth.low > LEAK_MB_PER_HOUR:
        verdict.fail(said)
    else:
        verdict.sentences.append(f"{said} over the second half")
    for name, values in (
        ("open files", [s.handles for s in samples]),
        ("threads", [s.threads for s in samples]),
    ):
        gained = round(_end(values) - _middle(values))
        if gained > MOST_HANDLES_GAINED:
            verdict.fail(f"{gained} {name} more at the end than in the middle")


def longest_silence_s(samples: Sequence[Sample]) -> float:
    """The longest time in which trains were sent and none came out."""
    longest, since = 0.0, samples[0].at_s
    for before, after in itertools.pairwise(samples):
        if after.trains_out != before.trains_out or not after.sending:
            since = after.at_s
        longest = max(longest, after.at_s - since)
    return longest


def growth_of(samples: Sequence[Sample]) -> Growth | None:
    """Median slope between all pairs of stretches of the second half (Theil and Sen); None with too few.

    The interval is that of Sen (1968): from the variance of Kendall's statistic.
    """
    half = [(s.at_s, sum(s.memory_mb.values())) for s in samples[len(samples) // 2 :] if s.memory_mb]
    points = [
        (median(x for x, _ in stretch), median(y for _, y in stretch))
        for stretch in _stretches(half, SLOPE_POINTS)
    ]
    slopes = sorted(
        (y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(points) for x2, y2 in points[i + 1 :] if x2 > x1
    )
    if len(slopes) < 3:
        return None
    n = len(points)
    apart = CONFIDENT * math.sqrt(n * (n - 1) * (2 * n + 5) / 18) / 2
    low = max(0, math.floor(len(slopes) / 2 - apart))
    high = min(len(slopes) - 1, math.ceil(len(slopes) / 2 + apart))
    return Growth(3600 * median(slopes), 3600 * slopes[low], 3600 * slopes[high])


def _stretches(points: list[tuple[float, float]], count: int) -> list[list[tuple[float, float]]]:
    length = max(1, -(-len(points) // count))
    return [points[start : start + length] for start in range(0, len(points), length)]


def _middle(values: Sequence[int]) -> float:
    return median(values[len(values) // 3 : 2 * len(values) // 3 + 1])


def _end(values: Sequence[int]) -> float:
    return median(values[-max(1, len(values) // 10) :])
