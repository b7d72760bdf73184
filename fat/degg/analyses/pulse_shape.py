"""Shapes of averaged waveforms: two pulses close together, a long burst, what follows a pulse (fat.md section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.pulses import BASELINE_SAMPLES, TICK_NS, VOLTS_PER_COUNT

FINE: Final = 8
"""Parts of a sample that the average tells apart."""
TRIGGER: Final = 16
"""Sample of the trigger."""
REACH: Final = 8
"""Samples after the trigger in which the first peak lies."""
EDGE: Final = 0.5
"""Share of the first peak at which its rise tells the moment."""
SECOND_NS: Final = (12.0, 30.0)
"""Where a second pulse may lie after the first."""
RIPPLE: Final = 24
"""Samples in which a burst of 50 MHz repeats itself: five pulses."""
PLATEAU: Final = 0.5
"""The burst is where its running mean is above this share of the highest."""
RECOVERED: Final = 200
"""Samples at the end of a long record in which nothing of the pulse is left."""


@dataclass(frozen=True, slots=True)
class DoublePulse:
    """Two pulses, averaged.

    at_ns, millivolts  (n) average of records shifted to their first pulse's rise
    separation_ns      between both peaks of that average
    peak_to_valley     of the first peak, and of the second, in the plain average of triggered records: limits and
                       public analysis are made for it, and its samples smear the valley a little
    """

    at_ns: NDArray[np.float64]
    millivolts: NDArray[np.float64]
    separation_ns: float
    peak_to_valley: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Burst:
    """A long burst, averaged.

    at_ns, millivolts  (n) average waveform after the trigger
    droop              share by which the end of the burst is lower than its beginning
    undershoot         depth below the baseline after the burst, as a share of the burst
    length_ns          of the burst
    """

    at_ns: NDArray[np.float64]
    millivolts: NDArray[np.float64]
    droop: float
    undershoot: float
    length_ns: float


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What follows single pulses in long records.

    at_ns, millivolts  (n) average waveform after the trigger
    residual           level at the end of the record, as a share of the peak
    after_pulses       pulses for each record from 100 ns after the trigger on
    after_hz           the same as a rate: dark counts are in it
    """

    at_ns: NDArray[np.float64]
    millivolts: NDArray[np.float64]
    residual: float
    after_pulses: float
    after_hz: float


def over_baseline(samples: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Records less the median of the first ten samples of all of them, counts."""
    baseline = np.float32(np.mean(np.median(samples[:, :BASELINE_SAMPLES], axis=1)))
    return samples.astype(np.float32) - baseline


def double_pulse(samples: NDArray[np.uint16]) -> DoublePulse | None:
    """Average two pulses, each record shifted to where its first pulse rises; None without two peaks.

    samples  (n, 300) counts
    """
    if samples.shape[0] == 0:
        return None
    signal = over_baseline(samples[:, : TRIGGER + 3 * REACH])
    at = _rises(signal)
    good = np.isfinite(at)
    if not good.any():
        return None
    fine = np.rint((np.arange(signal.shape[1]) - at[good, None]) * FINE).astype(np.int64)
    least, most = -4 * FINE, 2 * REACH * FINE
    inside = (fine >= least) & (fine < most)
    places = fine[inside] - least
    height = np.bincount(places, weights=signal[good][inside], minlength=most - least)
    count = np.bincount(places, minlength=most - least)
    smooth = _running(height, FINE // 2 + 1) / np.maximum(_running(count, FINE // 2 + 1), 1e-9)
    at_ns = np.arange(least, most) * TICK_NS / FINE
    plain = signal.mean(axis=0).astype(np.float64)
    return _two_peaks(at_ns, smooth * VOLTS_PER_COUNT * 1e3, plain)


def _rises(signal: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n) sample, with its fraction, at which each record passes half of its first peak; NaN where it does not."""
    window = signal[:, TRIGGER - 4 : TRIGGER + REACH]
    # The first pulse's peak: highest of the first five samples from the trigger on, before the second one comes.
    half = EDGE * signal[:, TRIGGER : TRIGGER + 4].max(axis=1)
    over = window >= half[:, None]
    first = np.argmax(over, axis=1)
    rows = np.flatnonzero(over.any(axis=1) & (first > 0) & (half > 0))
    found = np.full(signal.shape[0], np.nan)
    low, high = window[rows, first[rows] - 1], window[rows, first[rows]]
    found[rows] = TRIGGER - 4 + first[rows] - 1 + (half[rows] - low) / np.maximum(high - low, 1e-6)
    return found


def _running(values: NDArray[Any], width: int) -> NDArray[np.float64]:
    return np.convolve(values, np.ones(width), mode="same")


def _two_peaks(
    at_ns: NDArray[np.float64], height: NDArray[np.float64], plain: NDArray[np.float64]
) -> DoublePulse | None:
    """*plain* is the average of the records as they were triggered, in samples."""
    first, valley, second = _places(at_ns, height)
    plain_ns = np.asarray((np.arange(plain.size) - TRIGGER) * TICK_NS, np.float64)
    one, low, two = _places(plain_ns, plain)
    if not (first < valley < second and one < low < two) or plain[low] <= 0:
        return None
    separation = _vertex(at_ns, height, second) - _vertex(at_ns, height, first)
    ratios = (float(plain[one] / plain[low]), float(plain[two] / plain[low]))
    return DoublePulse(at_ns, height, separation, ratios)


def _places(at_ns: NDArray[np.float64], height: NDArray[np.float64]) -> tuple[int, int, int]:
    """Where the first peak, the valley and the second peak are."""
    first = int(np.argmax(np.where((at_ns > -TICK_NS) & (at_ns < SECOND_NS[0]), height, -np.inf)))
    later = at_ns - at_ns[first]
    second = int(np.argmax(np.where((later >= SECOND_NS[0]) & (later <= SECOND_NS[1]), height, -np.inf)))
    return first, first + int(np.argmin(height[first : second + 1])), second


def _vertex(at: NDArray[np.float64], height: NDArray[np.float64], peak: int) -> float:
    """Where a parabola through a peak's surroundings is highest."""
    near = slice(max(0, peak - 6), peak + 7)
    origin = at[peak]
    a, b, _ = np.polyfit(at[near] - origin, height[near], 2)
    return float(origin - b / (2 * a)) if a < 0 else float(origin)


def burst(samples: NDArray[np.uint16]) -> Burst | None:
    """Droop of a long burst; None without one.

    samples  (n, at least 200) counts
    """
    if samples.shape[0] == 0:
        return None
    mean = over_baseline(samples).mean(axis=0).astype(np.float64)
    smooth = np.convolve(mean, np.ones(RIPPLE) / RIPPLE, mode="valid")
    top = float(smooth.max())
    lit = np.flatnonzero(smooth > PLATEAU * top)
    # A running mean takes a whole repetition to rise; what is left of the plateau must hold two more.
    inside = smooth[lit[0] + RIPPLE // 2 : lit[-1] + 1 - RIPPLE // 2] if top > 0 else smooth[:0]
    if inside.size < 2 * RIPPLE:
        return None
    begin, end = float(inside[:RIPPLE].mean()), float(inside[-RIPPLE:].mean())
    after = mean[min(mean.size - 1, lit[-1] + 2 * RIPPLE) :]
    at_ns = (np.arange(mean.size) - TRIGGER) * TICK_NS
    return Burst(
        at_ns,
        mean * VOLTS_PER_COUNT * 1e3,
        1.0 - end / begin,
        max(0.0, -float(after.min()) / begin),
        float(lit[-1] - lit[0]) * TICK_NS,
    )


def aftermath(samples: NDArray[np.uint16], threshold_counts: float) -> Aftermath | None:
    """What follows pulses in records of 1000 samples; None without records.

    threshold_counts  over the baseline, from which a later pulse counts
    """
    if samples.shape[0] == 0:
        return None
    signal = over_baseline(samples)
    mean = signal.mean(axis=0).astype(np.float64)
    after = TRIGGER + 24
    over = signal[:, after:] >= threshold_counts
    rises = int((over[:, 1:] & ~over[:, :-1]).sum())
    seconds = signal.shape[0] * (signal.shape[1] - after) * TICK_NS * 1e-9
    at_ns = (np.arange(mean.size) - TRIGGER) * TICK_NS
    return Aftermath(
        at_ns,
        mean * VOLTS_PER_COUNT * 1e3,
        float(np.median(mean[-RECOVERED:])) / float(mean.max()),
        rises / signal.shape[0],
        rises / seconds,
    )
