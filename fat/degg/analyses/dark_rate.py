"""Dark rates from scalers, and when a rate is alarming (fat.md sections 7 and 8)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.units import TICK_S

Discriminator = Literal["fir", "adc"]
MOST_FIR_HZ: Final = 100_000.0
"""A median rate of a filtered scaler above this is an error of the readout: 10 000 counts of 100 ms (fat.md section 7),
whatever the period. A warm photomultiplier with four times its dark rate counts 40 000 a second."""
LEAST_PEAK_V: Final = 1e-3
MOST_PEAK_V: Final = 10e-3
"""Between these lies the height of a photoelectron, or its threshold means nothing."""
WINDOWS: Final[dict[Discriminator, tuple[tuple[float, float, float], ...]]] = {
    "fir": ((-12.0, 2600.0, 4000.0), (0.0, 3300.0, 4800.0), (math.inf, 6500.0, 11_000.0)),
    "adc": ((-12.0, 3500.0, 6000.0), (0.0, 5000.0, 8000.0), (math.inf, 8200.0, 14_000.0)),
}
"""(colder than, C; notice, Hz; alarm, Hz)."""


@dataclass(frozen=True, slots=True)
class DarkRate:
    """A rate from a scaler."""

    rate_hz: float
    """Corrected for dead time."""
    error_hz: float
    """From how much the counts differ, so that pulses which follow each other are in it."""
    counts: int
    live_s: float
    overdispersion: float
    """Variance of the counts over their mean: 1 for pulses that know nothing of each other."""


def dark_rate(counts: NDArray[Any], period_s: float, dead_cycles: int) -> DarkRate:
    """N / (T - N x dead time), from the counts (n) of n periods. NaN without any period."""
    counts = np.asarray(counts, float)
    if not counts.size:
        nan = float("nan")
        return DarkRate(nan, nan, 0, 0.0, nan)
    total, seconds, dead = float(counts.sum()), counts.size * period_s, dead_cycles * TICK_S
    live = seconds - total * dead
    if live <= 0:
        return DarkRate(math.inf, math.inf, int(total), 0.0, float("nan"))
    rate = total / live
    spread = float(counts.var(ddof=1) / counts.mean()) if counts.size > 1 and total > 0 else 1.0
    error = math.sqrt(max(spread, 1.0) * max(total, 1.0)) / total * rate if total else 1.0 / seconds
    return DarkRate(rate, error, int(total), live, spread)


def flood_hz(counts: NDArray[np.int64], period_s: float) -> float | None:
    """The median rate, Hz, of a filtered scaler that floods; None for one that does not.

    counts    (n), one of each period
    period_s  of a count
    """
    rate_hz = float(np.median(counts)) / period_s
    return rate_hz if rate_hz > MOST_FIR_HZ else None


def limits_at(celsius: float, by: Discriminator) -> tuple[float, float]:
    """Rates that are worth a notice, and an alarm, Hz, of a photomultiplier at this temperature."""
    for below, notice, alarm in WINDOWS[by]:
        if celsius < below:
            return notice, alarm
    return WINDOWS[by][-1][1:]


def judged(rate_hz: float, celsius: float, by: Discriminator) -> str | None:
    """`notice` or `alarm`, or None for a healthy rate."""
    notice, alarm = limits_at(celsius, by)
    if not math.isfinite(rate_hz) or rate_hz > alarm:
        return "alarm"
    return "notice" if rate_hz > notice else None
