"""Characterisation of the darks, and injection of what comes of it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from fat.measurement import Measurement
from fat.report import data
from fat.tasks.conditions import plan_conditions, unix_time
from fat.tasks.judge import judged
from fat.tasks.surroundings import TaskSurroundings
from pipeline.constants import (
    Catalogue,
    CatalogueRest,
    Conditions,
    DarkRuns,
    DarkSettings,
    LpdConditions,
    ModuleDark,
    Origin,
    derive,
)
from pipeline.constants import (
    inject as inject_module,
)
from scheduler import TaskContext, TaskResult, Verdict

GAINS: Final = ("high", "medium", "low")
NOISE: Final = tuple(
    Measurement(f"{gain}_gain_noise", "ADU", f"Noise in {gain} gain, median over good pixels")
    for gain in GAINS
)
NOISE_WITHOUT_STAGES: Final = Measurement("noise", "ADU", "Noise, median over good pixels")
BAD_PIXELS: Final = Measurement("bad_pixels", "%", "Bad pixels, in any cell or stage")
SEPARATION: Final = Measurement(
    "gain_level_separation", "sigma", "Separation of the digital gain levels, smallest median"
)
RECORDED: Final = Measurement("trains_recorded", "1", "Trains in the dark runs over trains sent")


def characterise(context: TaskContext) -> TaskResult:
    """Derive the dark constants of every module from the dark runs: Offset, Noise, BadPixelsDark, AGIPD ThresholdsDark.

    What an LPD in parallel gain does not show, such as the high gain of a memory cell that holds low gain, is NaN and
    flagged in the constants, but neither measured nor counted as bad here.
    """
    here = TaskSurroundings(context)
    parameters = here.parameters
    modules, cells, kind = parameters["modules"], parameters["memory_cells"], str(parameters["type"])
    folders = DarkRuns(*(here.raw_folder(run) for run in _runs(parameters)))
    derived = derive(
        folders,
        parameters["detector"],
        modules,
        cells,
        DarkSettings.of(kind),
        progress=lambda done, total: context.progress(done, total, "frames"),
        kind=kind,
    )
    shutil.rmtree(here.constants_folder, ignore_errors=True)
    here.constants_folder.mkdir(parents=True)
    for module, dark in derived.items():
        _write(here.constants_folder / f"{kind}{module:02d}.h5", dark)
    shown = stages_shown(plan_conditions(parameters), len(folders.by_stage()))
    _keep_figures(context, derived, shown)
    bad = {f"{module}": dark.bad_counts(shown) for module, dark in derived.items()}
    return judged(context, measure(derived, shown, parameters["dark_trains"]), {"bad_pixels": bad})


def inject(context: TaskContext) -> TaskResult:
    """Put the derived constants into the catalogue, beginning at the first dark run. Repeating it changes nothing."""
    here = TaskSurroundings(context)
    parameters = here.parameters
    conditions = plan_conditions(parameters)
    first = next(context.results[task] for task in ("dark_high", "dark") if task in context.results)
    begin: datetime = unix_time(here, int(first["started_ns"]))
    runs = " ".join(map(str, dict.fromkeys(_runs(parameters))))
    location = f"proposal:{parameters['proposal']:06d} runs:{runs}"
    origin = Origin(begin_at=begin, raw_data_location=location)
    rest = CatalogueRest(here.address("caldb.rest"))
    try:
        catalogue = Catalogue(rest, Path(here.address("caldb.store")), parameters["detector"])
        versions: list[dict[str, Any]] = []
        for number, module in enumerate(parameters["modules"], start=1):
            constants = _read(here.constants_folder / f"{parameters['type']}{module:02d}.h5")
            found = inject_module(catalogue, module, constants, conditions, origin)
            versions += [version.provenance() for version in found]
            context.progress(number, len(parameters["modules"]), "modules")
    finally:
        rest.close()
    return TaskResult(Verdict.PASS, {"begin_at": begin.isoformat(), "versions": len(versions)})


def _write(path: Path, dark: ModuleDark) -> None:
    with h5py.File(path, "w") as file:
        for calibration, values in dark.constants.items():
            file[calibration] = values


def _read(path: Path) -> dict[str, Any]:
    with h5py.File(path, "r") as file:
        return {calibration: file[calibration][:] for calibration in file}


def _runs(parameters: Mapping[str, Any]) -> list[int]:
    """The dark run of each gain stage; an LPD in parallel gain has the same for all, a DSSC only one."""
    return [parameters["runs"][gain] for gain in GAINS if gain in parameters["runs"]]


def stages_shown(conditions: Conditions, stages: int) -> NDArray[np.bool_]:
    """Which gain stages the frames of each memory cell are to be in, (cells, stages): in parallel gain a third of the
    cells holds one stage each, else every cell shows all."""
    cells = conditions.memory_cells
    if isinstance(conditions, LpdConditions) and conditions.parallel_gain:
        held = np.arange(cells) * stages // cells
        return np.asarray(held[:, None] == np.arange(stages))
    return np.ones((cells, stages), np.bool_)


def _by_stage(constant: NDArray[Any]) -> NDArray[Any]:
    """With an axis for the gain stage, also where the detector has none: (fast, slow, cells, stages)."""
    return constant if constant.ndim == 4 else constant[..., None]


def measure(
    derived: Mapping[int, ModuleDark], shown: NDArray[np.bool_], trains: int
) -> list[tuple[Measurement, float]]:
    """What the constants of all modules show.

    shown   `stages_shown`
    trains  how many each dark run was to have
    """
    noise = np.stack([_by_stage(dark.constants["Noise"]) for dark in derived.values()])
    bad = np.stack([_by_stage(dark.constants["BadPixelsDark"]) for dark in derived.values()]) != 0
    frames = np.stack([dark.trains for dark in derived.values()])
    good_noise = np.where(bad, np.nan, noise)
    of_stage = (good_noise[:, :, :, shown[:, stage], stage] for stage in range(shown.shape[1]))
    measurements = NOISE if shown.shape[1] == len(NOISE) else (NOISE_WITHOUT_STAGES,)
    taken = [
        *((noise, _median(values)) for noise, values in zip(measurements, of_stage, strict=True)),
        (BAD_PIXELS, 100.0 * float(np.mean((bad & shown).any(axis=(3, 4))))),
        (RECORDED, float(np.min(frames[:, shown]) / trains)),
    ]
    if all("ThresholdsDark" in dark.constants for dark in derived.values()):
        taken.insert(-1, (SEPARATION, _separation(derived)))
    return taken


def _median(values: NDArray[Any]) -> float:
    """Of what is a number; NaN, which never passes, when nothing is."""
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else float("nan")


def _separation(derived: Mapping[int, ModuleDark]) -> float:
    levels = np.stack([dark.constants["ThresholdsDark"][..., 2:] for dark in derived.values()])
    steps = np.diff(np.nanmedian(levels, axis=(1, 2)), axis=-1)
    spread = np.nanstd(levels, axis=(1, 2))[..., :2] + np.nanstd(levels, axis=(1, 2))[..., 1:]
    return float(np.min(steps / np.maximum(spread, 1.0)))


def _keep_figures(context: TaskContext, derived: Mapping[int, ModuleDark], shown: NDArray[np.bool_]) -> None:
    first_cells = np.argmax(shown, axis=0)

    def images(calibration: str) -> Any:
        """(modules, stages, slow, fast) of the first memory cell that shows each stage, bad pixels NaN."""
        pictures = [
            [_picture(dark, calibration, cell, stage) for stage, cell in enumerate(first_cells)]
            for dark in derived.values()
        ]
        return np.array(pictures, np.float32)

    modules = np.array(list(derived))
    data.save(context.run_dir, "darks", offset=images("Offset"), noise=images("Noise"), modules=modules)


def _picture(dark: ModuleDark, calibration: str, cell: int, stage: int) -> NDArray[Any]:
    values, bits = (
        _by_stage(dark.constants[name])[:, :, cell, stage] for name in (calibration, "BadPixelsDark")
    )
    return np.where(bits == 0, values, np.nan).T
