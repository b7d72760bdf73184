"""Reading constants from the store: never outside of it, never more than fits, every trouble a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import h5py
import numpy as np
from numpy.typing import NDArray

from sim.caldb.office.badpixels import bit_name

BLOCK_BYTES: Final = 32 << 20
MOST_VALUES: Final = 1 << 26
"""Of one stage: 64 Mi values, four times the largest module that we know."""
SAMPLE_BYTES: Final = 48 << 20
"""What the history reads of each file at most."""

STAGES: Final[Mapping[str, Sequence[str]]] = {
    "ThresholdsDark": (
        "high/medium threshold",
        "medium/low threshold",
        "digital level, high gain",
        "digital level, medium gain",
        "digital level, low gain",
    ),
    "SlopesPC": ("high slope", "high intercept", "unused", "medium slope", "medium intercept"),
    "SlopesFF": ("photon gain", "unused"),
}
GAINS: Final = ("high gain", "medium gain", "low gain")

T = TypeVar("T")


class Unshowable(Exception):
    """A constant that cannot be read or drawn; the sentence names its file."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"File {path.name}: {reason}")


@dataclass(frozen=True, slots=True)
class Source:
    """A constant in the store, as its version says."""

    path: Path
    """Inside the store."""
    dataset: str
    calibration: str
    stamp: tuple[int, int]
    """Modification time and size: another stamp is another file."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of its data."""

    cells: int
    stages: tuple[str, ...]
    """Names of the gain stages (or thresholds, parameters)."""
    mask: bool
    """Whether the values are bits."""
    shape: tuple[int, ...]
    dtype: str
    axes: tuple[int, int, int | None, int | None]
    """Where slow scan, fast scan, cell and stage are."""


def locate(store: Path, row: Mapping[str, Any], calibration: str) -> Source:
    """The file of a version. Raises Unshowable when it is not there, or would lie outside the store."""
    root = store.resolve()
    named = Path(row["path_to_file"]) / row["file_name"]
    try:
        path = (root / named).resolve()
        outside = not path.is_relative_to(root)
        stat = None if outside or not path.is_file() else path.stat()
    except (OSError, ValueError, RuntimeError):
        raise Unshowable(named, "this name cannot be a file in the store") from None
    if outside:
        raise Unshowable(named, "the version points outside the store; nothing there is read")
    if stat is None:
        raise Unshowable(named, "the file is not in the store")
    return Source(path, f"{row['data_set_name']}/data", calibration, (stat.st_mtime_ns, stat.st_size))


def read_header(source: Source) -> Header:
    """Shape and axes. Raises Unshowable."""
    return _opened(source, lambda data: _header(source, data))


def read_stage(source: Source, stage: int) -> NDArray[Any]:
    """One stage of a constant as (cell, slow, fast), f4 or u4. Raises Unshowable."""

    def read(data: h5py.Dataset) -> NDArray[Any]:
        header = _header(source, data)
        slow, fast, _, at = header.axes
        size = data.shape[slow] * data.shape[fast] * header.cells
        if size > MOST_VALUES:
            raise Unshowable(source.path, f"{size} values in one stage are more than can be drawn")
        values = _stage_of(data, at, stage, "u4" if header.mask else "f4", 1)
        return _as_images(values, header.axes)

    return _opened(source, read)


def read_sample(source: Source, stage: int) -> NDArray[Any]:
    """Values of some lines of a stage, spread over the module; all of them where the file is small."""

    def read(data: h5py.Dataset) -> NDArray[Any]:
        header = _header(source, data)
        every = max(1, -(-data.size * data.dtype.itemsize // SAMPLE_BYTES))
        return _stage_of(data, header.axes[3], stage, "u4" if header.mask else "f4", every).ravel()

    return _opened(source, read)


def _opened(source: Source, read: Callable[[h5py.Dataset], T]) -> T:
    try:
        with h5py.File(source.path, "r") as file:
            # A link or a virtual dataset could name any other file of this machine.
            if isinstance(file.get(source.dataset, getlink=True), h5py.ExternalLink):
                raise Unshowable(source.path, f"{source.dataset} is a link to another file")
            data = file.get(source.dataset)
            if not isinstance(data, h5py.Dataset):
                raise Unshowable(source.path, f"holds no dataset {source.dataset}")
            if data.file.filename != file.filename or data.is_virtual or data.external:
                raise Unshowable(source.path, f"{source.dataset} takes its values from another file")
            return read(data)
    except Unshowable:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, TypeError) as error:
        # h5py tells a damaged file by any of these, depending on which part is damaged.
        raise Unshowable(source.path, f"the file cannot be read ({_first_line(error)})") from None


def _header(source: Source, data: h5py.Dataset) -> Header:
    if data.dtype.kind not in "fiu" or data.size == 0:
        raise Unshowable(source.path, f"{source.dataset} holds no numbers")
    if data.ndim not in (2, 3, 4):
        raise Unshowable(source.path, f"{source.dataset} has {data.ndim} axes; only two to four can be drawn")
    slow, fast, cell, stage = _axes(data)
    count = 1 if stage is None else data.shape[stage]
    return Header(
        cells=1 if cell is None else data.shape[cell],
        stages=_stage_names(source.calibration, count),
        mask=is_mask(source.calibration),
        shape=tuple(data.shape),
        dtype=str(data.dtype),
        axes=(slow, fast, cell, stage),
    )


def _axes(data: h5py.Dataset) -> tuple[int, int, int | None, int | None]:
    labels = data.attrs.get("dims")
    dims = (
        []
        if labels is None
        else [str(d.decode() if isinstance(d, bytes) else d) for d in np.atleast_1d(labels)]
    )
    if len(dims) == data.ndim and {"fast_scan", "slow_scan"} <= set(dims):
        cell = dims.index("cell") if "cell" in dims else None
        known = {dims.index("slow_scan"), dims.index("fast_scan"), cell}
        rest = [axis for axis in range(data.ndim) if axis not in known]
        return dims.index("slow_scan"), dims.index("fast_scan"), cell, rest[0] if rest else None
    # Without labels: stages, cells and pixels where they come first (SlopesCS), else pixels, cells, stages.
    if data.ndim == 4 and data.shape[0] < data.shape[3]:
        return 3, 2, 1, 0
    return 1, 0, 2 if data.ndim > 2 else None, 3 if data.ndim > 3 else None


def _stage_names(calibration: str, count: int) -> tuple[str, ...]:
    known = STAGES.get(calibration, GAINS if count == len(GAINS) else ())
    if count == 1 and not known:
        return ("all",)
    return tuple(known[n] if n < len(known) else f"number {n}" for n in range(count))


def _stage_of(data: h5py.Dataset, axis: int | None, stage: int, dtype: str, every: int) -> NDArray[Any]:
    """One stage, read in blocks along the first axis: picking single values from a file is far slower."""
    if axis == 0:
        return np.asarray(data[stage][::every], dtype)
    line = max(1, data.size // data.shape[0] * data.dtype.itemsize)
    step = every if every > 1 else max(1, BLOCK_BYTES // line)
    parts = []
    for start in range(0, data.shape[0], step):
        block = data[start : start + (1 if every > 1 else step)]
        parts.append(np.asarray(block if axis is None else np.take(block, stage, axis), dtype))
    return np.concatenate(parts)


def _as_images(values: NDArray[Any], axes: tuple[int, int, int | None, int | None]) -> NDArray[Any]:
    slow, fast, cell, stage = (
        axis if axis is None or axes[3] is None or axis < axes[3] else axis - 1 for axis in axes
    )
    del stage
    assert slow is not None
    assert fast is not None
    if cell is None:
        return values.transpose(slow, fast)[None]
    return values.transpose(cell, slow, fast)


def is_mask(calibration: str) -> bool:
    """Whether a calibration's values are bits."""
    return calibration.startswith("BadPixels")


def bits_in(union: int) -> list[tuple[int, str]]:
    """The bits that are set in a number, with their names."""
    return [(bit, bit_name(bit)) for bit in range(32) if union >> bit & 1]


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
