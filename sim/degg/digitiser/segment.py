"""What holds for a channel from one moment to another: rates, gain, light, as the kernels want it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from sim.degg.clock import DomClock
from sim.degg.photomultiplier import layout as k
from sim.kernel import NS_PER_S, SimTime

TICKS_PER_S: Final = 240e6
NEVER: Final = math.inf


@dataclass(frozen=True, slots=True)
class Flashes:
    """Light that comes again and again: flash j begins at `since` + j x `period_ns`.

    A flash has `pulses`, `spacing_ns` apart. Each gives Poisson(`mu`) photoelectrons, or one pulse of `plain_counts`.
    """

    since: SimTime
    period_ns: Fraction
    pulses: int = 1
    spacing_ns: float = 0.0
    mu: float = 0.0
    delay_ns: float = 0.0
    common_ns: float = 0.0
    """Jitter that all photoelectrons of a flash share."""
    each_ns: float = 0.0
    """Jitter of each photoelectron."""
    plain_counts: float = 0.0

    def first(self, clock: DomClock, base: int, after: float) -> tuple[float, float]:
        """When the first flash not before *after* begins, and the period: ticks after the tick *base*."""
        # In whole numbers, for it is asked for each block: period above / (apart below), begins begins / below.
        rate, (late, parts) = clock.rate, after.as_integer_ratio()
        below, apart = rate.denominator, self.period_ns.denominator
        period = self.period_ns.numerator * rate.numerator
        begins = (self.since + clock.offset_ns) * rate.numerator - base * below
        skipped = max(0, -(-(late * below - begins * parts) * apart // (parts * period)))
        return (begins * apart + skipped * period) / (below * apart), period / (below * apart)

    def fill(self, row: NDArray[np.float64], clock: DomClock, base: int, after: float) -> None:
        """Write a kernel's row."""
        per_ns = float(clock.rate)
        row[k.FIRST], row[k.PERIOD] = self.first(clock, base, after)
        row[k.PULSES], row[k.SPACING], row[k.MU] = self.pulses, self.spacing_ns * per_ns, self.mu
        row[k.DELAY], row[k.COMMON], row[k.EACH] = (
            self.delay_ns * per_ns,
            self.common_ns * per_ns,
            self.each_ns * per_ns,
        )
        row[k.NEXT], row[k.PLAIN] = 0.0, self.plain_counts


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Charges of a photomultiplier's pulses, and how they follow each other."""

    width: float = 0.33
    tail: float = 0.0
    two: float = 0.0
    tail_scale: float = 0.22
    correlated: float = 0.0
    child_median_us: float = 10.0
    child_sigma: float = 1.0
    late: float = 0.0
    late_ns: float = 12.0

    def above(self, charge: float) -> float:
        """The share of pulses larger than this, in photoelectrons (below 1)."""
        cut = math.exp(-1.0 / self.tail_scale)
        tail = (math.exp(-charge / self.tail_scale) - cut) / (1.0 - cut)
        bulk = 0.5 * math.erfc((charge - 1.0) / (self.width * math.sqrt(2.0)))
        return self.tail * tail + self.two + (1.0 - self.tail - self.two) * bulk

    def fill(self, p: NDArray[np.float64]) -> None:
        """Write the kernel's parameters."""
        p[k.WIDTH], p[k.TAIL], p[k.TWO], p[k.TAIL_SCALE] = self.width, self.tail, self.two, self.tail_scale
        p[k.PARENT] = self.correlated / (1.0 - self.correlated)
        p[k.CHILD_MEDIAN], p[k.CHILD_SIGMA] = self.child_median_us * 240.0, self.child_sigma
        p[k.CHILD_LEAST], p[k.CHILD_MOST] = 240.0, 24_000.0
        p[k.LATE], p[k.LATE_MEAN] = self.late, self.late_ns * 0.24


@dataclass(frozen=True, slots=True)
class Segment:
    """Conditions until a moment."""

    until: SimTime
    spectrum: Spectrum
    flashes: tuple[Flashes, ...] = ()
    peak_counts: float = 0.0
    """Height of a photoelectron's pulse; 0 without high voltage."""
    pulse_hz: float = 0.0
    """Pulses in the dark, of any charge, correlated ones included."""
    noise_hz: float = 0.0
    """Pulses of electronic noise higher than `noise_at_counts`, ADC trigger alone."""
    noise_at_counts: float = 0.0
    noise_scale_counts: float = 1.0

    def fill(
        self, p: NDArray[np.float64], clock: DomClock, base: int, least: float | None, noise_counts: float
    ) -> None:
        """Write the kernel's parameters.

        base   the tick that is the kernel's 0
        least  height over the baseline from which electronic noise triggers, counts; None: it does not
        noise_counts  noise of the converter
        """
        self.spectrum.fill(p)
        p[k.UNTIL] = clock.after(self.until, base)
        p[k.GAIN] = self.peak_counts
        alone = self.pulse_hz * (1.0 - self.spectrum.correlated) if self.peak_counts > 0 else 0.0
        p[k.DARK_GAP] = TICKS_PER_S / alone if alone > 0 else NEVER
        p[k.NOISE_GAP] = NEVER
        if least is not None:
            rate = self.noise_hz * math.exp(
                min(20.0, (self.noise_at_counts - least) / self.noise_scale_counts)
            )
            p[k.NOISE_GAP] = max(k.SHAPE_LENGTH, TICKS_PER_S / rate) if rate > 1e-9 else NEVER
            # Heights beyond the threshold: what the converter adds to them must not undo that they trigger.
            p[k.NOISE_LEAST], p[k.NOISE_SCALE] = max(0.0, least + 2.0 * noise_counts), self.noise_scale_counts

    def sources(self, clock: DomClock, base: int, after: float) -> NDArray[np.float64]:
        """The kernel's rows of light, from flashes not before *after*."""
        rows = np.zeros((len(self.flashes), k.SOURCE))
        for row, flashes in zip(rows, self.flashes, strict=True):
            flashes.fill(row, clock, base, after)
        return rows


class Surroundings(Protocol):
    """Where a channel's segments come from."""

    def segment(self, at: SimTime) -> Segment:
        """What holds from a moment on; it ends later than that."""
        ...


def seconds(at: SimTime, s: float) -> SimTime:
    """A moment so many seconds later."""
    return SimTime(at + int(s * NS_PER_S))
