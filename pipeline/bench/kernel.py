"""The AGIPD kernel: against plain numpy, and against what the memory gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.bench import made_data
from pipeline.bench.rounds import side_by_side
from pipeline.correct.agipd_constants import IMAGE
from pipeline.correct.kernels import agipd_fast
from pipeline.correct.kernels.triad import BYTES_PER_ELEMENT, triad
from pipeline.correct.recipe import Buffers

MODULES_OF_AN_IMAGE: Final = 16
BYTES_PER_PIXEL: Final = 33
"""Counted whatever the layout: raw signal and level 4, two thresholds 8, offset, factor and bits 12, result 9."""
TRIAD_ELEMENTS: Final = 32 << 20


@dataclass(frozen=True, slots=True)
class KernelResult:
    """What was measured; an image is one of sixteen modules, on one core."""

    images_per_s_per_core: float
    numpy_images_per_s: float
    triad_gb_per_s: float
    core_ms_per_module_image: float

    @property
    def vs_numpy(self) -> float:
        """How many times plain numpy."""
        return self.images_per_s_per_core / self.numpy_images_per_s

    @property
    def gb_per_s(self) -> float:
        """Bytes that a plain layout would move, in a second."""
        per_image = MODULES_OF_AN_IMAGE * made_data.PIXELS * BYTES_PER_PIXEL
        return self.images_per_s_per_core * per_image / 1e9

    @property
    def vs_triad(self) -> float:
        """Share of the triad's bandwidth."""
        return self.gb_per_s / self.triad_gb_per_s


def measure(cells: int = 32, modules: int = 4, rounds: int = 7) -> KernelResult:
    """Correct trains of several modules, whose constants together are larger than the caches."""
    corrections = [made_data.module(cells, number) for number in range(modules)]
    trains = [made_data.raw_train(cells, number) for number in range(modules)]
    rooms = [Buffers.of(cells, IMAGE) for _ in range(modules)]
    cell_id = np.arange(cells, dtype=np.uint16)
    plain = made_data.plain_constants(corrections[0].constants)
    arrays = [np.ones(TRIAD_ELEMENTS, np.float32) for _ in range(3)]

    def fast() -> None:
        for correction, raw, room in zip(corrections, trains, rooms, strict=True):
            correction.apply(agipd_fast, raw, cell_id, room)

    candidates: dict[str, Callable[[], object]] = {
        "fast": fast,
        "numpy": lambda: correct_with_plain_numpy(trains[0], cell_id, plain, rooms[0]),
        "triad": lambda: triad(arrays[0], arrays[1], arrays[2], np.float32(3)),
    }
    took = side_by_side(candidates, rounds)
    per_module_image = took["fast"] / (modules * cells)
    return KernelResult(
        1 / (MODULES_OF_AN_IMAGE * per_module_image),
        cells / (MODULES_OF_AN_IMAGE * took["numpy"]),
        TRIAD_ELEMENTS * BYTES_PER_ELEMENT / took["triad"] / 1e9,
        1e3 * per_module_image,
    )


def correct_with_plain_numpy(
    raw: NDArray[np.uint16], cell_id: NDArray[np.uint16], constants: Mapping[str, NDArray[Any]], out: Buffers
) -> None:
    """The correction as a short script would have it, frame by frame."""
    for frame, cell in enumerate(cell_id):
        analogue, level = raw[frame].reshape(2, -1).astype(np.float32)
        stage = (level[:, None] > constants["thresholds"][cell]).sum(axis=1)[:, None]
        offset = np.take_along_axis(constants["offset"][cell], stage, 1)[:, 0]
        factor = np.take_along_axis(constants["factor"][cell], stage, 1)[:, 0]
        out.data[frame] = ((analogue - offset) * factor).reshape(out.data.shape[1:])
        out.gain[frame] = stage.reshape(out.gain.shape[1:])
        out.mask[frame] = np.take_along_axis(constants["mask"][cell], stage, 1).reshape(out.mask.shape[1:])
