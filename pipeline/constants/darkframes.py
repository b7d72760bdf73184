"""Frames of one module of a recorded dark run, in blocks, never the whole run at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import RunUnreadable
from pipeline.model import U16

BLOCK_FRAMES: Final = 64
"""Frames that are read at a time: 16 MiB of AGIPD."""
IMAGE_SHAPES: Final = {"AGIPD": (2, 512, 128), "LPD": (1, 256, 256), "DSSC": (1, 128, 512)}
"""Shape of one frame by the type of the detector; AGIPD: plane 0 analogue, plane 1 digital."""
LPD_SIGNAL: Final = 0x0FFF
LPD_STAGE_BIT: Final = 12

_SEQUENCE: Final = re.compile(r"RAW-R\d{4}-([A-Z]+)(\d\d)-S\d{5}\.h5")


@dataclass(frozen=True, slots=True)
class Block:
    """Neighbouring frames of one file."""

    data: U16
    """(n, *IMAGE_SHAPES[type]) ADU; of LPD the signal without the gain bits."""
    cell_id: U16
    """(n,) memory cell of each frame."""


def module_files(run: Path, module: int) -> list[Path]:
    """The sequence files of a module of a raw run, in order. Raises RunUnreadable when there are none."""
    if not run.is_dir():
        raise RunUnreadable(run, "is no folder; give the folder of a recorded run, such as raw/r0001")
    found = [
        path
        for path in sorted(run.iterdir())
        if (match := _SEQUENCE.fullmatch(path.name)) and match[1] in IMAGE_SHAPES and int(match[2]) == module
    ]
    if not found:
        raise RunUnreadable(
            run,
            f"holds no file RAW-R…-{module:02d}-S….h5 of AGIPD, LPD or DSSC; was module {module} recorded?",
        )
    return found


def count_frames(run: Path, detector: str, module: int) -> int:
    """How many frames of a module the run's index counts. Raises RunUnreadable."""
    return sum(len(_valid_rows(path, detector, module)) for path in module_files(run, module))


def read_blocks(
    run: Path, detector: str, module: int, cells: range, stage: int | None = None
) -> Iterator[Block]:
    """Frames of a module whose memory cell lies in *cells*, block by block.

    stage  for LPD: only frames in which most pixels are in this gain stage, as each third is in parallel gain
    Only frames that the index counts and whose status is good (0) come. Raises RunUnreadable.
    """
    for path in module_files(run, module):
        try:
            with h5py.File(path, "r") as file:
                for block in _blocks_of(path, file, detector, module, cells):
                    yield _of_stage(block, stage) if "-LPD" in path.name else block
        except OSError as error:
            raise RunUnreadable(path, f"cannot be read as HDF5 ({error}); record the run again") from None


def _blocks_of(path: Path, file: h5py.File, detector: str, module: int, cells: range) -> Iterator[Block]:
    image = _image_group(path, file, detector, module)
    data = image["data"]
    name = _SEQUENCE.fullmatch(path.name)
    wanted = IMAGE_SHAPES[name[1]] if name is not None else ()
    if data.shape[1:] != wanted or data.dtype != np.uint16:
        raise RunUnreadable(
            path, f"{data.name} holds {data.dtype} {data.shape}, not uint16 (n, {str(wanted)[1:]}"
        )
    rows = _indexed_rows(path, file, detector, module)
    cell_id, status = (image[key][()].reshape(-1)[rows] for key in ("cellId", "status"))
    chosen = rows[(cell_id >= cells.start) & (cell_id < cells.stop) & (status == 0)]
    all_cells = image["cellId"][()].reshape(-1)
    for first, last in _stretches(chosen):
        yield Block(data[first:last], all_cells[first:last])


def _of_stage(block: Block, stage: int | None) -> Block:
    """The signal of LPD frames, of those in one gain stage."""
    signal, cell_id = block.data & np.uint16(LPD_SIGNAL), block.cell_id
    if stage is None:
        return Block(signal, cell_id)
    # A pixel with wrong gain bits does not change what most pixels of its frame say.
    most = np.median(block.data.reshape(len(signal), -1) >> LPD_STAGE_BIT, axis=1)
    return Block(signal[most == stage], cell_id[most == stage])


def _stretches(rows: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Stretches `first … last - 1` of consecutive rows, at most BLOCK_FRAMES long."""
    if len(rows) == 0:
        return
    starts = np.flatnonzero(np.diff(rows, prepend=rows[0] - 2) != 1)
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        first, last = int(rows[start]), int(rows[stop - 1]) + 1
        for block in range(first, last, BLOCK_FRAMES):
            yield block, min(block + BLOCK_FRAMES, last)


def _valid_rows(path: Path, detector: str, module: int) -> NDArray[np.int64]:
    try:
        with h5py.File(path, "r") as file:
            return _indexed_rows(path, file, detector, module)
    except OSError as error:
        raise RunUnreadable(path, f"cannot be read as HDF5 ({error}); record the run again") from None


def _image_group(path: Path, file: h5py.File, detector: str, module: int) -> h5py.Group:
    name = f"INSTRUMENT/{detector}/DET/{module}CH0:xtdf/image"
    image = file.get(name)
    if not isinstance(image, h5py.Group) or not {"data", "cellId", "status"} <= set(image):
        raise RunUnreadable(path, f"holds no complete {name}; is {detector} the detector's name?")
    return image


def _indexed_rows(path: Path, file: h5py.File, detector: str, module: int) -> NDArray[np.int64]:
    """Rows of the image datasets that belong to a train, ascending; padding behind the last train is left out."""
    frames = len(_image_group(path, file, detector, module)["data"])
    name = f"INDEX/{detector}/DET/{module}CH0:xtdf/image"
    index = file.get(name)
    if not isinstance(index, h5py.Group) or not {"first", "count"} <= set(index):
        raise RunUnreadable(path, f"holds no index {name}")
    first, count = (index[key][()].astype(np.int64) for key in ("first", "count"))
    if np.any(first < 0) or np.any(count < 0) or np.any(first + count > frames):
        raise RunUnreadable(path, f"{name} points behind the {frames} frames of the file")
    parts = [np.arange(f, f + c) for f, c in zip(first, count, strict=True) if c]
    return np.unique(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def run_start(run: Path) -> datetime:
    """Time of the first train of a run, UTC. Raises RunUnreadable."""
    starts = [start for path in sorted(run.glob("RAW-*.h5")) if (start := _file_start(path)) is not None]
    if not starts:
        raise RunUnreadable(run, "holds no file with a train")
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=min(starts) // 1000)


def _file_start(path: Path) -> int | None:
    try:
        with h5py.File(path, "r") as file:
            stamps: Any = file.get("INDEX/timestamp")
            if not isinstance(stamps, h5py.Dataset):
                raise RunUnreadable(path, "holds no INDEX/timestamp")
            known = stamps[()]
            known = known[known > 0]
            return int(known.min()) if len(known) else None
    except OSError as error:
        raise RunUnreadable(path, f"cannot be read as HDF5 ({error}); record the run again") from None
