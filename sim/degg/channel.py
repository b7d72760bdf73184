"""Channels of mainboards: of a module's photomultipliers, and of the tabletop board that sees the laser's sync."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache
from typing import Final

from sim.degg.clock import DomClock
from sim.degg.digitiser import tables
from sim.degg.digitiser.acquisition import Analogue
from sim.degg.digitiser.block import Block
from sim.degg.digitiser.channel import DigitiserChannel
from sim.degg.digitiser.segment import Flashes, Segment, Spectrum, seconds
from sim.degg.digitiser.trigger import Trigger, pre_samples_of
from sim.degg.figures import PhotomultiplierFigures
from sim.degg.keys import generator
from sim.degg.photomultiplier.dark import dark_hz
from sim.degg.photomultiplier.flasher import led_mu
from sim.degg.photomultiplier.high_voltage import HighVoltage
from sim.degg.photomultiplier.pulse import PEAK_COUNTS
from sim.degg.surroundings import Light, Room
from sim.degg.truth import WALK_NS, PmtTruth
from sim.kernel import NS_PER_S, FaultBoard, SimTime

__all__ = ["Block", "Channel", "DigitiserChannel", "SyncChannel", "Trigger", "pre_samples_of"]

LONGEST_S: Final = 60.0
"""Temperature, and what light has left, change little in a minute."""
RAMP_S: Final = 0.02
"""While the high voltage ramps, gain is renewed this often: 1 V."""
RESTLESS_S: Final = 0.1
STANDARD_PE: Final = 0.25
SYNC_BASELINE: Final = 8000.0
SYNC_NOISE: Final = 2.5
DAC_NOMINAL: Final = 30_000


@lru_cache(maxsize=64)
def _period_ns(frequency_hz: float) -> Fraction:
    """Of light that comes so often: asked for each block, and an exact quotient takes its time."""
    return Fraction(NS_PER_S) / Fraction(frequency_hz)


class Channel(DigitiserChannel):
    """A photomultiplier's channel: 0 LowerPmt, 1 UpperPmt."""

    def __init__(
        self,
        truth: PmtTruth,
        number: int,
        room: Room,
        faults: FaultBoard,
        seed: int,
        serial: str,
        figures: PhotomultiplierFigures,
        clock: DomClock,
    ) -> None:
        super().__init__(number, figures, clock, seed, serial)
        self._truth, self._room, self._faults = truth, room, faults
        self.hv = HighVoltage(truth, number, faults, (seed, serial), figures)
        self._saturation = tables.saturation(truth.p0, truth.p1, truth.p2)
        self._spectrum = Spectrum(
            truth.spe_width,
            truth.tail_fraction,
            truth.two_pe_fraction,
            figures.tail_scale,
            truth.correlated_fraction,
            figures.correlated_median_us,
            figures.correlated_sigma,
            truth.late_fraction,
            figures.late_mean_ns,
        )
        # What is measured at single photoelectrons contains the walk of a threshold of 0.25 pe; the rest is theirs.
        alone = truth.sigma_tt_spe_ns**2 - truth.sigma_tt_mpe_ns**2 - WALK_NS**2
        self._above_standard = self._spectrum.above(STANDARD_PE)
        self._each_ns = math.sqrt(max(0.0, alone) + figures.laser_width_ns**2)
        self._led: tuple[int, int] = (0, 0)
        self._segments = 0

    def flash(self, mask: int, bias: int, period_us: float | None, now: SimTime) -> None:
        """As of any channel; the lower photomultiplier sees the LEDs of *mask*, bit 0 the first."""
        super().flash(mask, bias, period_us, now)
        self._led = (mask, bias)

    def reset(self, now: SimTime) -> None:
        """As of any channel; the high voltage is off and its set value forgotten."""
        super().reset(now)
        self.hv.reset(now)
        self._led = (0, 0)

    def segment(self, at: SimTime) -> Segment:
        """What holds from a moment on."""
        truth, figures, room = self._truth, self._figures, self._room
        until = seconds(at, LONGEST_S)
        light, changes = room.light(at), room.light_changes_after(at)
        if changes is not None:
            until = min(until, max(changes, SimTime(at + 1)))
        celsius = room.glass_temperature(at)
        volts, rests = self._volts(at), self.hv.ramps_until(at)
        if rests > at:
            until = min(until, seconds(at, RAMP_S))
        if self.hv.restless:
            until = min(until, seconds(at, RESTLESS_S))
        dark = dark_hz(truth, figures, celsius)
        left = truth.after_light_hz * math.exp(-room.dark_for_s(at) / (60.0 * figures.after_light_min))
        rate = dark * self._fault_value("high_dark_rate", "factor", 1.0) + left
        return Segment(
            until=until,
            spectrum=self._spectrum,
            flashes=tuple(self._flashes(light)),
            peak_counts=PEAK_COUNTS * truth.gain(volts, celsius) / 1e7,
            pulse_hz=rate / self._above_standard,
            noise_hz=figures.noise_share * dark,
            noise_at_counts=STANDARD_PE * PEAK_COUNTS,
            noise_scale_counts=figures.noise_scale_counts,
        )

    def _volts(self, at: SimTime) -> float:
        volts = self.hv.true_volts(at)
        wanders = self.hv.fluctuation() if self.hv.restless else 0.0
        if not wanders:
            return volts
        self._segments += 1
        draw = generator(self._seed, self._serial, self.number, "restless", self._segments)
        return max(0.0, volts * (1.0 + wanders * float(draw.normal())))

    def _flashes(self, light: Light | None) -> list[Flashes]:
        truth, figures = self._truth, self._figures
        found = []
        if light is not None and light.frequency_hz > 0 and not self._dark_fibre():
            found.append(
                Flashes(
                    light.since,
                    _period_ns(light.frequency_hz),
                    light.pulses,
                    light.spacing_ns,
                    mu=truth.mu_full * light.strength,
                    delay_ns=truth.transit_ns,
                    common_ns=truth.sigma_tt_mpe_ns,
                    each_ns=self._each_ns,
                )
            )
        if self._calibration is not None and self.number == 0:
            mask, bias = self._led
            dead = self._faults.parameters("dead_led")
            mu = led_mu(truth, figures, mask, bias, None if dead is None else int(dead["led"]))
            if mu > 0:
                found.append(
                    Flashes(
                        self._calibration.since,
                        self._calibration.period_ns,
                        mu=mu,
                        delay_ns=figures.led_delay_ns + truth.transit_ns,
                        common_ns=truth.sigma_tt_mpe_ns,
                        each_ns=math.hypot(self._each_ns, figures.led_width_ns),
                    )
                )
        return found

    def _dark_fibre(self) -> bool:
        active = self._faults.parameters("dead_fibre")
        if active is None or active["channel"] != self.number:
            return False
        return self._faults.strike("dead_fibre") is not None

    def _fault_value(self, name: str, parameter: str, otherwise: float) -> float:
        active = self._faults.parameters(name)
        if active is None or active["channel"] != self.number:
            return otherwise
        self._faults.strike(name)
        return float(active[parameter])

    def _analogue(self) -> Analogue:
        baseline = self._truth.baseline_counts + self._figures.counts_per_dac * (self._dac - DAC_NOMINAL)
        return Analogue(baseline, self._truth.noise_counts, self._saturation)


class SyncChannel(DigitiserChannel):
    """A channel of the tabletop mainboard: the laser's sync signal on channel 0, nothing on channel 1."""

    def __init__(
        self,
        number: int,
        room: Room,
        seed: int,
        serial: str,
        figures: PhotomultiplierFigures,
        clock: DomClock,
    ) -> None:
        super().__init__(number, figures, clock, seed, serial)
        self._room = room
        self._linear = tables.linear()

    def segment(self, at: SimTime) -> Segment:
        """What holds from a moment on."""
        until = seconds(at, LONGEST_S)
        sync, changes = self._room.sync(at), self._room.light_changes_after(at)
        if changes is not None:
            until = min(until, max(changes, SimTime(at + 1)))
        flashes: tuple[Flashes, ...] = ()
        if sync is not None and sync.frequency_hz > 0 and self.number == 0:
            period = _period_ns(sync.frequency_hz)
            jitter = self._figures.sync_jitter_ns
            plain = self._figures.sync_counts
            flashes = (
                Flashes(
                    sync.since, period, sync.pulses, sync.spacing_ns, common_ns=jitter, plain_counts=plain
                ),
            )
        return Segment(until, Spectrum(), flashes)

    def _analogue(self) -> Analogue:
        return Analogue(
            SYNC_BASELINE + self._figures.counts_per_dac * (self._dac - DAC_NOMINAL), SYNC_NOISE, self._linear
        )
