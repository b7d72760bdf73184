"""A scan of the high voltage, of many photomultipliers side by side; each follows its own spectrum."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

import numpy as np

from fat.degg.analyses.dark_pulses import pulses_of
from fat.degg.analyses.gain_curve import MOST_POINTS, GainCurve, GainPoint, gain_curve, next_volts
from fat.degg.analyses.high_voltage import Readings, readings
from fat.degg.analyses.spe import Spectrum, SpePeak, fit_peaks, sure_charge_pc
from fat.degg.analyses.units import NOMINAL_GAIN
from fat.degg.station.acquisition import fir_threshold
from fat.degg.station.module import Module
from fat.degg.station.records import ChargeStamps, Waveforms
from fat.degg.tasks.photomultipliers import READS, Photomultipliers, Pmt, read_back
from fat.degg.tasks.thresholds import CHARGE_GATE

THRESHOLD_COUNTS: Final = 25.0
"""Over the baseline."""
LONGEST_S: Final = 60.0
"""Events of one point are waited for so long; fewer are enough to see that the rate is low."""


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """What was taken at one point of one photomultiplier."""

    volts: float
    read: Readings
    baseline: float
    """Counts; NaN where the trigger does without."""
    threshold: float
    """Counts over the baseline."""
    events: Waveforms | ChargeStamps
    spectrum: Spectrum
    """Of its charges."""


@dataclass(frozen=True, slots=True, eq=False)
class Step(Taken):
    """The same, with the peak in it."""

    peak: SpePeak

    @property
    def rate_hz(self) -> float:
        """Of the trigger."""
        return (len(self.events) - 1) / self.events.span_s if self.events.span_s > 0 else 0.0

    @property
    def point(self) -> GainPoint:
        """For the curve."""
        return point_of(self.peak, self.volts, self.rate_hz)


def point_of(peak: SpePeak, volts: float, rate_hz: float) -> GainPoint:
    """A point of the curve; one without gain where there is no peak."""
    gain, error = (peak.gain, peak.relative_error) if peak.good else (math.nan, math.nan)
    return GainPoint(volts, gain, error, rate_hz)


@dataclass(slots=True, eq=False)
class Scan:
    """What was found of one photomultiplier."""

    points: list[GainPoint] = field(default_factory=list)
    baseline: float = math.nan
    spectrum: SpePeak | None = None
    """The one nearest to a gain of 1e7."""
    worst: Readings | None = None
    """The reads that were off, or spread most."""
    problems: list[str] = field(default_factory=list)
    """Phrases."""
    again: bool = False
    """Whether the high voltage was switched on a second time."""
    ended: bool = False
    """By its rules, and not because the high voltage failed."""
    off: Readings | None = None
    """The reads by which the high voltage has failed."""

    @property
    def curve(self) -> GainCurve | None:
        """The law through the points."""
        return gain_curve(self.points)

    @property
    def successful(self) -> bool:
        """Whether there is a curve to be analysed."""
        return self.ended and self.curve is not None

    def see(self, read: Readings) -> None:
        """Keep the worst reads: off is worse than unsteady."""
        if self.worst is None or (not read.on, read.std) > (not self.worst.on, self.worst.std):
            self.worst = read

    def fail(self, read: Readings) -> None:
        """The high voltage was off, twice: the scan goes no further."""
        self.off = read
        self.see(read)
        self.problems += read.faults(None)

    def onward(self, first: float, most_points: int) -> float | None:
        """Where it measures next, V; None when it has ended.

        first  high voltage that the papers have, V
        """
        if self.off is not None:
            return None
        volts = next_volts(self.points, first) if len(self.points) < most_points else None
        self.ended = volts is None and bool(self.points)
        return volts

    def add(self, step: Step) -> None:
        """Take a point."""
        self.points.append(step.point)
        self.baseline = step.baseline
        near = self.spectrum is None or abs(step.peak.gain - NOMINAL_GAIN) < abs(
            self.spectrum.gain - NOMINAL_GAIN
        )
        if step.peak.good and near:
            self.spectrum = step.peak


By = Literal["waveforms", "stamps"]
Keep = Callable[[Pmt, Step], None]
Round = Callable[[Mapping[Pmt, Scan]], None]


def scan(
    lab: Photomultipliers,
    pmts: Sequence[Pmt],
    events: int,
    *,
    by: By,
    keep: Keep = lambda _pmt, _step: None,
    most_points: int = MOST_POINTS,
    earlier: Mapping[Pmt, Scan] | None = None,
    after_each: Round = lambda _scans: None,
) -> dict[Pmt, Scan]:
    """Scan by the rules of `next_volts`, each from the high voltage that its papers have.

    by    waveforms (charge over the baseline in the analysis's own gate), or charge stamps of the filtered trigger
    keep  called with the data of each point
    earlier     scans that go on from the points that they have
    after_each  called with all scans when a point of each is taken and its data are kept
    """
    begun = earlier or {}
    scans = {pmt: begun[pmt] if pmt in begun else Scan() for pmt in pmts}
    wanted = {
        pmt: volts
        for pmt, found in scans.items()
        if (volts := found.onward(pmt.entry.hv, most_points)) is not None
    }
    done = max((len(scans[pmt].points) for pmt in wanted), default=0)
    while wanted:
        lab.context.progress(done, most_points, f"{len(wanted)} photomultipliers at point {done + 1}")
        lab.set_volts(wanted)
        steps = _with_peaks(lab.each(list(wanted), partial(_measure, volts=wanted, events=events, by=by)))
        lab.station.spend(max((step.events.span_s for step in steps.values()), default=0.0))
        wanted = _next(steps, scans, keep, most_points)
        after_each(scans)
        done += 1
    for found in scans.values():
        if found.worst is not None and found.ended:
            found.problems += found.worst.faults(None)
    return scans


def _next(
    steps: Mapping[Pmt, Step], scans: Mapping[Pmt, Scan], keep: Keep, most_points: int
) -> dict[Pmt, float]:
    wanted: dict[Pmt, float] = {}
    for pmt, step in steps.items():
        found = scans[pmt]
        if not step.read.on:
            # Once more: a supply that tripped may hold when it is switched on again.
            if not found.again:
                found.again = True
                wanted[pmt] = step.volts
            else:
                found.fail(step.read)
            continue
        found.see(step.read)
        keep(pmt, step)
        found.add(step)
        volts = found.onward(pmt.entry.hv, most_points)
        if volts is not None:
            wanted[pmt] = volts
    return wanted


def _measure(
    module: Module, members: Sequence[Pmt], volts: Mapping[Pmt, float], events: int, by: By
) -> dict[Pmt, Taken]:
    channels = [pmt.channel for pmt in members]
    reads = read_back(module, channels, READS)
    samples = int(members[0].device.constants.get("Samples", 128))
    if by == "stamps":
        filtered = dict.fromkeys(channels, fir_threshold(THRESHOLD_COUNTS))
        stamps = module.charge_stamps(
            events,
            channels=channels,
            thresholds=filtered,
            trigger="fir",
            window=CHARGE_GATE,
            samples=samples,
            longest_s=LONGEST_S,
        )
        return {
            pmt: _of_stamps(volts[pmt], readings(reads[pmt.channel]), stamps[pmt.channel]) for pmt in members
        }
    baselines = {channel: module.baseline(channel) for channel in channels}
    levels = {channel: math.ceil(baselines[channel] + THRESHOLD_COUNTS) for channel in channels}
    taken = module.waveforms(
        events, channels=channels, thresholds=levels, samples=samples, longest_s=LONGEST_S
    )
    return {
        pmt: _of_waveforms(
            volts[pmt],
            readings(reads[pmt.channel]),
            baselines[pmt.channel],
            levels[pmt.channel],
            taken[pmt.channel],
        )
        for pmt in members
    }


def _of_waveforms(volts: float, read: Readings, baseline: float, level: int, taken: Waveforms) -> Taken:
    pulses = pulses_of(taken.samples)
    over = level - (pulses.baseline if math.isfinite(pulses.baseline) else baseline)
    return Taken(volts, read, baseline, over, taken, Spectrum(pulses.charge_pc, sure_charge_pc(over)))


def _of_stamps(volts: float, read: Readings, taken: ChargeStamps) -> Taken:
    spectrum = Spectrum(taken.charge.astype(np.float64), sure_charge_pc(THRESHOLD_COUNTS))
    return Taken(volts, read, math.nan, THRESHOLD_COUNTS, taken, spectrum)


def _with_peaks(taken: Mapping[Pmt, Taken]) -> dict[Pmt, Step]:
    """The same with the peaks, all fitted side by side."""
    peaks = fit_peaks([one.spectrum for one in taken.values()])
    return {
        pmt: Step(one.volts, one.read, one.baseline, one.threshold, one.events, one.spectrum, peak)
        for (pmt, one), peak in zip(taken.items(), peaks, strict=True)
    }
