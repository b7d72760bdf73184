"""Monitoring at constant high voltage: baseline, peak of single photoelectrons, dark rate, gaps between pulses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.dark_rate import DarkRate, judged
from fat.degg.analyses.delta_t import delta_t
from fat.degg.analyses.high_voltage import Readings
from fat.degg.analyses.spe import Spectrum, SpePeak, fit_peaks, steady, sure_charge_pc
from fat.degg.station.data_files import write
from fat.degg.station.records import ChargeStamps
from fat.degg.tasks.box import box_celsius
from fat.degg.tasks.hv_quality import hv_sentences
from fat.degg.tasks.monitoring_rates import alarms, draw_trends, rates_now
from fat.degg.tasks.papers import Papers
from fat.degg.tasks.photomultipliers import READS, Photomultipliers, Pmt
from fat.degg.tasks.spe import known_width, take_stamps
from fat.degg.tasks.thresholds import counts_over_baseline
from scheduler import TaskContext, TaskResult

NAME: Final = "AdvancedMonitoring"
EVENTS: Final = 2000
HV_READS: Final = 3 * READS


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What was found of one photomultiplier."""

    read: Readings
    baseline: float
    stamps: ChargeStamps
    peak: SpePeak
    rate: DarkRate


def constant_monitor(
    context: TaskContext,
    comment: str,
    max_i: int = 1,
    n_jobs: int = 4,
    use_fir: bool = True,
    verbose: bool = False,
    ignore_warn: bool = False,
    events: int = EVENTS,
) -> TaskResult:
    """Monitor all photomultipliers at the high voltage of a gain of 1e7.

    max_i        times that everything is measured
    use_fir      rates by the filtered trigger; else by the ADC's
    verbose      tell people as well when all is well
    ignore_warn  tell nobody what is wrong; it stands in the papers all the same
    events       charge stamps of each photomultiplier
    """
    with Photomultipliers.of(context, n_jobs) as lab:
        faults: list[str] = []
        for number in range(max_i):
            parameters = {"Repeat": number, "Fir": use_fir, "Events": events}
            papers = Papers(lab, [NAME], "monitoring", comment, parameters)
            faults += _once(lab, papers, events, use_fir=use_fir)
            context.progress(number + 1, max_i)
        if not ignore_warn:
            lab.warn(f"Monitoring ({comment})", faults)
        if verbose and not faults:
            context.notify(f"Monitoring ({comment}): OK")
        return TaskResult(outputs={"faults": faults, "folder": str(papers.folder)})


def _once(lab: Photomultipliers, papers: Papers, events: int, *, use_fir: bool) -> list[str]:
    """Measure all once; returns a sentence for each fault."""
    at_first = lab.ensure_on()
    on = [pmt for pmt, read in at_first.items() if read.on]
    reads = at_first | lab.read_volts(on, HV_READS)
    boards = lab.temperatures()
    celsius = box_celsius(lab.context, boards)
    baselines = lab.each(on, lambda module, members: {pmt: module.baseline(pmt.channel) for pmt in members})
    stamps = take_stamps(lab, on, events)
    rates = rates_now(lab, on, use_fir=use_fir)
    peaks = fit_peaks([_spectrum(pmt, stamps[pmt]) for pmt in on])
    found = {
        pmt: Look(reads[pmt], baselines[pmt], stamps[pmt], peak, rates[pmt])
        for pmt, peak in zip(on, peaks, strict=True)
    }
    _write(papers, found)
    papers.conclude(
        {pmt: _values(pmt, look, celsius, use_fir=use_fir) for pmt, look in found.items()},
        {pmt: "; ".join(read.faults(None)) for pmt, read in reads.items() if not read.on},
    )
    draw_trends(lab.context, boards, rates, use_fir=use_fir)
    told = [*lab.found_off(), *hv_sentences(reads), *alarms(rates, celsius, use_fir=use_fir)]
    return told + [
        f"{pmt.name}: no peak of single photoelectrons" for pmt, f in found.items() if not f.peak.good
    ]


def _spectrum(pmt: Pmt, stamps: ChargeStamps) -> Spectrum:
    sure = sure_charge_pc(counts_over_baseline(pmt))
    return steady(stamps.charge.astype(np.float64), sure, known_width(pmt))


def _values(pmt: Pmt, look: Look, celsius: float, *, use_fir: bool) -> dict[str, Any]:
    high = judged(look.rate.rate_hz, celsius, "fir" if use_fir else "adc") == "alarm"
    gaps = delta_t(look.stamps.ticks)
    return {
        "HV": pmt.entry.hv,
        "HVRead": round(look.read.mean, 2),
        "HVStd": round(look.read.std, 3),
        "HVProblem": bool(look.read.faults(pmt.entry.hv_1e7)),
        "Baseline": round(look.baseline, 2),
        "SPEPeak": round(look.peak.charge_pc, 5) if look.peak.good else None,
        "GoodFit": look.peak.good,
        "DarkRate": round(look.rate.rate_hz, 1),
        "HighRate": high,
        "Correlated": round(gaps.correlated, 4) if np.isfinite(gaps.correlated) else None,
        "Temperature": round(celsius, 2),
    }


def _write(papers: Papers, found: Mapping[Pmt, Look]) -> None:
    """One file for all: stamps of photomultiplier n are those whose `owner` is n."""
    looks = list(found.values())
    sizes = [len(look.stamps) for look in looks]
    nothing = [np.zeros(0)]
    arrays: dict[str, NDArray[Any]] = {
        "ticks": np.concatenate([look.stamps.ticks for look in looks] or nothing).astype(np.int64),
        "charge": np.concatenate([look.stamps.charge for look in looks] or nothing).astype(np.float32),
        "owner": np.repeat(np.arange(len(looks), dtype=np.int16), sizes),
        "hv_read": np.array([look.read.mean for look in looks]),
        "baseline": np.array([look.baseline for look in looks]),
        "rate_hz": np.array([look.rate.rate_hz for look in looks]),
    }
    write(papers.folder / "constant.hdf5", arrays, {"pmts": [pmt.file_serial for pmt in found]})
