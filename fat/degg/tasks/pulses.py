"""Two laser pulses close together, a long burst, and what follows a pulse (fat.md section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

from fat.degg.analyses.pulse_shape import Aftermath, Burst, DoublePulse, aftermath, burst, double_pulse
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Graph, Quantity
from fat.degg.station.board import BASELINE_DAC
from fat.degg.station.data_files import file_name, write
from fat.degg.station.generator import BURST_HZ
from fat.degg.tasks.light_files import Found, latest_files
from fat.degg.tasks.light_session import LASER_HZ, counts_over, laser_on, light_session, longest_span
from fat.errors import UsageError
from scheduler import TaskContext, TaskResult
from scheduler.declared import declares

EVENTS: Final = 5000
THRESHOLD: Final = 280.0
"""Counts over the baseline, as at this light in the measurement of linearity."""
AFTER_THRESHOLD: Final = 24.0
"""Half a photoelectron, from which a later pulse counts."""
DIM: Final = (0.05, 1.0)
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


@declares(leaves={"laser": "off"}, lasts_s=240.0)
def measure_pulsed_waveform(
    context: TaskContext, comment: str, mode: str = "double", n_jobs: int = 4, events: int = EVENTS
) -> TaskResult:
    """Waveforms of two pulses 20 ns apart (`double`), or of a long burst (`droop`)."""
    if mode not in ("double", "droop"):
        raise UsageError(f"mode of measure_pulsed_waveform is 'double' or 'droop', not {mode!r}")
    return _measure(context, comment, KINDS[mode], n_jobs, events)


@declares(leaves={"laser": "off"}, lasts_s=240.0)
def measure_long_waveform(
    context: TaskContext, comment: str, n_jobs: int = 4, events: int = 1000
) -> TaskResult:
    """Waveforms of 1000 samples of single pulses: what follows them."""
    return _measure(context, comment, KINDS["long"], n_jobs, events)


def _measure(context: TaskContext, comment: str, kind: Kind, n_jobs: int, events: int) -> TaskResult:
    with light_session(context, n_jobs) as session:
        keys = session.begin(kind.name, comment, Events=events, Samples=kind.samples, LaserFreq=LASER_HZ)
        baselines = session.high_voltage(BASELINE_DAC)
        session.station.wheels.set(*kind.filters)
        with laser_on(session):
            if kind.cycles:
                session.station.generator.bursts(kind.cycles, BURST_HZ, 1.0 / LASER_HZ)
            found = session.each(
                lambda module: module.waveforms(
                    events, thresholds=counts_over(baselines[module], THRESHOLD), samples=kind.samples
                )
            )
            session.station.wait(longest_span(found))
        folder = session.folder(kind.folder)
        for pmt in session.pmts:
            about = session.about(
                pmt, cycles=kind.cycles, burst_hz=BURST_HZ, laser_hz=LASER_HZ, threshold=THRESHOLD
            )
            write(folder / file_name(pmt.serial, pmt.hv), found[pmt.module][pmt.channel], about)
            pmt.device.complete(pmt.channel, keys[pmt.module.port, pmt.channel], folder)
    return TaskResult(outputs={"folder": str(folder)})


def analyse_double_pulse(context: TaskContext) -> TaskResult:
    """Separation and valleys of two pulses, from the newest files."""
    entries = [
        (found, double_pulse(found.data.waveforms.samples)) for found in latest_files(context, "DoublePulse")
    ]
    quantities = [q for found, result in entries for q in _double(found, result)]
    graphs = [
        _graph(found, "double-pulse", "Two pulses 20 ns apart", result, f"{result.separation_ns:.2f} ns")
        for found, result in entries
        if result is not None
    ]
    for found, result in entries:
        if result is not None:
            found.device.note(
                found.channel,
                found.key,
                Separation=result.separation_ns,
                PeakToValley1=result.peak_to_valley[0],
                PeakToValley2=result.peak_to_valley[1],
            )
    return conclude(context, quantities, graphs=graphs, support=[found.data.path for found, _ in entries])


def _double(found: Found, result: DoublePulse | None) -> Iterator[Quantity]:
    nan = float("nan")
    values = (nan, nan, nan) if result is None else (result.separation_ns, *result.peak_to_valley)
    about = (
        "separation of two laser pulses",
        "first peak over the valley between two pulses",
        "second peak over the valley between two pulses",
    )
    names = ("separation", "peak-to-valley1", "peak-to-valley2")
    for name, value, unit, text in zip(names, values, ("ns", "1", "1"), about, strict=True):
        yield _quantity(found, "timing" if unit == "ns" else "charge", f"double-pulse-{name}", value, unit, text)


def analyse_burst(context: TaskContext) -> TaskResult:
    """Droop during a long burst, from the newest files. There is no limit to it."""
    entries = [(found, burst(found.data.waveforms.samples)) for found in latest_files(context, "BurstPulse")]
    quantities = []
    for found, result in entries:
        about = "share by which a burst's end is lower than its beginning"
        value = float("nan") if result is None else result.droop
        quantities.append(_quantity(found, "charge", "burst-droop", value, "1", about, judged=False))
    graphs = [
        _graph(found, "burst", "A burst of 40 pulses", result, f"droop {result.droop:.1%}")
        for found, result in entries
        if result is not None
    ]
    return conclude(context, quantities, graphs=graphs, support=[found.data.path for found, _ in entries])


def analyse_long_waveform(context: TaskContext) -> TaskResult:
    """What follows single pulses, from the newest files. There is no limit to it."""
    entries = [
        (found, aftermath(found.data.waveforms.samples, AFTER_THRESHOLD))
        for found in latest_files(context, "LongWaveform")
    ]
    quantities = []
    for found, result in entries:
        nan = float("nan")
        residual, rate = (nan, nan) if result is None else (result.residual, result.after_hz)
        quantities.append(
            _quantity(found, "charge", "long-residual", residual, "1", "level 3 us after a pulse, of its peak", judged=False)
        )
        quantities.append(
            _quantity(found, "charge", "long-after-rate", rate, "Hz", "pulses after a laser pulse, dark ones included", judged=False)
        )
    graphs = [
        _graph(found, "long-waveform", "After a laser pulse", result, f"{result.after_hz:.0f} Hz")
        for found, result in entries
        if result is not None
    ]
    return conclude(context, quantities, graphs=graphs, support=[found.data.path for found, _ in entries])


def _quantity(
    found: Found, group: str, name: str, value: float, unit: str, about: str, *, judged: bool = True
) -> Quantity:
    dark = "" if isfinite(value) else " (no pulses are seen: check the fibre)"
    return Quantity(
        found.device.serial,
        found.part,
        group,
        name,
        value,
        unit,
        about + dark,
        goalposts=(name,) if judged else (),
    )


def _graph(found: Found, name: str, title: str, result: DoublePulse | Burst | Aftermath, text: str) -> Graph:
    y: Any = result.millivolts
    return Graph(
        found.device.serial, found.part, "timing", name, title, "time / ns", "signal / mV", result.at_ns, y,
        kind="line", text=text,
    )  # fmt: skip
