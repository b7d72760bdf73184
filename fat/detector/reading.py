"""Frames of recorded runs, module by module, and the darks that they are compared with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from fat.detector.analyses.gain import Flat
from fat.detector.analyses.linearity import stages_of_levels
from pipeline.constants.cellsums import CellSums
from pipeline.constants.darkframes import IMAGE_SHAPES, module_files, read_blocks
from pipeline.errors import RunUnreadable

BLOCK_FRAMES: Final = 32
LPD_SIGNAL: Final = 0x0FFF
LPD_STAGE_BIT: Final = 12
LPD_STAGES: Final = 3
"""Gain bits of 3 stand for no stage."""


@dataclass(frozen=True, slots=True)
class Darks:
    """What the darks of one module say, in the order of frames: (cells, stages, slow, fast)."""

    offset: NDArray[np.float32]
    noise: NDArray[np.float32]
    good: NDArray[np.bool_]
    thresholds: NDArray[np.float32] | None
    """(cells, 2, slow, fast) between the digital levels of an AGIPD."""

    @classmethod
    def read(cls, path: Path) -> Darks:
        """Read what the characterisation wrote. Raises OSError when it did not."""
        with h5py.File(path, "r") as file:
            stored = {name: _ordered(file[name][:]) for name in file}
        thresholds = stored.get("ThresholdsDark")
        return cls(
            offset=stored["Offset"],
            noise=stored["Noise"],
            good=stored["BadPixelsDark"] == 0,
            thresholds=None if thresholds is None else thresholds[:, :2],
        )


def _ordered(constant: NDArray[Any]) -> NDArray[Any]:
    """From the catalogue's (fast, slow, cell[, k]) to (cell, k, slow, fast)."""
    four = constant if constant.ndim == 4 else constant[..., None]
    return np.ascontiguousarray(four.transpose(2, 3, 1, 0))


def read_flat(run: Path, detector: str, module: int, kind: str, darks: Darks, stage: int) -> Flat:
    """The statistics of a flat field that was recorded with one gain stage forced. Raises RunUnreadable."""
    cells = range(len(darks.offset))
    sums = CellSums(cells, IMAGE_SHAPES[kind])
    for block in read_blocks(run, detector, module, cells):
        sums.add(block.data, block.cell_id)
    return Flat(
        mean=sums.mean()[:, 0] - darks.offset[:, stage],
        variance=sums.deviation()[:, 0] ** 2,
        dark_variance=darks.noise[:, stage] ** 2,
        good=darks.good[:, stage],
    )


@dataclass(frozen=True, slots=True)
class Lit:
    """A frame's good pixels, with the gain stages that they chose."""

    signal: NDArray[np.float32]
    """(n,) ADU above the pedestal of each one's stage."""
    stage: NDArray[np.uint8]
    """(n,) 0 high, 1 medium, 2 low."""


def read_lit(run: Path, detector: str, module: int, kind: str, darks: Darks) -> Iterator[Lit]:
    """The frames of a run in adaptive gain, one by one; those of no memory cell that has darks are left out.

    A pixel counts where the darks of its cell call it good in all stages: else one that cannot tell its stage would
    count in the wrong one. Raises RunUnreadable.
    """
    good: NDArray[np.bool_] = np.logical_and.reduce(darks.good, axis=1)
    for data, cell in _frames(run, detector, module):
        if cell >= len(good):
            continue
        signal, stage = _split(data, kind, darks, cell)
        chosen = good[cell] & (stage < darks.offset.shape[1])
        pedestal = np.take_along_axis(
            darks.offset[cell], np.minimum(stage, darks.offset.shape[1] - 1)[None].astype(np.intp), 0
        )[0]
        yield Lit((signal - pedestal)[chosen], stage[chosen])


def _split(
    data: NDArray[np.uint16], kind: str, darks: Darks, cell: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Signal and gain stage of a frame, each (slow, fast)."""
    if kind == "AGIPD" and darks.thresholds is not None:
        return data[0].astype(np.float32), stages_of_levels(
            data[1].astype(np.float32), darks.thresholds[cell]
        )
    if kind == "LPD":
        return (data[0] & LPD_SIGNAL).astype(np.float32), (data[0] >> LPD_STAGE_BIT).astype(np.uint8)
    return data[0].astype(np.float32), np.zeros(data[0].shape, np.uint8)


def _frames(run: Path, detector: str, module: int) -> Iterator[tuple[NDArray[np.uint16], int]]:
    """Every frame that the index counts and whose status is good: planes, and its memory cell."""
    for path in module_files(run, module):
        try:
            with h5py.File(path, "r") as file:
                image = file[f"INSTRUMENT/{detector}/DET/{module}CH0:xtdf/image"]
                index = file[f"INDEX/{detector}/DET/{module}CH0:xtdf/image"]
                cells, status = (image[key][()].reshape(-1) for key in ("cellId", "status"))
                for first, count in zip(index["first"][()], index["count"][()], strict=True):
                    stop = int(first) + int(count)
                    for start in range(int(first), stop, BLOCK_FRAMES):
                        block = image["data"][start : min(start + BLOCK_FRAMES, stop)]
                        block = block if block.ndim == 4 else block[:, None]
                        for row, data in enumerate(block, start=start):
                            if status[row] == 0:
                                yield data, int(cells[row])
        except (OSError, KeyError) as error:
            raise RunUnreadable(path, f"cannot be read ({error}); record the run again") from None


def count_of_frames(run: Path, detector: str, module: int) -> int:
    """Frames of a module that a run holds whole; 0 where it has no file of the module."""
    try:
        return sum(1 for _ in _indexed(run, detector, module))
    except RunUnreadable:
        return 0


def _indexed(run: Path, detector: str, module: int) -> Iterator[int]:
    for path in module_files(run, module):
        try:
            with h5py.File(path, "r") as file:
                index = file[f"INDEX/{detector}/DET/{module}CH0:xtdf/image"]
                status = file[f"INSTRUMENT/{detector}/DET/{module}CH0:xtdf/image/status"][()].reshape(-1)
                for first, count in zip(index["first"][()], index["count"][()], strict=True):
                    rows = range(int(first), int(first) + int(count))
                    yield from (row for row in rows if status[row] == 0)
        except (OSError, KeyError) as error:
            raise RunUnreadable(path, f"cannot be read ({error}); record the run again") from None
