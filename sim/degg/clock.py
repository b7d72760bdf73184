"""A mainboard's clock: 240 MHz, with an offset and an error of its own."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Final

from sim.kernel import SimTime

TICKS_PER_NS: Final = Fraction(24, 100)
TICK_NS: Final = 1000 / 240
"""240 MHz: the sampling rate of the digitiser as well (reference: `check_laser_freq`, 240 MHz)."""


@dataclass(frozen=True)
class DomClock:
    """Ticks of a mainboard's clock as a function of simulated time, exact in integers.

    offset_ns  what the clock has counted when the bench begins, nanoseconds
    ppm        how much too fast it runs, parts per million
    """

    offset_ns: int
    ppm: float

    @cached_property
    def rate(self) -> Fraction:
        """Ticks per nanosecond, exact."""
        return TICKS_PER_NS * (1 + Fraction(self.ppm) / 1_000_000)

    def exact(self, at: SimTime | Fraction) -> Fraction:
        """Ticks at a moment with their fraction."""
        return (at + self.offset_ns) * self.rate

    def after(self, at: SimTime, base: int) -> float:
        """Ticks from the tick *base* to a moment; what `exact` would give, rounded once."""
        rate = self.rate
        return ((at + self.offset_ns) * rate.numerator - base * rate.denominator) / rate.denominator

    def ceiling(self, at: SimTime) -> int:
        """The first tick that is not before a moment."""
        return -(-(at + self.offset_ns) * self.rate.numerator // self.rate.denominator)

    def ticks(self, at: SimTime) -> int:
        """What the clock shows: whole ticks, not negative, below 2^50 in the first 54 days."""
        return max(0, int(self.exact(at)))

    def at(self, ticks: int) -> SimTime:
        """The nanosecond in which the clock begins to show *ticks*."""
        above, below = self.rate.numerator, self.rate.denominator
        return SimTime(-((self.offset_ns * above - ticks * below) // above))
