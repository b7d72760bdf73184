"""Time from one pulse to the next, in the dark: which pulses follow others, and how soon."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.units import TICK_S

LOW: Final = -7.0
HIGH: Final = 0.0
BINS: Final = 70
"""Of log10(delta t / s)."""
SOON_S: Final = 100e-6
"""Correlated pulses follow within that time; beyond it gaps are by chance."""
LATE_S: Final = 200e-6


@dataclass(frozen=True, slots=True)
class DeltaT:
    """A histogram of gaps and what it says."""

    edges: NDArray[np.float64]
    """(b + 1) log10 of seconds."""
    counts: NDArray[np.int64]
    """(b)"""
    chance_hz: float
    """Rate of pulses that know nothing of each other: the slope of long gaps."""
    rate_hz: float
    """Of all pulses: the mean gap's."""
    correlated: float
    """Share of pulses that follow another within 100 us beyond what chance makes."""
    gaps: int


def delta_t(ticks: NDArray[Any], blocks: NDArray[Any] | None = None) -> DeltaT:
    """From times of pulses (n), ticks of 240 MHz.

    blocks  (n) the number of the block that a pulse came in; a gap from one block into the next is left out, because
            pulses may have been lost between them
    """
    gaps: NDArray[np.float64] = np.diff(np.asarray(ticks, np.int64)).astype(np.float64) * TICK_S
    if blocks is not None:
        gaps = gaps[np.diff(np.asarray(blocks)) == 0]
    gaps = gaps[gaps > 0]
    counts, edges = np.histogram(np.log10(gaps) if gaps.size else gaps, BINS, (LOW, HIGH))
    if gaps.size < 2:
        nan = float("nan")
        return DeltaT(edges, counts, nan, nan, nan, int(gaps.size))
    late = gaps[gaps > LATE_S] - LATE_S
    # Gaps by chance have no memory: what is left of those beyond a moment is exponential again.
    chance = late.size / float(late.sum()) if late.size else float("nan")
    alone = 1.0 - math.exp(-chance * SOON_S) if math.isfinite(chance) else 0.0
    soon = float((gaps < SOON_S).mean())
    correlated = max(0.0, (soon - alone) / (1.0 - alone)) if alone < 1.0 else float("nan")
    return DeltaT(edges, counts, chance, gaps.size / float(gaps.sum()), correlated, int(gaps.size))


def by_chance(edges: NDArray[np.float64], chance_hz: float, gaps: float) -> NDArray[np.float64]:
    """Gaps expected in each bin (b) of log10(seconds), if *gaps* of them are by chance."""
    left = np.exp(-chance_hz * 10.0 ** np.asarray(edges, float))
    return np.asarray(gaps * (left[:-1] - left[1:]))
