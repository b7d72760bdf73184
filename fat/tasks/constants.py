"""Characterisation of the darks, and injection of what comes of it."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from fat.measurement import Measurement
from fat.report import data
from fat.tasks.conditions import module_conditions, unix_time
from fat.tasks.judge import judged
from fat.tasks.surroundings import TaskSurroundings
from pipeline.constants import (
    AgipdConditions,
    Catalogue,
    CatalogueRest,
    DarkRuns,
    DarkSettings,
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
BAD_PIXELS: Final = Measurement("bad_pixels", "%", "Bad pixels, in any cell or stage")
SEPARATION: Final = Measurement(
    "gain_level_separation", "sigma", "Separation of the digital gain levels, smallest median"
)
RECORDED: Final = Measurement("trains_recorded", "1", "Trains in the dark runs over trains sent")


def characterise(context: TaskContext) -> TaskResult:
    """Derive Offset, Noise, ThresholdsDark and BadPixelsDark of every module from the three dark runs."""
    here = TaskSurroundings(context)
    parameters = here.parameters
    runs, modules, cells = parameters["runs"], parameters["modules"], parameters["memory_cells"]
    folders = DarkRuns(*(here.raw_folder(runs[gain]) for gain in GAINS))
    derived = derive(
        folders,
        parameters["detector"],
        modules,
        cells,
        DarkSettings(),
        progress=lambda done, total: context.progress(done, total, "frames"),
    )
    shutil.rmtree(here.constants_folder, ignore_errors=True)
    here.constants_folder.mkdir(parents=True)
    for module, dark in derived.items():
        _write(here.constants_folder / f"AGIPD{module:02d}.h5", dark)
    _keep_figures(context, derived, modules)
    frames = np.array([dark.trains for dark in derived.values()])
    bad = {f"{module}": dark.bad_counts() for module, dark in derived.items()}
    return judged(context, _measure(derived, frames, parameters["dark_trains"]), {"bad_pixels": bad})


def inject(context: TaskContext) -> TaskResult:
    """Put the derived constants into the catalogue, beginning at the first dark run. Repeating it changes nothing."""
    here = TaskSurroundings(context)
    parameters = here.parameters
    conditions = AgipdConditions.from_properties(module_conditions(parameters))
    runs = parameters["runs"]
    begin: datetime = unix_time(here, int(context.results["dark_high"]["started_ns"]))
    location = f"proposal:{parameters['proposal']:06d} runs:{runs['high']} {runs['medium']} {runs['low']}"
    origin = Origin(begin_at=begin, raw_data_location=location)
    rest = CatalogueRest(here.address("caldb.rest"))
    try:
        catalogue = Catalogue(rest, Path(here.address("caldb.store")), parameters["detector"])
        versions: list[dict[str, Any]] = []
        for number, module in enumerate(parameters["modules"], start=1):
            constants = _read(here.constants_folder / f"AGIPD{module:02d}.h5")
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


def _measure(derived: dict[int, ModuleDark], frames: Any, trains: int) -> list[tuple[Measurement, float]]:
    noise = np.stack([dark.constants["Noise"] for dark in derived.values()])
    bad = np.stack([dark.constants["BadPixelsDark"] for dark in derived.values()]) != 0
    levels = np.stack([dark.constants["ThresholdsDark"][..., 2:] for dark in derived.values()])
    steps = np.diff(np.nanmedian(levels, axis=(1, 2)), axis=-1)
    spread = np.nanstd(levels, axis=(1, 2))[..., :2] + np.nanstd(levels, axis=(1, 2))[..., 1:]
    bad_share = 100.0 * np.mean(bad.any(axis=(3, 4)))
    medians = [float(np.nanmedian(np.where(bad, np.nan, noise)[..., gain])) for gain in range(3)]
    return [
        *zip(NOISE, medians, strict=True),
        (BAD_PIXELS, bad_share),
        (SEPARATION, float(np.min(steps / np.maximum(spread, 1.0)))),
        (RECORDED, float(np.min(frames) / trains)),
    ]


def _keep_figures(context: TaskContext, derived: dict[int, ModuleDark], modules: list[int]) -> None:
    def images(calibration: str) -> Any:
        """(modules, 3, 512, 128) of memory cell 0, bad pixels NaN."""
        stored = [derived[module].constants[calibration][:, :, 0].transpose(2, 1, 0) for module in modules]
        masks = [derived[module].constants["BadPixelsDark"][:, :, 0].transpose(2, 1, 0) for module in modules]
        return np.where(np.stack(masks) == 0, np.stack(stored), np.nan).astype(np.float32)

    data.save(
        context.run_dir, "darks", offset=images("Offset"), noise=images("Noise"), modules=np.array(modules)
    )
