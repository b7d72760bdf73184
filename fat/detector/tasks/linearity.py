"""Linearity of every module over its dynamic range, across its gain stages."""

from __future__ import annotations

import shutil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fat.detector.analyses.linearity import Line, StageSums, fit_line
from fat.detector.devices import darks_file, modules, stages
from fat.detector.judging import Taken, judged
from fat.detector.reading import Darks, read_lit
from fat.measurement import Measurement
from fat.report import data
from fat.tasks.surroundings import TaskSurroundings
from pipeline.errors import RunUnreadable
from scheduler import TaskContext, TaskResult

WORST: Final = Measurement("linearity", "%", "Largest distance from a straight line, of the photons there")
RANGE: Final = Measurement("photons_reached", "photon", "Photons of a pixel at the strongest light")
STAGES: Final = Measurement(
    "stages_used", "1", "Gain stages that at least 5 % of the pixels chose at some light"
)
LEAST_SHARE: Final = 0.05


def measure(context: TaskContext) -> TaskResult:
    """Photons of every module at each intensity, by the gains that were measured before, against the intensity."""
    here = TaskSurroundings(context)
    parameters, listed = here.parameters, list(modules(here.parameters))
    steps = context.arguments["steps"]
    light = np.array([step["transmission"] for step in steps])
    gains = context.results["gain"]["gains"]
    taken: list[Taken] = []
    kept: dict[str, list[NDArray[np.float64]]] = {"photons": [], "residuals": [], "shares": []}
    measured: list[int] = []
    for number, (module, device) in enumerate(listed, start=1):
        try:
            of_stage = np.array(gains[device])
            sums = _sums(here, module, [step["run"] for step in steps])
        except (RunUnreadable, OSError, KeyError) as error:
            context.note(f"{device}: {error}")
            taken += [Taken(device, measurement, float("nan")) for measurement in (WORST, RANGE)]
            continue
        photons = np.array([at.photons(np.where(of_stage > 0, of_stage, np.nan)) for at in sums])
        shares = np.stack([at.shares for at in sums])
        line = fit_line(light, photons)
        taken += _judge(device, light, photons, shares, line)
        measured.append(module)
        for name, values in (("photons", photons), ("residuals", line.residuals), ("shares", shares)):
            kept[name].append(values)
        context.progress(number, len(listed), "modules")
    if kept["photons"]:
        arrays = {name: np.stack(values) for name, values in kept.items()}
        data.save(context.run_dir, "linearity", modules=np.array(measured), light=light, **arrays)
    # Nothing after this task needs them, and those of a large detector take gigabytes.
    shutil.rmtree(here.constants_folder, ignore_errors=True)
    return judged(context, taken, {"intensities": len(steps), "stages": len(stages(parameters))})


def _sums(here: TaskSurroundings, module: int, runs: list[int]) -> list[StageSums]:
    parameters = here.parameters
    darks = Darks.read(darks_file(here, module))
    found = []
    for run in runs:
        sums = StageSums.empty(len(stages(parameters)))
        frames = read_lit(
            here.raw_folder(run), parameters["detector"], module, str(parameters["type"]), darks
        )
        for lit in frames:
            sums.add(lit.signal, lit.stage)
        found.append(sums)
    return found


def _judge(
    device: str,
    light: NDArray[np.float64],
    photons: NDArray[np.float64],
    shares: NDArray[np.float64],
    line: Line,
) -> list[Taken]:
    taken = [
        Taken(device, WORST, 100.0 * line.worst),
        Taken(device, RANGE, float(photons[np.argmax(light)])),
    ]
    if shares.shape[1] > 1:
        used = np.count_nonzero((shares >= LEAST_SHARE).any(axis=0))
        taken.append(Taken(device, STAGES, float(used)))
    return taken
