"""RAPCal: a pulse from the field hub to a module and one back, both received as waveforms, both ends timed.

A packet is what the public reader (RapCal, rapcal.py, packet version 0) takes: header 0x5243, version << 9 | address;
then four times of 48 bits, big-endian, in ticks of 60 MHz: hub sends, module receives, module sends, hub receives;
then 64 samples of the module's receiver and 64 of the hub's, the last sample first, 16 bits big-endian each, the top
bit set from the sample on that fired the receiver's discriminator.
A reader takes the moment at which the falling edge crosses the baseline. The time of reception is that of the second
sample after the first one with the top bit set; samples are two ticks apart; the receivers lag eight samples behind.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim.degg.clock import DomClock
from sim.degg.icm_figures import RapcalFigures
from sim.kernel import SimTime

MAGIC: Final = 0x5243
VERSION: Final = 0
PACKET_BYTES: Final = 280
MISSED: Final = 0x0020
"""Bit of a header: the module's pulse was not seen; no packet follows."""
ICM_TICKS_PER_NS: Final = Fraction(6, 100)
DOM_TICKS_PER_ICM_TICK: Final = 4
"""240 MHz of the mainboard's clock are counted from the same zero as 60 MHz of its ICM."""
SAMPLES: Final = 64
TICKS_PER_SAMPLE: Final = 2
EDGE_SAMPLE: Final = 34
"""The first sample at or after the crossing; a reader takes the first twenty for the baseline."""
LAG_TICKS: Final = 8 * TICKS_PER_SAMPLE
_HEADER: Final = struct.Struct(">HH")
_FLAG: Final = 0x8000
_TIME_MASK: Final = (1 << 48) - 1


@dataclass(frozen=True, slots=True)
class HubClock:
    """The field hub's ICM counts 60 MHz, disciplined by GPS.

    start  what it has counted when the bench begins
    """

    start: int

    def exact(self, at: SimTime | Fraction) -> Fraction:
        """Ticks at a moment, with their fraction."""
        return self.start + at * ICM_TICKS_PER_NS

    def time(self, ticks: int) -> Fraction:
        """Nanoseconds at which it shows *ticks*."""
        return (ticks - self.start) / ICM_TICKS_PER_NS


@dataclass(frozen=True, slots=True)
class ModuleClock:
    """The clock of a module's ICM."""

    clock: DomClock

    def exact(self, at: SimTime | Fraction) -> Fraction:
        """Ticks of 60 MHz at a moment, with their fraction."""
        return self.clock.exact(at) / DOM_TICKS_PER_ICM_TICK

    def time(self, ticks: int) -> Fraction:
        """Nanoseconds at which it shows *ticks*."""
        return ticks * DOM_TICKS_PER_ICM_TICK / self.clock.rate - self.clock.offset_ns


def missed(address: int) -> bytes:
    """What arrives when the module's pulse was not seen."""
    return _HEADER.pack(MAGIC, VERSION << 9 | MISSED | address)


def calibration(
    now: SimTime,
    hub: HubClock,
    module: ModuleClock,
    address: int,
    cable_ns: float,
    figures: RapcalFigures,
    rng: np.random.Generator,
) -> bytes:
    """Header and packet of one exchange that begins now; what follows of it lies some ten microseconds ahead."""
    delay = Fraction(cable_ns)
    hub_sends = math.ceil(hub.exact(now))
    module_receives, at_module = _received(module.exact(hub.time(hub_sends) + delay), figures, rng)
    turnaround = int(Fraction(figures.turnaround_us) * 1000 * ICM_TICKS_PER_NS)
    module_sends = module_receives + turnaround
    hub_receives, at_hub = _received(hub.exact(module.time(module_sends) + delay), figures, rng)
    times = (hub_sends, module_receives, module_sends, hub_receives)
    stamped = b"".join((ticks & _TIME_MASK).to_bytes(6, "big") for ticks in times)
    return _HEADER.pack(MAGIC, VERSION << 9 | address) + stamped + at_module + at_hub


def _received(arrival: Fraction, figures: RapcalFigures, rng: np.random.Generator) -> tuple[int, bytes]:
    """Time of reception in ticks, and the samples as they are sent."""
    crossing = arrival + LAG_TICKS
    first = math.ceil(crossing / TICKS_PER_SAMPLE) - EDGE_SAMPLE
    after = np.arange(SAMPLES, dtype=np.float64) - float(crossing / TICKS_PER_SAMPLE - first)
    noise = figures.noise_counts * rng.standard_normal(SAMPLES)
    volts = figures.amplitude_counts * pulse(after) + noise
    fired = int(np.argmax(volts < -0.6 * figures.amplitude_counts))
    counts = _cut(np.rint(figures.baseline_counts + volts), 0, _FLAG - 1).astype(np.uint16)
    counts[fired:] |= _FLAG
    return TICKS_PER_SAMPLE * (first + fired + 2), counts[::-1].astype(">u2").tobytes()


def pulse(after: NDArray[np.float64]) -> NDArray[np.float64]:
    """The received pulse, -1..1, at so many samples after its crossing: straight within four samples, then fading."""
    straight = -_cut(after / 4, -1, 1)
    fading = _cut((np.abs(after) - 4) / 6, 0, 1)
    return np.asarray(straight * 0.5 * (1 + np.cos(np.pi * fading)))


def _cut(values: NDArray[np.float64], least: float, most: float) -> NDArray[np.float64]:
    """`np.clip`, which looks at its arguments for longer than it cuts."""
    return np.minimum(np.maximum(values, least), most)
