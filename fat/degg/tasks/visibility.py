"""Whether each photomultiplier sees the laser, measured before a run (fat.md section 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.visibility import MOST_SPACING_S, Visibility, visibility
from fat.degg.station import Module
from fat.degg.station.data_files import file_name, write
from fat.degg.tasks.box import box_celsius
from fat.degg.tasks.laser import LASER_HZ, bring_up, laser_on, told
from fat.degg.tasks.papers import Papers
from fat.degg.tasks.photomultipliers import Photomultipliers, Pmt
from scheduler import TaskContext

NAME: Final = "LaserVisibilityMeasurement"
FILTERS: Final = (0.25, 1.0)
EVENTS: Final = 3000
FIRST_COUNTS: Final = 150
"""Threshold over the baseline."""
STEP_COUNTS: Final = 10
LEAST_COUNTS: Final = 20
"""Lower there is nothing but noise."""
PROBE: Final = 100
"""Records that tell how often they come."""
SLACK: Final = 2.0
"""Records are waited for so many times longer than they may take."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one photomultiplier saw, with the threshold that was used, counts over the baseline."""

    pmt: Pmt
    threshold: int
    seen: Visibility


def measure_visibility(
    context: TaskContext, comment: str, n_jobs: int = 4, events: int = EVENTS
) -> list[Seen]:
    """Waveforms of all photomultipliers in the laser's light; into the papers, and back.

    The threshold begins at 150 counts over the baseline and is lowered by 10 for each photomultiplier whose records
    come too rarely.
    """
    with Photomultipliers.of(context, n_jobs) as lab:
        parameters = {"Events": events, "LaserFreq": LASER_HZ, "Filter": FILTERS[0] * FILTERS[1]}
        papers = Papers(lab, [NAME], "laser_visibility", comment, parameters)
        celsius = box_celsius(context, lab.temperatures())
        baselines = bring_up(lab, "Laser visibility")
        lab.station.wheels.set(*FILTERS)
        with laser_on(lab):
            counts = _thresholds(lab, baselines)
            ticks = _taken(lab, lab.modules, baselines, counts, events)
        found = []
        for pmt in lab.all:
            one = Seen(pmt, counts[pmt], visibility(ticks[pmt], LASER_HZ))
            about = told(pmt, celsius, context.task_id, laser_hz=LASER_HZ, threshold=one.threshold)
            write(papers.folder / file_name(pmt.file_serial, pmt.entry.hv), {"ticks": ticks[pmt]}, about)
            spacing = one.seen.spacing_s if np.isfinite(one.seen.spacing_s) else None
            output = {"Spacing": spacing, "Efficiency": one.seen.efficiency, "Threshold": one.threshold}
            papers.complete(pmt, Output=one.seen.sees_laser, **output)
            found.append(one)
        return found


def _thresholds(lab: Photomultipliers, baselines: Mapping[Module, Mapping[int, float]]) -> dict[Pmt, int]:
    """Counts over the baseline at which records come often enough, or the lowest."""
    counts = dict.fromkeys(lab.all, FIRST_COUNTS)
    rare = list(lab.all)
    while rare:
        modules = list(dict.fromkeys(pmt.module for pmt in rare))
        ticks = _taken(lab, modules, baselines, counts, PROBE)
        rare = [
            pmt
            for pmt in rare
            if visibility(ticks[pmt], LASER_HZ).spacing_s >= MOST_SPACING_S and counts[pmt] > LEAST_COUNTS
        ]
        for pmt in rare:
            counts[pmt] -= STEP_COUNTS
    return counts


def _taken(
    lab: Photomultipliers,
    modules: Sequence[Module],
    baselines: Mapping[Module, Mapping[int, float]],
    counts: Mapping[Pmt, int],
    events: int,
) -> dict[Pmt, NDArray[np.int64]]:
    """Times of records of some modules, at most so many, and no longer than they may take."""
    thresholds: dict[Module, dict[int, int]] = {module: {} for module in modules}
    for pmt in lab.all:
        if pmt.module in thresholds:
            level = baselines[pmt.module][pmt.channel] + counts[pmt]
            thresholds[pmt.module][pmt.channel] = int(np.ceil(level))
    longest = SLACK * events * MOST_SPACING_S
    found = lab.station.each(
        modules,
        lambda module: module.waveforms(events, thresholds=thresholds[module], longest_s=longest),
        lab.jobs,
    )
    lab.station.spend(max(w.span_s for by_channel in found.values() for w in by_channel.values()))
    return {pmt: found[pmt.module][pmt.channel].ticks for pmt in lab.all if pmt.module in found}
