"""Noise and bad pixels of every module, from its dark runs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from fat.detector.analyses.darks import KINDS, DarkQuality, dark_quality, level_separation
from fat.detector.devices import darks_file, modules, stages
from fat.detector.judging import Taken, judged
from fat.measurement import Measurement
from fat.report import data
from fat.tasks.surroundings import TaskSurroundings
from pipeline.constants import DarkRuns, DarkSettings, ModuleDark, derive
from pipeline.errors import RunUnreadable
from scheduler import TaskContext, TaskResult

ANY_BAD: Final = Measurement("bad_pixels", "%", "Bad pixels, of any kind, in any cell or stage")
BAD: Final = {
    kind: Measurement(f"bad_{kind.replace(' ', '_')}", "%", f"Bad pixels by their {kind}")
    for kind in KINDS
    if kind != "no data"
} | {"no data": Measurement("bad_no_data", "%", "Pixels without dark data")}
SEPARATION: Final = Measurement("gain_level_separation", "sigma", "Separation of the digital gain levels")


def noise_of(stage: str) -> Measurement:
    """What is measured of a gain stage's noise; an empty name stands for a detector without stages."""
    name = f"noise_{stage}_gain" if stage else "noise"
    return Measurement(name, "ADU", f"Noise{f' in {stage} gain' if stage else ''}, median of good pixels")


def characterise(context: TaskContext) -> TaskResult:
    """Derive the dark constants of each module and judge them. A module without data fails; the others go on."""
    here = TaskSurroundings(context)
    shutil.rmtree(here.constants_folder, ignore_errors=True)
    here.constants_folder.mkdir(parents=True)
    names = stages(here.parameters)
    taken: list[Taken] = []
    maps: dict[str, list[Any]] = {"offset": [], "noise": [], "kinds": []}
    measured, listed = [], list(modules(here.parameters))
    for number, (module, device) in enumerate(listed, start=1):
        dark = _derive(context, here, module)
        if dark is None:
            taken += [Taken(device, noise_of(stage), float("nan")) for stage in names]
            taken.append(Taken(device, ANY_BAD, 100.0))
        else:
            _write(darks_file(here, module), dark)
            constants = dark.constants
            quality = dark_quality(*(constants[key] for key in ("Offset", "Noise", "BadPixelsDark")))
            taken += _judge(device, names, quality, constants)
            measured.append(module)
            maps["offset"].append(_pictures(constants["Offset"], constants["BadPixelsDark"]))
            maps["noise"].append(_pictures(constants["Noise"], constants["BadPixelsDark"]))
            maps["kinds"].append(quality.kinds)
        context.progress(number, len(listed), "modules")
    if measured:
        arrays = {name: np.array(pictures) for name, pictures in maps.items()}
        data.save(context.run_dir, "darks", modules=np.array(measured), **arrays)
    return judged(context, taken, {"modules": measured})


def _derive(context: TaskContext, here: TaskSurroundings, module: int) -> ModuleDark | None:
    parameters = here.parameters
    folders = DarkRuns(*(here.raw_folder(run) for run in parameters["dark_runs"]))
    kind = str(parameters["type"])
    try:
        derived = derive(
            folders,
            parameters["detector"],
            [module],
            parameters["memory_cells"],
            DarkSettings.of(kind),
            kind=kind,
            threads=1,
        )
    except RunUnreadable as error:
        context.note(str(error))
        return None
    return derived[module]


def _judge(
    device: str, names: tuple[str, ...], quality: DarkQuality, constants: Mapping[str, Any]
) -> list[Taken]:
    def percent(pixels: int) -> float:
        return 100.0 * pixels / quality.pixels

    taken = [Taken(device, noise_of(stage), noise) for stage, noise in zip(names, quality.noise, strict=True)]
    taken.append(Taken(device, ANY_BAD, percent(quality.bad_any)))
    taken += [Taken(device, BAD[kind], percent(count)) for kind, count in quality.bad.items()]
    if "ThresholdsDark" in constants:
        separation = level_separation(constants["ThresholdsDark"][..., 2:])
        taken.append(Taken(device, SEPARATION, separation))
    return taken


def _write(path: Path, dark: ModuleDark) -> None:
    with h5py.File(path, "w") as file:
        for calibration, values in dark.constants.items():
            file[calibration] = values


def _pictures(values: Any, bits: Any) -> Any:
    """(stages, slow, fast) of the first memory cell, bad pixels NaN."""
    values, bits = (array if array.ndim == 4 else array[..., None] for array in (values, bits))
    return np.where(bits[:, :, 0] == 0, values[:, :, 0], np.nan).transpose(2, 1, 0).astype(np.float32)
