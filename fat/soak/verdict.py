"""From samples to a verdict. Pure: leaks by a robust slope, stalls by the longest silence."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from fat.soak.ledger import Ledger

LEAK_MB_PER_HOUR: Final = 60.0
"""Growth of the memory of all processes that is still taken as settling."""
LEAK_MB: Final = 48.0
""" … and the least that must have been gained to speak of a leak."""
STALL_S: Final = 8.0
SHORTEST_FOR_LEAKS_S: Final = 120.0


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


@dataclass(slots=True)
class Verdict:
    """PASS or FAIL, and why."""

    passed: bool = True
    sentences: list[str] = field(default_factory=list)

    def fail(self, sentence: str) -> None:
        """One more reason to fail."""
        self.passed = False
        self.sentences.append(sentence)


def judge(samples: Sequence[Sample], ledger: Ledger, seconds: float) -> Verdict:
    """Judge a soak."""
    verdict = Verdict()
    if ledger.sent == 0 or not samples:
        verdict.fail("nothing was sent")
        return verdict
    if ledger.unexplained:
        verdict.fail(f"{ledger.unexplained} of {ledger.sent} module trains were lost without a reason")
    silence = longest_silence_s(samples)
    if silence > STALL_S:
        verdict.fail(f"nothing came out for {silence:.0f} s while trains were sent")
    growth = growth_mb_per_hour(samples)
    if growth is None or seconds < SHORTEST_FOR_LEAKS_S:
        verdict.sentences.append(f"too short to judge leaks ({seconds:.0f} s)")
    elif growth > LEAK_MB_PER_HOUR and growth * seconds / 7200 > LEAK_MB:
        verdict.fail(f"memory grows by {growth:.0f} MB in an hour")
    else:
        verdict.sentences.append(f"memory grows by {growth:.0f} MB in an hour over the second half")
    if verdict.passed:
        verdict.sentences.insert(
            0, f"{ledger.sent} module trains sent, {ledger.lost} lost, each with a reason"
        )
    return verdict


def longest_silence_s(samples: Sequence[Sample]) -> float:
    """The longest time in which trains were sent and none came out."""
    longest, since = 0.0, samples[0].at_s
    for before, after in itertools.pairwise(samples):
        if after.trains_out != before.trains_out or not after.sending:
            since = after.at_s
        longest = max(longest, after.at_s - since)
    return longest


def growth_mb_per_hour(samples: Sequence[Sample]) -> float | None:
    """Median slope between all pairs of samples of the second half (Theil and Sen); None with too few."""
    half = [(s.at_s, sum(s.memory_mb.values())) for s in samples[len(samples) // 2 :] if s.memory_mb]
    half = half[:: max(1, len(half) // 120)]
    slopes = [(y2 - y1) / (x2 - x1) for i, (x1, y1) in enumerate(half) for x2, y2 in half[i + 1 :] if x2 > x1]
    return 3600 * median(slopes) if len(slopes) >= 3 else None
