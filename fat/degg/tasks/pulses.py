"""Two laser pulses close together, a long burst, and what follows a pulse (fat.md section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite, nan
from typing import Final

from fat.degg.analyses.pulse_shape import Aftermath, Burst, DoublePulse, aftermath, burst, double_pulse
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Graph, Quantity
from fat.degg.station.data_files import file_name, write
from fat.degg.station.generator import BURST_HZ
from fat.degg.station.needed import LASER, needs_instruments
from fat.degg.tasks.laser import LASER_HZ, bring_up, counts_over, laser_on, longest_span, told
from fat.degg.tasks.light_files import LightFile, light_files
from fat.degg.tasks.named_temperature import celsius_as_it_begins
from fat.degg.tasks.papers import Papers
from fat.degg.tasks.photomultipliers import Photomultipliers
from fat.errors import UsageError
from scheduler import TaskContext, TaskResult
from scheduler.declared import declares

EVENTS: Final = 5000
THRESHOLD: Final = 150.0
"""Counts over the baseline: three photoelectrons, of which the dark has almost none. The higher one of linearity would
choose bright first pulses, and make second ones look small: 1.82 instead of 1.91 over the valley in dim light."""
AFTER_THRESHOLD: Final = 24.0
"""Half a photoelectron, from which a later pulse counts."""
DIM: Final = (0.05, 1.0)
UNSEEN: Final = "no laser pulses are seen; check the fibre"
BRIGHT: Final = (0.25, 1.0)


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the measurements.

    cycles  pulses of a burst; 0: single pulses at LASER_HZ
    """

    name: str
    folder: str
    cycles: int
    samples: int
    filters: tuple[float, float]


KINDS: Final = {
    "double": Kind("DoublePulse", "double_pulse", 2, 300, DIM),
    "droop": Kind("BurstPulse", "burst_pulse", 40, 300, DIM),
    "long": Kind("LongWaveform", "long_waveform", 0, 1000, BRIGHT),
}


@needs_instruments(*LASER)
@declares(leaves={"laser": "off"}, lasts_s=240.0)
def measure_pulsed_waveform(
    context: TaskContext, comment: str, mode: str = "double", n_jobs: int = 4, events: int = EVENTS
) -> TaskResult:
    """Waveforms of two pulses 20 ns apart (`double`), or of a long burst (`droop`)."""
    if mode not in ("double", "droop"):
        raise UsageError(f"mode of measure_pulsed_waveform is 'double' or 'droop', not {mode!r}")
    return _measure(context, comment, KINDS[mode], n_jobs, events)


@needs_instruments(*LASER)
@declares(leaves={"laser": "off"}, lasts_s=240.0)
def measure_long_waveform(
    context: TaskContext, comment: str, n_jobs: int = 4, events: int = 1000
) -> TaskResult:
    """Waveforms of 1000 samples of single pulses: what follows them."""
    return _measure(context, comment, KINDS["long"], n_jobs, events)


def _measure(context: TaskContext, comment: str, kind: Kind, n_jobs: int, events: int) -> TaskResult:
    with Photomultipliers.of(context, n_jobs) as lab:
        parameters = {"Events": events, "Samples": kind.samples, "LaserFreq": LASER_HZ}
        papers = Papers(lab, [kind.name], kind.folder, comment, parameters)
        celsius = celsius_as_it_begins(context, lab.temperatures(), comment)
        baselines = bring_up(lab, kind.name)
        lab.station.wheels.set(*kind.filters)
        with laser_on(lab):
            if kind.cycles:
                lab.station.generator.bursts(kind.cycles, BURST_HZ, 1.0 / LASER_HZ)
            found = lab.station.each(
                lab.modules,
                lambda module: module.waveforms(
                    events, thresholds=counts_over(baselines[module], THRESHOLD), samples=kind.samples
                ),
                lab.jobs,
            )
            lab.station.spend(longest_span(found))
        for pmt in lab.all:
            about = told(pmt, celsius, context.task_id, cycles=kind.cycles, burst_hz=BURST_HZ)
            about |= {"laser_hz": LASER_HZ, "threshold": THRESHOLD}
            path = papers.folder / file_name(pmt.file_serial, pmt.entry.hv)
            write(path, found[pmt.module][pmt.channel], about)
            papers.complete(pmt)
        return TaskResult(outputs={"folder": str(papers.folder), "photomultipliers": len(lab.all)})


def analyse_double_pulse(context: TaskContext) -> TaskResult:
    """Separation and valleys of two pulses, from the newest files."""
    quantities: list[Quantity] = []
    graphs: list[Graph] = []
    for file in light_files(context, KINDS["double"].name):
        result = None if file.data is None else double_pulse(file.data.waveforms.samples)
        quantities += _double(file, result)
        if result is None:
            context.notify(f"Double pulse: {file.one.name}: {UNSEEN}", severity="warning")
            continue
        first, second = result.peak_to_valley
        file.note(Separation=result.separation_ns, PeakToValley1=first, PeakToValley2=second)
        text = f"{result.separation_ns:.2f} ns"
        graphs.append(_graph(file, "double-pulse", "Two pulses 20 ns apart", result, text))
    return conclude(context, quantities, graphs=graphs)


def _double(file: LightFile, result: DoublePulse | None) -> Iterator[Quantity]:
    separation, (first, second) = (
        (nan, (nan, nan)) if result is None else (result.separation_ns, result.peak_to_valley)
    )
    about = "separation of two laser pulses"
    yield _quantity(file, "timing", "double-pulse-separation", separation, "ns", about)
    about = "first of two peaks over the valley between them"
    yield _quantity(file, "charge", "double-pulse-peak-to-valley1", first, "1", about)
    about = "second of two peaks over the valley between them"
    yield _quantity(file, "charge", "double-pulse-peak-to-valley2", second, "1", about)


def analyse_burst(context: TaskContext) -> TaskResult:
    """Droop during a long burst, from the newest files. There is no limit to it."""
    quantities: list[Quantity] = []
    graphs: list[Graph] = []
    for file in light_files(context, KINDS["droop"].name):
        result = None if file.data is None else burst(file.data.waveforms.samples)
        about = "share by which a burst's end is lower than its beginning"
        droop = nan if result is None else result.droop
        quantities.append(_quantity(file, "charge", "burst-droop", droop, "1", about, judged=False))
        if result is not None:
            file.note(Droop=droop)
            graphs.append(_graph(file, "burst", "A burst of 40 pulses", result, f"droop {droop:.1%}"))
    return conclude(context, quantities, graphs=graphs)


def analyse_long_waveform(context: TaskContext) -> TaskResult:
    """What follows single pulses, from the newest files. There is no limit to it."""
    quantities: list[Quantity] = []
    graphs: list[Graph] = []
    for file in light_files(context, KINDS["long"].name):
        result = None if file.data is None else aftermath(file.data.waveforms.samples, AFTER_THRESHOLD)
        residual, rate = (nan, nan) if result is None else (result.residual, result.after_hz)
        about = "level 3 us after a pulse, of its peak"
        quantities.append(_quantity(file, "charge", "long-residual", residual, "1", about, judged=False))
        about = "pulses after a laser pulse, dark ones included"
        quantities.append(_quantity(file, "charge", "long-after-rate", rate, "Hz", about, judged=False))
        if result is not None:
            file.note(Residual=residual, AfterPulseRate=rate)
            graphs.append(_graph(file, "long-waveform", "After a laser pulse", result, f"{rate:.0f} Hz"))
    return conclude(context, quantities, graphs=graphs)


def _quantity(
    file: LightFile, group: str, name: str, value: float, unit: str, about: str, *, judged: bool = True
) -> Quantity:
    why = "" if isfinite(value) else f" ({UNSEEN})"
    return file.quantity(group, name, value, unit, about + why, judged=judged)


def _graph(
    file: LightFile, name: str, title: str, result: DoublePulse | Burst | Aftermath, text: str
) -> Graph:
    return Graph(
        file.serial,
        file.part,
        "timing",
        name,
        title,
        "time / ns",
        "signal / mV",
        result.at_ns,
        result.millivolts,
        kind="line",
        text=text,
        temperature_c=file.celsius,
    )
