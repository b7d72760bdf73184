"""Read-back of the high voltage against its set points: `measure_hv` (fat.md section 7)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.degg.analyses.high_voltage import LEAST_SET_VOLTS, MOST_VOLTS, ReadBack
from fat.degg.analyses.high_voltage import read_back as line_through
from fat.degg.results.conclude import conclude
from fat.degg.results.quantity import Graph, Quantity
from fat.degg.station.data_files import write
from fat.degg.station.module import Module
from fat.degg.tasks.box import box_celsius
from fat.degg.tasks.hv_quality import hv_quantities, hv_sentences
from fat.degg.tasks.papers import Papers
from fat.degg.tasks.photomultipliers import Photomultipliers, Pmt, read_back
from scheduler import TaskContext, TaskResult

NAME: Final = "HVMonitoring"
SPAN_VOLTS: Final = 120.0
STEP_VOLTS: Final = 1.0
READS: Final = 20
RAMP_VOLTS_PER_S: Final = 50.0
SETTLE_S: Final = 0.5


def measure_hv(
    context: TaskContext,
    comment: str,
    n_jobs: int = 4,
    step_volts: float = STEP_VOLTS,
    reads: int = READS,
) -> TaskResult:
    """Read the high voltage back at set points from 120 V below that of a gain of 1e7 to 120 V above it.

    step_volts  between set points, whole volts
    reads       of each
    """
    with Photomultipliers.of(context, n_jobs) as lab:
        papers = Papers(lab, [NAME], "high_voltage", comment, {"StepVolts": step_volts, "Reads": reads})
        before = lab.ensure_on([pmt for pmt in lab.all if pmt not in papers.done])
        on = [pmt for pmt, found in before.items() if found.on]
        celsius = box_celsius(context, lab.temperatures())
        points = {pmt: _set_points(pmt.entry.hv, step_volts) for pmt in on}
        taken = _walk(lab, points, reads)
        lab.set_volts({pmt: pmt.entry.hv for pmt in on})
        lines = {pmt: line_through(points[pmt], taken[pmt]) for pmt in on}
        for pmt in lines:
            told = {"device": pmt.device.serial, "part": pmt.part, "pmt": pmt.entry.serial, "hv": pmt.entry.hv,
                    "temperature_c": celsius, "task": context.task_id}  # fmt: skip
            data = {"set_volts": points[pmt], "read_volts": taken[pmt]}
            write(papers.folder / f"{pmt.file_serial}.hdf5", data, told)
        papers.conclude(
            {
                pmt: {"HV": pmt.entry.hv, "Temperature": round(celsius, 2), **_values(line)}
                for pmt, line in lines.items()
            },
            {pmt: "; ".join(before[pmt].faults(None)) for pmt in before.keys() - set(on)},
        )
        lab.warn("High voltage", hv_sentences(before))
        quantities = [*hv_quantities(before, celsius)]
        for pmt, line in lines.items():
            quantities += _quantities(pmt, line, celsius)
        graphs = [_graph(pmt, points[pmt], taken[pmt], lines[pmt], celsius) for pmt in on]
        outputs = {"folder": str(papers.folder), "measured": len(on) + len(papers.done)}
        return conclude(context, quantities, graphs=graphs, support=[papers.folder], outputs=outputs)


def _set_points(centre: float, step: float) -> NDArray[np.float64]:
    """(n) whole volts, ascending."""
    points = np.unique(np.round(np.arange(centre - SPAN_VOLTS, centre + SPAN_VOLTS + 0.5 * step, step)))
    return np.asarray(points[(points >= LEAST_SET_VOLTS) & (points <= MOST_VOLTS)], np.float64)


def _walk(
    lab: Photomultipliers, points: dict[Pmt, NDArray[np.float64]], reads: int
) -> dict[Pmt, NDArray[np.float64]]:
    """Reads (points, reads) of each, all at their n-th point at the same time."""
    taken: dict[Pmt, list[NDArray[np.float64]]] = {pmt: [] for pmt in points}
    most = max((len(values) for values in points.values()), default=0)
    for n in range(most):
        there = {pmt: float(values[n]) for pmt, values in points.items() if n < len(values)}
        farthest = 0.0 if n else SPAN_VOLTS
        if n:
            farthest = max(float(points[pmt][n] - points[pmt][n - 1]) for pmt in there)

        def apply(module: Module, members: Sequence[Pmt], there: dict[Pmt, float] = there) -> dict[Pmt, None]:
            module.console.do(*(f"{pmt.channel} {round(there[pmt])} setDEggHV" for pmt in members))
            return dict.fromkeys(members)

        lab.each(list(there), apply)
        lab.station.wait(farthest / RAMP_VOLTS_PER_S + SETTLE_S)

        def read(module: Module, members: Sequence[Pmt]) -> dict[Pmt, NDArray[np.float64]]:
            values = read_back(module, [pmt.channel for pmt in members], reads)
            return {pmt: values[pmt.channel] for pmt in members}

        for pmt, values in lab.each(list(there), read).items():
            taken[pmt].append(values)
        lab.context.progress(n + 1, most, "set points")
    return {pmt: np.array(rows) for pmt, rows in taken.items()}


def _values(line: ReadBack) -> dict[str, float]:
    return {
        "Slope": round(line.slope, 5),
        "OffsetVolts": round(line.offset_volts, 3),
        "NoiseVolts": round(line.noise_volts, 3),
        "WorstVolts": round(line.worst_volts, 3),
    }


def _quantities(pmt: Pmt, line: ReadBack, celsius: float) -> Iterator[Quantity]:
    told = (
        ("hv-read-back-slope", line.slope, "1", "slope of the read-back over the set point"),
        ("hv-read-back-offset", line.offset_volts, "V", "read-back less set point"),
        ("hv-read-back-noise", line.noise_volts, "V", "noise of one read"),
    )
    for name, value, unit, about in told:
        yield Quantity(pmt.device.serial, pmt.part, "monitoring", name, value, unit, about, celsius)


def _graph(
    pmt: Pmt, points: NDArray[np.float64], taken: NDArray[np.float64], line: ReadBack, celsius: float
) -> Graph:
    middle = float(points.mean())
    fitted = (line.slope - 1.0) * (points - middle) + line.offset_volts
    return Graph(
        pmt.device.serial,
        pmt.part,
        "monitoring",
        "hv-read-back",
        "Read-back of the high voltage",
        "set point / V",
        "read-back less set point / V",
        points,
        taken.mean(axis=1) - points,
        y_error=taken.std(axis=1),
        curves={"line": (points, fitted)},
        text=f"offset {line.offset_volts:+.1f} V, slope {line.slope:.4f}",
        temperature_c=celsius,
    )
