"""Gain of every module: what a photon is worth, and how the stages compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.detector.analyses.gain import (
    Flat,
    blind_pixels,
    gain_map,
    photon_gain,
    single_photons,
    stage_ratio,
)
from fat.detector.analyses.peaks import Peaks
from fat.detector.devices import darks_file, modules
from fat.detector.judging import Taken, judged
from fat.detector.reading import Darks, read_flat, read_lit
from fat.measurement import Measurement
from fat.report import data
from fat.tasks.surroundings import TaskSurroundings
from pipeline.errors import RunUnreadable
from scheduler import TaskContext, TaskResult

PHOTON: Final = Measurement("photon_gain", "ADU", "A photon in high gain, by photon transfer")
PEAKS: Final = Measurement("single_photon_gain", "ADU", "A photon in high gain, by the peaks of none and one")
SEPARATION: Final = Measurement(
    "photon_separation", "sigma", "Distance of the peaks of none and one photon, in their width"
)
HIGH_MEDIUM: Final = Measurement("gain_high_medium", "1", "High gain over medium gain, in the same light")
MEDIUM_LOW: Final = Measurement("gain_medium_low", "1", "Medium gain over low gain, in the same light")
BLIND: Final = Measurement("blind_pixels", "%", "Lit pixels that see less than half of the others")
GLARING: Final = Measurement(
    "glaring_pixels", "%", "Lit pixels that show more than half more than the others"
)
MOST_VALUES: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class ModuleGain:
    """What the flat fields of one module show."""

    gains: tuple[float, ...]
    """ADU for each photon, of each stage."""
    ratios: tuple[float, ...]
    """Each stage over the next."""
    blind: tuple[int, int]
    pixels: int
    response: NDArray[np.float32]
    peaks: Peaks | None


def measure(context: TaskContext) -> TaskResult:
    """Judge the runs that `flats` recorded. The gains in the outputs are what the linearity is measured with."""
    here = TaskSurroundings(context)
    parameters, listed = here.parameters, list(modules(here.parameters))
    taken: list[Taken] = []
    gains: dict[str, list[float]] = {}
    found: dict[int, ModuleGain] = {}
    for number, (module, device) in enumerate(listed, start=1):
        try:
            gain = _module(here, module)
        except (RunUnreadable, OSError) as error:
            context.note(f"{device}: {error}")
            taken += [Taken(device, PHOTON, float("nan")), Taken(device, BLIND, 100.0)]
        else:
            taken += _judge(device, gain, str(parameters["type"]))
            found[module] = gain
            gains[device] = [_rounded(value) for value in gain.gains]
        context.progress(number, len(listed), "modules")
    if found:
        _keep(context, found)
    return judged(context, taken, {"gains": gains})


def _rounded(value: float) -> float:
    """As the journal keeps it; 0 stands for what could not be measured."""
    return float(f"{value:.6g}") if np.isfinite(value) else 0.0


def _module(here: TaskSurroundings, module: int) -> ModuleGain:
    parameters = here.parameters
    kind, runs = str(parameters["type"]), parameters["gain_runs"]
    darks = Darks.read(darks_file(here, module))

    def flat(name: str, stage: int) -> Flat:
        return read_flat(here.raw_folder(runs[name]), parameters["detector"], module, kind, darks, stage)

    moderate = flat("moderate_high", 0)
    gain = photon_gain(moderate)
    ratios: tuple[float, ...] = ()
    if kind != "DSSC":
        ratios = (
            stage_ratio(moderate, flat("moderate_medium", 1)),
            stage_ratio(flat("strong_medium", 1), flat("strong_low", 2)),
        )
    gains = [gain]
    for ratio in ratios:
        gains.append(gains[-1] / ratio)
    return ModuleGain(
        gains=tuple(gains),
        ratios=ratios,
        blind=blind_pixels(moderate.mean),
        pixels=moderate.mean[0].size,
        response=gain_map(moderate),
        peaks=single_photons(_weak_values(here, module, kind, darks), gain),
    )


def _weak_values(here: TaskSurroundings, module: int, kind: str, darks: Darks) -> NDArray[np.float32]:
    parameters = here.parameters
    run = here.raw_folder(parameters["gain_runs"]["weak"])
    values: list[NDArray[np.float32]] = []
    held = 0
    for lit in read_lit(run, parameters["detector"], module, kind, darks):
        values.append(lit.signal[lit.stage == 0])
        held += values[-1].size
        if held > MOST_VALUES:
            break
    return np.concatenate(values) if values else np.empty(0, np.float32)


def _judge(device: str, gain: ModuleGain, kind: str) -> list[Taken]:
    taken = [Taken(device, PHOTON, gain.gains[0])]
    for measurement, ratio in zip((HIGH_MEDIUM, MEDIUM_LOW), gain.ratios, strict=False):
        taken.append(Taken(device, measurement, ratio))
    if kind != "DSSC":
        # A photon of a DSSC is two or three times its noise: its peaks need not stand apart.
        distance, width = (
            (float("nan"), float("nan")) if gain.peaks is None else (gain.peaks.distance, gain.peaks.width)
        )
        taken += [Taken(device, PEAKS, distance), Taken(device, SEPARATION, distance / width)]
    for measurement, count in zip((BLIND, GLARING), gain.blind, strict=True):
        taken.append(Taken(device, measurement, 100.0 * count / gain.pixels))
    return taken


def _keep(context: TaskContext, found: Mapping[int, ModuleGain]) -> None:
    with_peaks = {module: gain.peaks for module, gain in found.items() if gain.peaks is not None}
    arrays: dict[str, Any] = {
        "modules": np.array(list(found)),
        "response": np.stack([gain.response for gain in found.values()]),
        "gains": np.array([gain.gains for gain in found.values()]),
        "peak_modules": np.array(list(with_peaks), np.int64),
        "edges": np.array([peaks.edges for peaks in with_peaks.values()]),
        "counts": np.array([peaks.counts for peaks in with_peaks.values()]),
    }
    data.save(context.run_dir, "gain", **arrays)
