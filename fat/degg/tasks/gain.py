"""Gain against high voltage in the dark: `measure_gain`, its analysis, and `validate_gain` (fat.md section 7)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from fat.degg.analyses.dark_pulses import pulses_of
from fat.degg.analyses.gain_curve import GainCurve, GainPoint, gain_curve
from fat.degg.analyses.spe import SpePeak, height_volts, spe_peaks, sure_charge_pc
from fat.degg.analyses.units import NOMINAL_GAIN
from fat.degg.records.device_file import UNKNOWN_VOLTAGE, PmtEntry
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Graph, Quantity
from fat.degg.station.data_files import read
from fat.degg.tasks.gain_kept import KeptScans
from fat.degg.tasks.gain_scan import Scan, Step, point_of, scan
from fat.degg.tasks.hv_quality import hv_quantities
from fat.degg.tasks.named_temperature import celsius_as_it_begins
from fat.degg.tasks.papers import Papers
from fat.degg.tasks.photomultipliers import Photomultipliers, Pmt
from fat.degg.tasks.recorded import Recorded, recorded, with_data
from scheduler import TaskContext, TaskResult

NAME: Final = "GainMeasurement"
EVENTS: Final = 10_000


def measure_gain(
    context: TaskContext, comment: str, n_jobs: int = 4, resume: bool = False, events: int = EVENTS
) -> TaskResult:
    """Scan the high voltage of all photomultipliers; a file of waveforms for each point.

    n_jobs  so many wire pairs at a time
    resume  leave out photomultipliers whose entry of this task has its folder; a second attempt always does, and it
            goes on with the points that the one before had not taken
    events  waveforms of each point
    """
    with Photomultipliers.of(context, n_jobs) as lab:
        parameters = {"mode": "scan", "config": "waveform", "Events": events}
        papers = Papers(lab, [NAME], "gain", comment, parameters, resume=resume)
        began_c = celsius_as_it_begins(context, lab.temperatures(), comment)
        kept = KeptScans(context, papers.folder, began_c)
        celsius = kept.celsius
        pmts = [pmt for pmt in lab.all if pmt not in papers.done]
        scans = scan(
            lab,
            pmts,
            events,
            by="waveforms",
            keep=lambda pmt, step: kept.write(pmt, step, _told(context, pmt, step, celsius)),
            earlier=kept.taken_up(pmts),
            after_each=kept.keep,
        )
        # What comes next expects the voltage to work with, not the last point of the scan.
        lab.set_volts({pmt: pmt.entry.hv for pmt, found in scans.items() if found.successful})
        for pmt, found in scans.items():
            _conclude_entry(papers, pmt, found, celsius)
        lab.warn("Gain", [f"{pmt.name}: {text}" for pmt, found in scans.items() for text in _problems(found)])
        reads = {pmt: found.worst for pmt, found in scans.items() if found.worst is not None}
        outputs = {
            "folder": str(papers.folder),
            "measured": sum(found.successful for found in scans.values()) + len(papers.done),
            "photomultipliers": len(lab.all),
        }
        return conclude(context, hv_quantities(reads, celsius), outputs=outputs)


def _told(context: TaskContext, pmt: Pmt, step: Step, celsius: float) -> dict[str, Any]:
    """What a file says of its data."""
    return {
        "device": pmt.device.serial,
        "part": pmt.part,
        "pmt": pmt.entry.serial,
        "channel": pmt.channel,
        "port": pmt.device.port,
        "hv": step.volts,
        "hv_read": step.read.mean,
        "baseline": step.baseline,
        "threshold": step.threshold,
        "temperature_c": celsius,
        "task": context.task_id,
    }


def _conclude_entry(papers: Papers, pmt: Pmt, found: Scan, celsius: float) -> None:
    if found.successful:
        papers.complete(pmt, Baseline=round(found.baseline, 2), Temperature=round(celsius, 2))
    else:
        papers.failed(pmt, "; ".join(_problems(found)))


def _problems(found: Scan) -> list[str]:
    """Phrases; a scan that has not worked has at least one."""
    return found.problems if found.problems or found.successful else ["too few points with a peak"]


@dataclass(frozen=True, eq=False)
class GainResult:
    """The analysis of one photomultiplier's scan."""

    points: tuple[GainPoint, ...]
    spectra: tuple[SpePeak, ...]
    heights: tuple[float, ...]
    """Of the pulse of one photoelectron at each point, V."""
    curve: GainCurve | None

    @property
    def hv(self) -> float:
        """High voltage of a gain of 1e7; NaN without."""
        return math.nan if self.curve is None else self.curve.hv_1e7

    @property
    def nearest(self) -> int:
        """The point that is nearest to a gain of 1e7; -1 without any peak."""
        away = [abs(math.log(p.gain / NOMINAL_GAIN)) if p.usable else math.inf for p in self.points]
        return int(np.argmin(away)) if away and min(away) < math.inf else -1

    @property
    def spe_volts(self) -> float:
        """Height of the pulse of one photoelectron at a gain of 1e7, V: it scales with the charge."""
        near = self.nearest
        if near < 0:
            return math.nan
        return self.heights[near] * NOMINAL_GAIN / self.points[near].gain


def analysed(files: Sequence[Path]) -> GainResult:
    """Analyse the files of one photomultiplier's scan. Raises DataFileBroken."""
    told, rates, pulses = [], [], []
    for path in files:
        file = read(path)
        events = file.waveforms
        told.append(file.attributes)
        rates.append((len(events) - 1) / events.span_s if events.span_s > 0 else 0.0)
        pulses.append(pulses_of(events.samples))
    sure = [sure_charge_pc(float(one["threshold"])) for one in told]
    spectra = spe_peaks([one.charge_pc for one in pulses], sure)
    points = [
        point_of(peak, float(one["hv"]), rate) for peak, one, rate in zip(spectra, told, rates, strict=True)
    ]
    heights = [
        height_volts(one.charge_pc, one.height, peak) if peak.good else math.nan
        for one, peak in zip(pulses, spectra, strict=True)
    ]
    return GainResult(tuple(points), tuple(spectra), tuple(heights), gain_curve(points))


def analysis_wrapper(context: TaskContext) -> TaskResult:
    """Analyse the latest gain scans: high voltage of a gain of 1e7 into the papers, verdicts and graphs."""
    found, graphs, support = [], [], []
    for one in with_data(context, NAME):
        result, celsius = GainResult((), (), (), None), None
        if one.folder is not None:
            result = analysed(one.files())
            celsius = one.number("Temperature")
            graphs += list(_graphs(one, result, celsius))
            support.append(one.folder)
        _into_papers(one, result)
        found.append(
            Quantity(
                one.device.serial,
                one.pmt.part,
                "gain",
                "hv-at-1e7-gain",
                result.hv,
                "V",
                "high voltage of a gain of 1e7",
                celsius,
                ("hv-at-1e7-gain",),
            )
        )
    known = sum(math.isfinite(quantity.value) for quantity in found)
    outputs = {"known": known, "photomultipliers": len(found)}
    return conclude(context, found, graphs=graphs, support=sorted(set(support)), outputs=outputs)


def _into_papers(one: Recorded, result: GainResult) -> None:
    curve = result.curve
    if curve is None or not math.isfinite(curve.hv_1e7):
        one.device.set(one.pmt.channel, HV1e7Gain=UNKNOWN_VOLTAGE)
        return
    values = {"GainFitNorm": curve.norm, "GainFitExp": curve.exponent, "HV1e7Gain": round(curve.hv_1e7, 1)}
    one.device.note(one.pmt.channel, one.key, **values)
    height = {} if math.isnan(result.spe_volts) else {"SPEPeakHeight": round(result.spe_volts, 7)}
    one.device.set(one.pmt.channel, HV1e7Gain=values["HV1e7Gain"], **height)


def _graphs(one: Recorded, result: GainResult, celsius: float | None) -> Iterator[Graph]:
    usable = [point for point in result.points if point.usable]
    if result.curve is None or not usable:
        return
    volts = np.array([point.volts for point in usable])
    gains = np.array([point.gain for point in usable])
    dense = np.linspace(volts.min() - 20, volts.max() + 20, 60)
    yield Graph(
        one.device.serial,
        one.pmt.part,
        "gain",
        "gain-curve",
        "Gain against high voltage",
        "high voltage / V",
        "gain",
        volts,
        gains,
        y_error=gains * np.array([point.relative_error for point in usable]),
        curves={"power law": (dense, result.curve.gain(dense))},
        x_scale="log",
        y_scale="log",
        text=f"1e7 at {result.hv:.0f} V, exponent {result.curve.exponent:.2f}",
        temperature_c=celsius,
    )
    peak = result.spectra[result.nearest]
    yield spectrum_graph(one.device.serial, one.pmt, peak, celsius)


def spectrum_graph(serial: str, pmt: PmtEntry, peak: SpePeak, celsius: float | None) -> Graph:
    """The spectrum of charges with the fitted peak."""
    step = peak.centres_pc[1] - peak.centres_pc[0]
    edges = np.append(peak.centres_pc - 0.5 * step, peak.centres_pc[-1] + 0.5 * step)
    fitted = np.isfinite(peak.fitted)
    return Graph(
        serial,
        pmt.part,
        "charge",
        "spe-spectrum",
        "Charge of single photoelectrons",
        "charge / pC",
        "pulses",
        edges,
        peak.counts,
        "steps",
        curves={"fit": (peak.centres_pc[fitted], peak.fitted[fitted])},
        text=f"peak {peak.charge_pc:.3f} pC, gain {peak.gain / NOMINAL_GAIN:.2f}e7",
        temperature_c=celsius,
    )


def validate_gain(context: TaskContext) -> TaskResult:
    """Whether the high voltage of a gain of 1e7 is known of all; else a person has to say that the run goes on."""
    with_papers = list(recorded(context, NAME))
    unknown = [one.name for one in with_papers if one.pmt.hv_1e7 is None]
    if unknown:
        text = (
            f"No high voltage of a gain of 1e7 is known of {', '.join(unknown)}. Shall the run go on without?"
        )
        context.ask(text, severity="warning")
    return TaskResult(outputs={"unknown": unknown, "photomultipliers": len(with_papers)})
