"""Linearity: ten strengths of the laser's light (fat.md section 7), measured, and analysed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.linearity import (
    CHARGE_AT_PE,
    CURRENT_AT_MA,
    REFERENCE,
    STRENGTHS,
    THRESHOLDS,
    LightStep,
    Linearity,
    light_step,
    linearity,
    output_range,
    saturated,
)
from fat.degg.analyses.pulses import Pulses, pulses_in
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Graph, Quantity
from fat.degg.station import Module, Waveforms
from fat.degg.station.data_files import DataFile, file_name, write
from fat.degg.station.needed import LASER, needs_instruments
from fat.degg.tasks.laser import (
    LASER_HZ,
    bring_up,
    check_light,
    counts_over,
    laser_on,
    longest_span,
    restore_baselines,
    told,
)
from fat.degg.tasks.light_files import LightFile, light_files
from fat.degg.tasks.named_temperature import celsius_as_it_begins
from fat.degg.tasks.papers import Papers
from fat.degg.tasks.photomultipliers import Photomultipliers, Pmt
from scheduler import TaskContext, TaskResult
from scheduler.declared import declares

NAME: Final = "LinearityMeasurement"
DAC: Final = 5000
"""A low baseline: large pulses find room."""
EVENTS: Final = 5000
STEADY_STEP: Final = STRENGTHS.index(REFERENCE)
FILTERS: Final = (
    (1.0, 0.01),
    (0.05, 0.5),
    (0.05, 1.0),
    (1.0, 0.1),
    (0.25, 0.5),
    (0.32, 0.5),
    (0.25, 1.0),
    (0.32, 1.0),
    (1.0, 0.5),
    (1.0, 1.0),
)
"""Of both wheels, for each of STRENGTHS."""


@needs_instruments(*LASER)
@declares(leaves={"laser": "off"}, lasts_s=900.0)
def measure_linearity(
    context: TaskContext, comment: str, n_jobs: int = 4, events: int = EVENTS
) -> TaskResult:
    """Take waveforms at ten strengths of light.

    comment  for the papers
    n_jobs   wire pairs that work at a time
    events   waveforms of each photomultiplier at each strength
    """
    with Photomultipliers.of(context, n_jobs) as lab:
        parameters = {"Events": events, "DacValue": DAC, "LaserFreq": LASER_HZ}
        papers = Papers(lab, [NAME], "linearity", comment, parameters)
        celsius = celsius_as_it_begins(context, lab.temperatures(), comment)
        baselines = bring_up(lab, "Linearity", DAC)
        arrays: dict[Pmt, dict[str, NDArray[Any]]] = {pmt: {} for pmt in lab.all}
        try:
            with laser_on(lab):
                for step, strength in enumerate(STRENGTHS):
                    context.progress(step, len(STRENGTHS), f"light {strength:g}")
                    lab.station.wheels.set(*FILTERS[step])
                    check_light(lab, LASER_HZ)
                    for pmt, found in _take(lab, baselines, THRESHOLDS[step], events):
                        arrays[pmt] |= _reduced(step, found)
        finally:
            restore_baselines(lab)
        for pmt in lab.all:
            about = told(
                pmt, celsius, context.task_id, strengths=list(STRENGTHS), thresholds=list(THRESHOLDS)
            )
            about |= {"laser_hz": LASER_HZ, "dac": DAC}
            write(papers.folder / file_name(pmt.file_serial, pmt.entry.hv), arrays[pmt], about)
            papers.complete(pmt)
        return TaskResult(outputs={"folder": str(papers.folder), "photomultipliers": len(lab.all)})


def _take(
    lab: Photomultipliers, baselines: Mapping[Module, Mapping[int, float]], threshold: float, events: int
) -> Iterator[tuple[Pmt, Waveforms]]:
    found = lab.station.each(
        lab.modules,
        lambda module: module.waveforms(events, thresholds=counts_over(baselines[module], threshold)),
        lab.jobs,
    )
    lab.station.spend(longest_span(found))
    for pmt in lab.all:
        yield pmt, found[pmt.module][pmt.channel]


def _reduced(step: int, found: Waveforms) -> dict[str, NDArray[Any]]:
    """What is kept of a step: each record's time, charge and peak, and the mean of all."""
    pulses = pulses_in(found.samples)
    mean = found.samples.mean(axis=0, dtype=np.float64) - pulses.baseline if len(found) else np.zeros(0)
    return {
        f"ticks_{step}": found.ticks,
        f"charge_{step}": pulses.charge_pc.astype(np.float32),
        f"peak_{step}": pulses.peak_ma.astype(np.float32),
        f"clipped_{step}": pulses.clipped,
        f"mean_{step}": mean.astype(np.float32),
    }


def analyse_linearity(context: TaskContext) -> TaskResult:
    """Saturation of each photomultiplier from the newest files; papers and verdicts."""
    quantities: list[Quantity] = []
    graphs: list[Graph] = []
    support: set[Path] = set()
    for file in light_files(context, NAME):
        steps = [] if file.data is None else steps_of(file.data)
        found = linearity(steps)
        quantities += _quantities(file, found)
        if file.data is not None:
            support.add(file.data.path.parent)
        if found is None:
            seen = f"the laser is seen in {len(steps)} of {len(STRENGTHS)} steps; check the fibre"
            context.notify(f"Linearity: {file.one.name}: {seen}", severity="warning")
            continue
        graphs += _graphs(file, found)
        p0, p1, p2 = (float(value) for value in found.current.fit.values)
        ratios = {"ChargeRatio200pe": found.charge.ratio, "CurrentRatio10mA": found.current.ratio}
        file.note(**ratios, FitP0=p0, FitP1=p1, FitP2=p2)
    return conclude(context, quantities, graphs=graphs, support=sorted(support))


def steps_of(data: DataFile) -> list[LightStep]:
    """The steps of a file in which the laser is seen."""
    found = []
    both = zip(data.attributes["strengths"], data.attributes["thresholds"], strict=True)
    for step, (strength, threshold) in enumerate(both):
        charge, peak = (data.arrays[f"{name}_{step}"].astype(np.float64) for name in ("charge", "peak"))
        pulses = Pulses(charge, peak, data.arrays[f"clipped_{step}"], 0.0)
        one = light_step(
            strength, threshold, data.arrays[f"ticks_{step}"], pulses, data.attributes["laser_hz"]
        )
        if one is not None:
            found.append(one)
    return found


def _quantities(file: LightFile, found: Linearity | None) -> Iterator[Quantity]:
    dark = "" if found is not None else " (the laser is not seen: check the fibre)"
    nan = float("nan")
    charge, current = (nan, nan) if found is None else (found.charge.ratio, found.current.ratio)
    about = f"observed over ideal charge at {CHARGE_AT_PE:g} photoelectrons{dark}"
    yield file.quantity("linearity", "linearity-charge-ratio-at-200pe", charge, "1", about)
    about = f"observed over ideal peak current at {CURRENT_AT_MA:g} mA{dark}"
    yield file.quantity("linearity", "linearity-current-ratio-at-10mA", current, "1", about)
    steady = nan if file.data is None else output_range(file.data.arrays[f"charge_{STEADY_STEP}"])
    about = f"how far the laser's light moved at strength {REFERENCE:g}{dark}"
    yield file.quantity("luminosity", "average-laser-output-range", steady, "%", about)


def _graphs(file: LightFile, found: Linearity) -> Iterator[Graph]:
    for name, title, unit, result in (
        ("linearity-charge", "Linearity of the charge", "pe", found.charge),
        ("linearity-current", "Linearity of the peak current", "mA", found.current),
    ):
        ideal = np.geomspace(result.ideal.min(), result.ideal.max(), 60)
        yield Graph(
            file.serial,
            file.part,
            "linearity",
            name,
            title,
            f"ideal / {unit}",
            f"observed / {unit}",
            result.ideal,
            result.observed,
            y_error=result.errors,
            curves={"saturation": (ideal, saturated(ideal, result.fit.values)), "ideal": (ideal, ideal)},
            x_scale="log",
            y_scale="log",
            text=f"{result.ratio:.3f} at {result.at:g} {unit}",
            temperature_c=file.celsius,
        )
