"""Transit time spread: how long after the laser's sync pulses come, on clocks that RAPCal ties together.

Both times are whole ticks of 4.17 ns. The laser keeps its period, so that lines through its syncs tell their times far
better than ticks do; a pulse's rounding brings the variance of a uniform distribution, which is taken off the fitted
width. Some photoelectrons come late: a tail behind the Gaussian, which the fit knows.

Whole ticks of two clocks make a comb: where the laser's period moves one grid of ticks against the other by a fifth
of a tick, say, times of arrival can only lie 0.83 ns apart, and of bins of 1 ns each fifth holds two teeth. How many
times of arrival a bin can hold at all is therefore counted, and the fit expects accordingly (decision 227).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.curve_fit import CurveFit, curve_fit
from fat.degg.analyses.pulses import TICK_NS

TICK_VARIANCE: Final = TICK_NS**2 / 12.0
"""ns2, of the rounding on one board."""
SYNC_JITTER_NS: Final = 0.3
"""Of the tabletop mainboard's sync (fat.md section 9)."""
STRETCH: Final = 500
"""Syncs that one line goes through: a second, in which no clock drifts by what matters."""
UNSTEADY_NS: Final = 2.5
"""Twice what rounding scatters syncs around such a line: the laser does not keep its period then, and ticks count."""
FEWEST: Final = 200
"""Matched pulses that a fit needs."""
BEFORE_NS: Final = 12.0
AFTER_NS: Final = 36.0
BIN_NS: Final = 1.0
OFF_TEETH_NS: Final = 0.31
"""The middle is a time of arrival itself, and so a tooth; no edge of a bin may lie on one."""
PLACE_NS: Final = 20.0
"""Width of the places in which the densest one is looked for."""
TAIL_NS: Final = (4.0, 40.0)
"""Mean delay of late photoelectrons, between these."""
KNOWN: Final = ((0.05, 0.02), (12.0, 3.0))
"""What is known of the tail before the fit, each with its error: some 5 % come late (fat.md section 9), by 12 ns. The
tail of few pulses cannot be told from a wider Gaussian otherwise; where there is none many pulses say so."""
FEWEST_IN_BIN: Final = 5.0
"""Neighbouring bins with fewer expected pulses are judged together."""


@dataclass(frozen=True, slots=True)
class TransitTime:
    """Result for one photomultiplier at one strength of light.

    differences  (n) pulse less sync, ns, where they lie together; an offset between hubs is in them
    edges, counts, curve  (bins + 1), (bins), (bins): histogram and fit
    mean_ns, sigma_ns, sigma_error_ns  of the Gaussian, rounding and jitter of the sync taken off
    reduced_chi2  of histogram and curve
    late         share of the pulses in the tail
    matched      pulses for each sync
    """

    differences: NDArray[np.float64]
    edges: NDArray[np.float64]
    counts: NDArray[np.float64]
    curve: NDArray[np.float64]
    mean_ns: float
    sigma_ns: float
    sigma_error_ns: float
    reduced_chi2: float
    late: float
    matched: float


@dataclass(frozen=True, slots=True)
class Syncs:
    """When the laser fired.

    times_ns  (m) on the hub's clock, ascending
    variance  ns2, that is left in them
    """

    times_ns: NDArray[np.float64]
    variance: float


def syncs_of(ticks_ns: NDArray[np.float64], period_ns: float) -> Syncs:
    """Times of a laser that keeps its period, by lines through its syncs; as they are where it does not.

    ticks_ns  (m) whole ticks on the hub's clock, ns, ascending
    """
    as_they_are = Syncs(ticks_ns, TICK_VARIANCE + SYNC_JITTER_NS**2)
    times = np.empty_like(ticks_ns)
    for start in range(0, ticks_ns.size, STRETCH):
        apart = ticks_ns[start : start + STRETCH] - ticks_ns[start]
        if apart.size < STRETCH // 10:
            return as_they_are
        number = np.round(apart / period_ns)
        line = np.polynomial.polynomial.polyfit(number, apart, 1)
        steady = line[0] + line[1] * number
        if float(np.std(apart - steady)) > UNSTEADY_NS:
            return as_they_are
        times[start : start + STRETCH] = ticks_ns[start] + steady
    return Syncs(times, 0.0)


@dataclass(frozen=True, slots=True)
class Comb:
    """The only times after each sync at which a module can see something: its own whole ticks.

    syncs  on the hub's clock
    module_ticks, hub_ns  calibrations of the module, as those of `on_hub`
    """

    syncs: Syncs
    module_ticks: NDArray[np.float64]
    hub_ns: NDArray[np.float64]

    def leads(self, after_ns: float) -> NDArray[np.float64]:
        """From so long after each sync to the module's next tick, (m) ns, 0 to a tick."""
        times = self.syncs.times_ns + after_ns
        at = np.clip(np.searchsorted(self.hub_ns, times) - 1, 0, self.hub_ns.size - 2)
        slope = np.diff(self.module_ticks) / np.diff(self.hub_ns)
        ticks = self.module_ticks[at] + (times - self.hub_ns[at]) * slope[at]
        return np.asarray((np.ceil(ticks) - ticks) * TICK_NS)


def on_hub(
    ticks: NDArray[np.int64], module_ticks: NDArray[np.float64], hub_ns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Times of a module's ticks on its hub's clock, ns, along straight lines from calibration to calibration.

    ticks         (n) int64, 240 MHz
    module_ticks  (m, at least 2) moments of calibrations on the module's clock, 240 MHz, ascending
    hub_ns        (m) the same moments on the hub's
    Before the first and after the last one the nearest line goes on. Subtract a common start from both first: a
    double holds nanoseconds for 52 days.
    """
    place = module_ticks
    at = np.clip(np.searchsorted(place, ticks) - 1, 0, place.size - 2)
    slope = np.diff(hub_ns) / np.diff(place)
    return np.asarray(hub_ns[at] + (ticks - place[at]) * slope[at])


def differences(
    pulses_ns: NDArray[np.float64], syncs_ns: NDArray[np.float64], period_ns: float
) -> NDArray[np.float64]:
    """Each pulse less a sync, where most of the pulses lie together; the rest is dark.

    pulses_ns  (n), syncs_ns  (m) ascending
    period_ns  of the laser. Clocks that are tied together but for a constant are enough: a pulse is compared with the
               sync next to it, and which of the laser's pulses that is does not matter, for they come in its period
    Returns what lies within the fit's window around the densest place, ns.
    """
    if pulses_ns.size == 0 or syncs_ns.size < 2:
        return np.empty(0)
    inside = (pulses_ns >= syncs_ns[0]) & (pulses_ns <= syncs_ns[-1])
    pulses = pulses_ns[inside]
    if pulses.size == 0:
        return np.empty(0)
    after = pulses - syncs_ns[np.searchsorted(syncs_ns, pulses, side="right") - 1]
    counts = np.bincount((after / PLACE_NS).astype(np.int64))
    # Two neighbouring places together: the pulses may lie on their border.
    centre = float(PLACE_NS * (1 + int(np.argmax(counts + np.roll(counts, -1)))))
    apart = _around(after, centre, period_ns)
    near = apart[np.abs(apart) < PLACE_NS]
    middle = float(np.median(near)) if near.size else 0.0
    return np.asarray(apart[(apart > middle - 3 * BEFORE_NS) & (apart < middle + 2 * AFTER_NS)] + centre)


def _around(values: NDArray[np.float64], centre: float, period: float) -> NDArray[np.float64]:
    """Values less a centre, between minus and plus half a period."""
    return np.asarray((values - centre + period / 2) % period - period / 2)


def transit_time(matched: NDArray[np.float64], comb: Comb) -> TransitTime | None:
    """Fit the spread; None when too few pulses lie together.

    matched  (n) differences of pulses and the comb's syncs, ns
    """
    syncs = comb.syncs
    if matched.size < FEWEST or not syncs.times_ns.size:
        return None
    middle = _mode(matched)
    edges = np.arange(middle - BEFORE_NS, middle + AFTER_NS + BIN_NS, BIN_NS) - OFF_TEETH_NS
    counts = np.histogram(matched, edges)[0].astype(np.float64)
    if counts.sum() < FEWEST:
        return None
    reach = _reach(edges, comb)
    # From the middle: between hubs lie many milliseconds, and a fit's small steps would be lost in them.
    fit = _fit(edges - middle, counts, reach)
    curve = reach * _expected(edges - middle, fit.values)
    total, mean, width, late, _ = (float(value) for value in fit.values)
    variance = max(width**2 - TICK_VARIANCE - syncs.variance, 0.01)
    sigma = sqrt(variance)
    return TransitTime(
        matched,
        edges,
        counts,
        curve,
        middle + mean,
        sigma,
        float(fit.errors[2]) * width / sigma,
        _chi2(counts, curve, fit.values.size),
        late,
        total / syncs.times_ns.size,
    )


def _mode(values: NDArray[np.float64]) -> float:
    ordered = np.sort(values)
    half = max(1, ordered.size // 2)
    start = int(np.argmin(ordered[half:] - ordered[:-half]))
    return float(np.median(ordered[start : start + half]))


def _reach(edges: NDArray[np.float64], comb: Comb) -> NDArray[np.float64]:
    """Differences that each bin (bins) can hold, for those of a bin between ticks that are anywhere."""
    # From the window's start: over the time between two hubs a tick's error of parts in a million would be many ns.
    leads = comb.leads(float(edges[0]))
    ticks = np.arange(np.ceil((edges[-1] - edges[0]) / TICK_NS))
    possible = np.histogram(leads[:, None] + ticks * TICK_NS, edges - edges[0])[0]
    return np.asarray(possible * TICK_NS / (leads.size * np.diff(edges)))


def _fit(edges: NDArray[np.float64], counts: NDArray[np.float64], reach: NDArray[np.float64]) -> CurveFit:
    """Total, mean, width, late share, its delay; errors are those of the expectation, in two rounds."""
    known, unsure = np.array(KNOWN).T
    seen = np.concatenate([counts, known])

    def model(_: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.concatenate([reach * _expected(edges, p), p[3:]])

    start = [counts.sum(), 0.0, 3.0, 0.03, 12.0]
    bounds = [(1.0, 2e9), (-6.0, 6.0), (1.2, 12.0), (0.0, 0.3), TAIL_NS]
    sigma = np.concatenate([np.sqrt(np.maximum(counts, 4.0)), unsure])
    fit = curve_fit(model, seen, seen, sigma, start, bounds)
    for _ in range(2):
        sigma = np.concatenate([np.sqrt(np.maximum(reach * _expected(edges, fit.values), 1.0)), unsure])
        fit = curve_fit(model, seen, seen, sigma, list(fit.values), bounds)
    return fit


def _below(at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Normal distribution's share below, to 1e-7 (Abramowitz and Stegun, 26.2.17)."""
    t = 1.0 / (1.0 + 0.2316419 * np.abs(at))
    series = t * (0.319381530 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))))
    above = np.exp(-0.5 * at * at) / sqrt(2.0 * pi) * series
    return np.asarray(np.where(at > 0, 1.0 - above, above))


def _expected(edges: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Counts of each bin: a Gaussian, and the share of it that an exponential delays."""
    total, mean, width, late, delay = p
    z = (edges - mean) / width
    prompt = _below(z)
    ratio = width / delay
    # Exponentially modified Gaussian: the exponent is kept small where the other factor is zero anyway.
    tail = prompt - np.exp(np.minimum(ratio * ratio / 2 - z * ratio, 60.0)) * _below(z - ratio)
    return np.asarray(total * np.diff((1.0 - late) * prompt + late * tail))


def _chi2(counts: NDArray[np.float64], curve: NDArray[np.float64], parameters: int) -> float:
    """chi2 for each degree of freedom, of groups of bins that expect enough."""
    groups: list[tuple[float, float]] = []
    seen = expected = 0.0
    for count, value in zip(counts, curve, strict=True):
        seen, expected = seen + float(count), expected + float(value)
        if expected >= FEWEST_IN_BIN:
            groups.append((seen, expected))
            seen = expected = 0.0
    if groups:
        groups[-1] = (groups[-1][0] + seen, groups[-1][1] + expected)
    chi2 = sum((count - value) ** 2 / value for count, value in groups)
    return chi2 / max(1, len(groups) - parameters)
