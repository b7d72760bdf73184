"""Checks of the corrected images of the illuminated run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from fat.errors import BenchError
from fat.measurement import Measurement
from fat.report import data
from fat.tasks.judge import judged
from fat.tasks.surroundings import TaskSurroundings
from scheduler import TaskContext, TaskResult

CORRECTED: Final = Measurement("trains_corrected", "1", "Corrected trains over trains sent")
GOOD: Final = Measurement("good_pixels", "%", "Unmasked values in corrected images")
INVALID: Final = Measurement("invalid_good_pixels", "1", "Unmasked values that are no numbers")
ZERO: Final = Measurement("zero_photon_peak", "photon", "Position of the zero-photon peak in high gain")
ZERO_ADU: Final = Measurement("zero_photon_peak", "ADU", "Position of the zero-photon peak")
"""Of a DSSC, whose correction knows neither photons nor stages."""
STAGES: Final = Measurement("gain_stages_seen", "1", "Gain stages with at least a thousand values")
IMAGES: Final = {"AGIPD": (512, 128), "LPD": (256, 256), "DSSC": (128, 512)}
"""Slow and fast scan pixels of a module."""
EDGES: Final = np.concatenate(([-10, -3], np.linspace(-1, 1, 21), np.geomspace(1.2, 1e5, 120)))
FINE_EDGES: Final = np.linspace(-1.0, 4.0, 251)


@dataclass(slots=True)
class Seen:
    """What all modules together show."""

    values: int = 0
    good: int = 0
    invalid: int = 0
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros((3, len(EDGES) - 1), np.int64))
    fine: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(FINE_EDGES) - 1, np.int64))
    stages: NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))


def check(context: TaskContext) -> TaskResult:
    """Read the corrected run back and judge it."""
    here = TaskSurroundings(context)
    parameters, light = here.parameters, context.results["light"]
    folder = here.corrected_folder(int(light["run"]))
    seen, means, kind = Seen(), [], str(parameters["type"])
    for number, module in enumerate(parameters["modules"], start=1):
        means.append(_look(folder, parameters["detector"], kind, module, seen))
        context.progress(number, len(parameters["modules"]), "modules")
    data.save(
        context.run_dir,
        "light",
        mean_image=np.stack(means),
        modules=np.array(parameters["modules"]),
        edges=EDGES,
        counts=seen.counts,
        fine_edges=FINE_EDGES,
        fine_counts=seen.fine,
    )
    taken = [
        (CORRECTED, int(light["trains_corrected"]) / int(light["trains"])),
        (GOOD, 100.0 * seen.good / max(1, seen.values)),
        (INVALID, float(seen.invalid)),
        (ZERO_ADU if kind == "DSSC" else ZERO, _zero_peak(seen.fine)),
        (STAGES, float(np.count_nonzero(seen.stages >= 1000))),
    ]
    return judged(context, taken, {"values": seen.values, "by_stage": [int(n) for n in seen.stages]})


def _look(folder: Path, detector: str, kind: str, module: int, seen: Seen) -> NDArray[np.float32]:
    """Add one module's frames to what was seen; its mean image (slow, fast), NaN where always masked."""
    files = sorted(folder.glob(f"CORR-*-{kind}{module:02d}-S*.h5"))
    if not files:
        raise BenchError(f"{folder} has no corrected file of module {module}; did the appender write?")
    shape = IMAGES[kind]
    total, weight = np.zeros(shape), np.zeros(shape)
    for path in files:
        with h5py.File(path, "r") as file:
            image = file[f"INSTRUMENT/{detector}/CORR/{module}CH0:output/image"]
            for frame in range(len(image["data"])):
                _add(image["data"][frame], image["gain"][frame], image["mask"][frame], seen, total, weight)
    with np.errstate(invalid="ignore"):
        return (total / weight).astype(np.float32)


def _add(values: Any, gain: Any, mask: Any, seen: Seen, total: Any, weight: Any) -> None:
    good = mask == 0
    finite = np.isfinite(values)
    seen.values += values.size
    seen.good += int(np.count_nonzero(good))
    seen.invalid += int(np.count_nonzero(good & ~finite))
    usable = good & finite
    for stage in range(3):
        of_stage = values[usable & (gain == stage)]
        seen.stages[stage] += of_stage.size
        seen.counts[stage] += np.histogram(of_stage, EDGES)[0]
        if stage == 0:
            seen.fine += np.histogram(of_stage, FINE_EDGES)[0]
    total[usable] += values[usable]
    weight[usable] += 1


def _zero_peak(fine: NDArray[np.int64]) -> float:
    """Mean of the values within ±0.3 photons of the highest bin below half a photon."""
    centres = (FINE_EDGES[:-1] + FINE_EDGES[1:]) / 2
    low = centres < 0.5
    if not fine[low].any():
        return float("nan")
    peak = centres[low][np.argmax(fine[low])]
    near = np.abs(centres - peak) < 0.3
    return float(np.average(centres[near], weights=fine[near]))
