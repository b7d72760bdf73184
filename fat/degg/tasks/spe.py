"""Charges and times of single pulses in the dark: `measure_spe`, and the analyses `spe` and `dt` (fat.md section 7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from fat.degg.analyses.delta_t import DeltaT, by_chance, delta_t
from fat.degg.analyses.spe import SpePeak, sure_charge_pc, whole_peak
from fat.degg.analyses.units import NOMINAL_GAIN
from fat.degg.records.numbering import keys_of
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Graph, Quantity
from fat.degg.station.data_files import DataFile, file_name, read, write
from fat.degg.station.module import Module
from fat.degg.station.records import ChargeStamps
from fat.degg.tasks.gain import spectrum_graph
from fat.degg.tasks.hv_quality import hv_quantities, hv_sentences
from fat.degg.tasks.named_temperature import celsius_as_it_begins
from fat.degg.tasks.papers import Papers
from fat.degg.tasks.photomultipliers import Photomultipliers, Pmt
from fat.degg.tasks.recorded import Recorded, with_data
from fat.degg.tasks.thresholds import CHARGE_GATE, counts_over_baseline, filtered
from scheduler import TaskContext, TaskResult

DELTA_T: Final = "DeltaTMeasurement"
SPE: Final = "SpeMeasurement"
EVENTS: Final = 10_000
LONGEST_S: Final = 120.0


def measure_spe(context: TaskContext, comment: str, n_jobs: int = 4, events: int = EVENTS) -> TaskResult:
    """Charge stamps of the filtered trigger at 0.25 photoelectrons: what spectra and gaps are made from.

    events  of each photomultiplier
    """
    with Photomultipliers.of(context, n_jobs) as lab:
        papers = Papers(lab, [DELTA_T, SPE], "spe", comment, {"Events": events})
        reads = lab.ensure_on([pmt for pmt in lab.all if pmt not in papers.done])
        on = [pmt for pmt, found in reads.items() if found.on]
        celsius = celsius_as_it_begins(context, lab.temperatures(), comment)
        stamps = take_stamps(lab, on, events)
        for pmt, taken in stamps.items():
            told = {
                "device": pmt.device.serial,
                "part": pmt.part,
                "pmt": pmt.entry.serial,
                "channel": pmt.channel,
                "hv": pmt.entry.hv,
                "hv_read": reads[pmt].mean,
                "temperature_c": celsius,
                "threshold": counts_over_baseline(pmt),
                "task": context.task_id,
            }
            write(papers.folder / file_name(pmt.file_serial, pmt.entry.hv), taken, told)
        papers.conclude(
            {pmt: {"HV": pmt.entry.hv, "Temperature": round(celsius, 2)} for pmt in stamps},
            {pmt: "; ".join(reads[pmt].faults(None)) for pmt in reads.keys() - set(on)},
        )
        lab.warn("Single photoelectrons", hv_sentences(reads))
        outputs = {"folder": str(papers.folder), "measured": len(on) + len(papers.done)}
        return conclude(context, hv_quantities(reads, celsius), outputs=outputs)


def take_stamps(lab: Photomultipliers, pmts: Sequence[Pmt], events: int) -> dict[Pmt, ChargeStamps]:
    """Charge stamps of the filtered trigger at 0.25 photoelectrons; passes the time that they span."""

    def take(module: Module, members: Sequence[Pmt]) -> Mapping[Pmt, ChargeStamps]:
        taken = module.charge_stamps(
            events,
            channels=[pmt.channel for pmt in members],
            thresholds={pmt.channel: filtered(pmt) for pmt in members},
            trigger="fir",
            window=CHARGE_GATE,
            longest_s=LONGEST_S,
        )
        return {pmt: taken[pmt.channel] for pmt in members}

    found = lab.each(pmts, take)
    lab.station.spend(max((taken.span_s for taken in found.values()), default=0.0))
    return found


def peak_of(stamps: ChargeStamps, threshold_counts: float) -> SpePeak:
    """The peak of single photoelectrons in charge stamps."""
    return whole_peak(stamps.charge.astype(np.float64), sure_charge_pc(threshold_counts))


def known_width(pmt: Pmt) -> float | None:
    """Width of the peak, of its mean, that the latest analysed charge stamps have shown; None before the first."""
    entries = [pmt.entry.entries[key] for key in keys_of(pmt.entry.entries, SPE)]
    return next((float(entry["Width"]) for entry in reversed(entries) if "Width" in entry), None)


def analyse_spe(context: TaskContext) -> TaskResult:
    """Spectra of the latest charge stamps: gain and width."""
    quantities: list[Quantity] = []
    graphs: list[Graph] = []
    support = set()
    for one in with_data(context, SPE):
        file = _file(one)
        peak = None if file is None else peak_of(file.stamps, float(file.attributes["threshold"]))
        celsius = one.number("Temperature")
        gain = float("nan") if peak is None else peak.gain
        quantities.append(_quantity(one, "gain", "gain", gain, "gain by charge stamps", celsius))
        if peak is None or not peak.good or one.folder is None:
            continue
        width = _quantity(
            one, "charge", "spe-width", peak.width, "width of the charge's peak, of its mean", celsius
        )
        quantities.append(width)
        graphs.append(spectrum_graph(one.device.serial, one.pmt, peak, celsius))
        support.add(one.folder)
        one.device.note(
            one.pmt.channel, one.key, Gain=round(peak.gain / NOMINAL_GAIN, 5), Width=round(peak.width, 4)
        )
    return conclude(context, quantities, graphs=graphs, support=sorted(support))


def analyse_delta_t(context: TaskContext) -> TaskResult:
    """Gaps between pulses of the latest charge stamps."""
    quantities: list[Quantity] = []
    graphs: list[Graph] = []
    support = set()
    for one in with_data(context, DELTA_T):
        file = _file(one)
        found = delta_t(np.zeros(0) if file is None else file.stamps.ticks)
        celsius = one.number("Temperature")
        about = "share of pulses that follow another within 100 us"
        quantities.append(_quantity(one, "darknoise", "correlated-pulses", found.correlated, about, celsius))
        if found.gaps < 2 or one.folder is None:
            continue
        graphs.append(_gaps_graph(one, found, celsius))
        support.add(one.folder)
        values = {"Correlated": round(found.correlated, 4), "ChanceRate": round(found.chance_hz, 1)}
        one.device.note(one.pmt.channel, one.key, **values)
    return conclude(context, quantities, graphs=graphs, support=sorted(support))


def _file(one: Recorded) -> DataFile | None:
    files = one.files()
    return read(files[-1]) if files else None


def _quantity(
    one: Recorded, group: str, name: str, value: float, about: str, celsius: float | None
) -> Quantity:
    return Quantity(one.device.serial, one.pmt.part, group, name, value, "1", about, celsius)


def _gaps_graph(one: Recorded, found: DeltaT, celsius: float | None) -> Graph:
    centres = 0.5 * (found.edges[1:] + found.edges[:-1])
    alone = by_chance(found.edges, found.chance_hz, found.gaps * (1.0 - found.correlated))
    return Graph(
        one.device.serial,
        one.pmt.part,
        "darknoise",
        "delta-t",
        "Time from one pulse to the next",
        "log10(time / s)",
        "gaps",
        found.edges,
        found.counts,
        "steps",
        curves={"by chance": (centres, alone)},
        text=f"{found.correlated:.1%} follow another; {found.chance_hz:.0f} Hz by chance",
        temperature_c=celsius,
    )
