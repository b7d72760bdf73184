"""Monitoring by a scan of the high voltage: a new high voltage of a gain of 1e7, and the dark rate there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from fat.degg.analyses.dark_rate import DarkRate, judged
from fat.degg.analyses.gain_curve import GainCurve, gain_curve
from fat.degg.analyses.spe import SpePeak, peaks_alike
from fat.degg.station.data_files import write
from fat.degg.tasks.box import box_celsius
from fat.degg.tasks.gain_scan import Scan, Step, point_of, scan
from fat.degg.tasks.monitoring_rates import alarms, draw_trends, rates_now
from fat.degg.tasks.papers import Papers
from fat.degg.tasks.photomultipliers import Photomultipliers, Pmt
from scheduler import TaskContext, TaskResult

NAME: Final = "DarkrateTemperature"
EVENTS: Final = 800
MOST_POINTS: Final = 5


def slowmon(
    context: TaskContext, comment: str, n_jobs: int = 4, verbose: bool = False, events: int = EVENTS
) -> TaskResult:
    """Scan the high voltage by charge stamps of the filtered trigger, set the new one, and count dark pulses.

    verbose  tell people as well when all is well
    events   of each point; the points fit a law together, so that few are enough
    """
    with Photomultipliers.of(context, n_jobs) as lab:
        papers = Papers(lab, [NAME], "monitoring", comment, {"Events": events})
        boards = lab.temperatures()
        celsius = box_celsius(context, boards)
        kept: dict[Pmt, list[Step]] = {}
        pmts = [pmt for pmt in lab.all if pmt not in papers.done]
        scans = scan(
            lab,
            pmts,
            events,
            by="stamps",
            keep=lambda pmt, step: kept.setdefault(pmt, []).append(step),
            most_points=MOST_POINTS,
        )
        laws = _laws(scans, kept)
        volts = {pmt: law.hv_1e7 for pmt, law in laws.items()}
        if volts:
            lab.set_volts(volts)
        rates = rates_now(lab, list(volts))
        _write(papers, kept)
        papers.conclude(
            {pmt: _values(law, rates[pmt], celsius) for pmt, law in laws.items()},
            {
                pmt: "; ".join(found.problems) or "too few points with a peak"
                for pmt, found in scans.items()
                if pmt not in volts
            },
            {pmt: {"HV1e7Gain": round(hv, 1)} for pmt, hv in volts.items()},
        )
        draw_trends(context, boards, rates)
        faults = [f"{pmt.name}: {text}" for pmt, found in scans.items() for text in found.problems]
        faults += [f"{pmt.name}: no high voltage of a gain of 1e7" for pmt in pmts if pmt not in volts]
        faults += alarms(rates, celsius)
        lab.warn(f"Monitoring by a scan ({comment})", faults)
        if verbose and not faults:
            context.notify(f"Monitoring by a scan ({comment}): OK")
        return TaskResult(outputs={"faults": faults, "measured": len(volts), "folder": str(papers.folder)})


def _laws(scans: Mapping[Pmt, Scan], kept: Mapping[Pmt, Sequence[Step]]) -> dict[Pmt, GainCurve]:
    """The law through all points of each, fitted with one width; without those where it tells no high voltage."""
    peaks = peaks_alike(
        [[step.spectrum for step in steps] for steps in kept.values()],
        [[step.peak for step in steps] for steps in kept.values()],
    )
    laws = {pmt: _law(steps, found) for (pmt, steps), found in zip(kept.items(), peaks, strict=True)}
    # In the order of the scans, which is that of the papers.
    return {pmt: law for pmt, scan in scans.items() if scan.ended and (law := laws.get(pmt)) is not None}


def _law(steps: Sequence[Step], peaks: Sequence[SpePeak]) -> GainCurve | None:
    points = [point_of(peak, step.volts, step.rate_hz) for peak, step in zip(peaks, steps, strict=True)]
    curve = gain_curve(points)
    return curve if curve is not None and math.isfinite(curve.hv_1e7) else None


def _values(law: GainCurve, rate: DarkRate, celsius: float) -> dict[str, Any]:
    return {
        "HV1e7Gain": round(law.hv_1e7, 1),
        "GainFitNorm": law.norm,
        "GainFitExp": round(law.exponent, 3),
        "DarkRate": round(rate.rate_hz, 1),
        "HighRate": judged(rate.rate_hz, celsius, "fir") == "alarm",
        "Temperature": round(celsius, 2),
    }


def _write(papers: Papers, kept: Mapping[Pmt, list[Step]]) -> None:
    """One file for all: charges of point n are those whose `owner` is n."""
    steps = [(number, step) for number, steps in enumerate(kept.values()) for step in steps]
    charges = [np.asarray(getattr(step.events, "charge", ())) for _, step in steps]
    arrays = {
        "pmt": np.array([number for number, _ in steps], np.int16),
        "hv": np.array([step.volts for _, step in steps]),
        "hv_read": np.array([step.read.mean for _, step in steps]),
        "gain": np.array([step.point.gain for _, step in steps]),
        "relative_error": np.array([step.point.relative_error for _, step in steps]),
        "rate_hz": np.array([step.rate_hz for _, step in steps]),
        "charge": np.concatenate(charges or [np.zeros(0)]).astype(np.float32),
        "owner": np.repeat(np.arange(len(steps), dtype=np.int32), [part.size for part in charges]),
    }
    write(papers.folder / "scan.hdf5", arrays, {"pmts": [pmt.file_serial for pmt in kept]})
