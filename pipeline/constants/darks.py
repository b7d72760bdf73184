"""Constants from dark runs: recordings without light, one with each gain stage forced; one for a DSSC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.constants.badpixels import BadPixel
from pipeline.constants.cellsums import MOST_FRAMES, CellSums
from pipeline.constants.darkflags import DarkSettings, DarkStatistics, flag_bad_pixels
from pipeline.constants.darkframes import IMAGE_SHAPES, count_frames, read_blocks
from pipeline.constants.layout import to_storage
from pipeline.errors import RunUnreadable
from pipeline.model import F32

CELLS_AT_ONCE: Final = 32
"""Memory cells that a module accumulates in one pass over its files: 64 MiB of sums, however many cells there are."""

Progress = Callable[[int, int], None]
"""Called with frames read so far, and frames in all. From worker threads, one call at a time."""


@dataclass(frozen=True, slots=True)
class DarkRuns:
    """The folders of the runs, such as `raw/r0001`.

    A DSSC has one, *high*. An LPD in parallel gain has one, too: name it three times.
    """

    high: Path
    medium: Path | None = None
    low: Path | None = None

    def by_stage(self) -> tuple[Path, ...]:
        """Folders in the order of the gain stages 0, 1, 2."""
        return tuple(run for run in (self.high, self.medium, self.low) if run is not None)


@dataclass(frozen=True, slots=True)
class ModuleDark:
    """The dark constants of one module."""

    module: int
    constants: dict[str, NDArray[Any]]
    """By calibration, in storage order: fast scan, slow scan, cell, and but for DSSC k = gain or threshold:

    Offset, Noise   f4, k = 3 gain stages, ADU; NaN where there are too few trains
    ThresholdsDark  AGIPD, f4, k = 5: high/medium and medium/low threshold, mean digital level of each stage, ADU
    BadPixelsDark   u4, k = 3, bits of `BadPixel`
    """
    trains: NDArray[np.int64]
    """(cells, stages) frames that entered, by memory cell and stage."""

    def bad_counts(self, shown: NDArray[np.bool_] | None = None) -> dict[str, int]:
        """Pixels (of the module's 65 536) that carry each bit in any cell and stage; `any` counts all bad ones.

        shown  (cells, stages) False: does not count, as what is not measured in parallel gain; by default all do
        """
        bits = self.constants["BadPixelsDark"]
        if shown is not None:
            bits = np.where(shown if bits.ndim == 4 else shown[:, 0], bits, np.uint32(0))
        worst = np.bitwise_or.reduce(bits, axis=tuple(range(2, bits.ndim)))
        counts = {str(bit.name): int(np.count_nonzero(worst & np.uint32(bit))) for bit in BadPixel}
        return {name: n for name, n in counts.items() if n} | {"any": int(np.count_nonzero(worst))}


def derive(
    runs: DarkRuns,
    detector: str,
    modules: Sequence[int],
    memory_cells: int,
    settings: DarkSettings,
    *,
    threads: int = 2,
    progress: Progress | None = None,
    kind: str = "AGIPD",
) -> dict[int, ModuleDark]:
    """Derive the dark constants of modules, several at a time.

    kind  type of the detector: AGIPD, LPD or DSSC

    Offset is the mean, Noise the standard deviation (n - 1) of the analogue signal over trains. The thresholds lie in
    the middle between the mean digital levels m0, m1, m2 of the stages: T0 = (m0 + m1)/2, T1 = (m1 + m2)/2.
    Frames are read block by block; a run is never in memory as a whole. Raises RunUnreadable.
    """
    counted = [count_frames(run, detector, module) for run in runs.by_stage() for module in modules]
    advance = _Counter(sum(counted), progress).advance
    one = partial(
        derive_module,
        runs,
        detector,
        memory_cells=memory_cells,
        settings=settings,
        advance=advance,
        kind=kind,
    )
    with ThreadPoolExecutor(threads, "darks") as workers:
        return {dark.module: dark for dark in workers.map(one, modules)}


class _Counter:
    """Frames done, told on."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total, self._progress = total, progress
        self._done, self._lock = 0, Lock()

    def advance(self, frames: int) -> None:
        with self._lock:
            self._done += frames
            if self._progress is not None:
                self._progress(self._done, self._total)


def derive_module(
    runs: DarkRuns,
    detector: str,
    module: int,
    memory_cells: int,
    settings: DarkSettings,
    advance: Callable[[int], None],
    kind: str = "AGIPD",
) -> ModuleDark:
    """Derive the constants of one module; *advance* is told the frames of each block. Raises RunUnreadable."""
    parts = []
    for start in range(0, memory_cells, CELLS_AT_ONCE):
        cells = range(start, min(start + CELLS_AT_ONCE, memory_cells))
        seen = _measure(runs, detector, module, cells, settings.min_trains, advance, kind)
        parts.append((seen.trains, _constants(seen, settings, kind)))
    names = parts[0][1]
    joined = {name: np.concatenate([constants[name] for _, constants in parts], axis=2) for name in names}
    return ModuleDark(module, joined, np.concatenate([trains for trains, _ in parts]))


def _measure(
    runs: DarkRuns,
    detector: str,
    module: int,
    cells: range,
    min_trains: int,
    advance: Callable[[int], None],
    kind: str,
) -> DarkStatistics:
    means: list[F32] = []
    deviations: list[F32] = []
    trains = []
    for stage, run in enumerate(runs.by_stage()):
        sums = CellSums(cells, IMAGE_SHAPES[kind])
        for block in read_blocks(run, detector, module, cells, stage):
            try:
                sums.add(block.data, block.cell_id)
            except OverflowError as error:
                raise RunUnreadable(run, f"{error}; use a run of at most {MOST_FRAMES} trains") from None
            advance(len(block.data))
        mean, deviation = sums.mean(), sums.deviation()
        mean[sums.count < min_trains] = deviation[sums.count < min_trains] = np.nan
        means.append(mean)
        deviations.append(deviation)
        trains.append(sums.count)
    mean, deviation = np.stack(means, axis=1), np.stack(deviations, axis=1)
    return DarkStatistics(
        offset=mean[:, :, 0],
        noise=deviation[:, :, 0],
        level=mean[:, :, 1] if kind == "AGIPD" else None,
        level_noise=deviation[:, :, 1] if kind == "AGIPD" else None,
        trains=np.stack(trains, axis=1),
    )


def _constants(seen: DarkStatistics, settings: DarkSettings, kind: str) -> dict[str, NDArray[Any]]:
    constants = {
        "Offset": to_storage(seen.offset),
        "Noise": to_storage(seen.noise),
        "BadPixelsDark": to_storage(flag_bad_pixels(seen, settings)),
    }
    if seen.level is not None:
        middles = (seen.level[:, :-1] + seen.level[:, 1:]) / 2
        constants["ThresholdsDark"] = to_storage(np.concatenate([middles, seen.level], axis=1))
    if kind == "DSSC":
        return {name: np.ascontiguousarray(stored[..., 0]) for name, stored in constants.items()}
    return constants
