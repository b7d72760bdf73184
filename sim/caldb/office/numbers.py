"""What the plots show of one stage of a constant, worked out once from its values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.caldb.office.files import Source, read_header, read_sample, read_stage

QUANTILES: Final = (0.001, 0.01, 0.16, 0.5, 0.84, 0.99, 0.999)
TREND: Final = (0.05, 0.16, 0.5, 0.84, 0.95)
BINS: Final = 200
ROBUST: Final = 1.4826
"""From the median absolute deviation to the sigma of a normal distribution."""
LIMIT_SIGMA: Final = 5.0
"""Where the dark characterisation draws its limits."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Values:
    """Numbers of a stage of a constant that holds numbers."""

    middle: Floats
    """(slow, fast) median over the cells; NaN where no cell has a value."""
    trend: NDArray[np.float64]
    """(TREND, cell) quantiles over the pixels."""
    quantiles: tuple[float, ...]
    """QUANTILES of all values; NaN when there is none."""
    counts: NDArray[np.int64]
    edges: NDArray[np.float64]
    below: int
    above: int
    """Values outside the histogram."""
    limits: tuple[float, float]
    """Median - and + 5 robust sigma."""
    missing: int
    total: int


@dataclass(frozen=True, slots=True)
class Flags:
    """Numbers of a stage of a bad-pixel mask."""

    bad: NDArray[np.float64]
    """(cell) share of pixels with any bit."""
    by_bit: dict[int, NDArray[np.float64]]
    """The same for each bit that occurs."""
    total: int


@dataclass(frozen=True, slots=True)
class Spread:
    """One version in the history: quantiles of a sample, or the share of bad pixels three times."""

    low: float
    middle: float
    high: float


@dataclass(slots=True)
class Timeline:
    """Versions of one constant and unit by their begin."""

    begins_ms: list[int] = field(default_factory=list)
    spreads: list[Spread] = field(default_factory=list)
    chosen: int | None = None
    """Place of the version that is looked at."""
    unreadable: int = 0
    """Versions whose file cannot be read, and that are left out."""


def values_of(source: Source, stage: int) -> Values:
    """Raises Unshowable."""
    data = read_stage(source, stage)
    # Infinite values are no more use than NaN, and would ruin every scale.
    data[~np.isfinite(data)] = np.nan
    cells = data.shape[0]
    trend = np.empty((len(TREND), cells))
    for cell in range(cells):
        trend[:, cell] = _quantiles(data[cell].ravel(), TREND)
    flat = data.ravel()
    finite = flat[np.isfinite(flat)]
    quantiles = _quantiles(finite, QUANTILES)
    counts, edges, below, above = _histogram(finite, quantiles)
    (deviation,) = _quantiles(np.abs(finite - np.float32(quantiles[3])), (0.5,))
    spread = deviation * ROBUST
    limits = (quantiles[3] - LIMIT_SIGMA * spread, quantiles[3] + LIMIT_SIGMA * spread)
    missing = int(flat.size - finite.size)
    return Values(
        _median_over_cells(data), trend, quantiles, counts, edges, below, above, limits, missing, flat.size
    )


def flags_of(source: Source, stage: int) -> Flags:
    """Raises Unshowable."""
    data = read_stage(source, stage)
    union = int(np.bitwise_or.reduce(data, axis=None))
    by_bit = {
        bit: (data >> np.uint32(bit) & np.uint32(1)).mean((1, 2), dtype=np.float64)
        for bit in range(32)
        if union >> bit & 1
    }
    return Flags((data != 0).mean((1, 2), dtype=np.float64), by_bit, int(data.size))


def map_of(source: Source, stage: int, cell: int | None, bit: int | None) -> Floats:
    """(slow, fast): a cell's values, or of a mask its bad pixels (1 or 0), or their share over all cells."""
    data = read_stage(source, stage)
    if data.dtype.kind == "u":
        bad = data != 0 if bit is None else (data >> np.uint32(bit) & np.uint32(1)) != 0
        return np.asarray(bad.mean(0, dtype=np.float64) if cell is None else bad[cell], np.float32)
    data[~np.isfinite(data)] = np.nan
    return _median_over_cells(data) if cell is None else np.array(data[cell])


def spread_of(source: Source, stage: int) -> Spread:
    """Median and the middle two thirds of a version, from some of its lines. Raises Unshowable."""
    header = read_header(source)
    sample = read_sample(source, min(stage, len(header.stages) - 1))
    if header.mask:
        share = float((sample != 0).mean())
        return Spread(share, share, share)
    low, middle, high = _quantiles(sample, (0.16, 0.5, 0.84))
    return Spread(low, middle, high)


def _quantiles(values: NDArray[Any], at: tuple[float, ...]) -> tuple[float, ...]:
    """Quantiles of the finite values by the nearest rank; several times as fast as nanquantile."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return tuple(np.nan for _ in at)
    ranks = [round(q * (finite.size - 1)) for q in at]
    return tuple(float(value) for value in np.partition(finite, ranks)[ranks])


def _median_over_cells(data: Floats) -> Floats:
    if data.shape[0] == 1:
        return np.array(data[0])
    by_pixel = np.sort(np.ascontiguousarray(data.reshape(data.shape[0], -1).T), axis=1)
    count = by_pixel.shape[1] - np.isnan(by_pixel).sum(1)
    low = np.take_along_axis(by_pixel, np.maximum((count - 1) // 2, 0)[:, None], 1)[:, 0]
    high = np.take_along_axis(by_pixel, np.minimum(count // 2, by_pixel.shape[1] - 1)[:, None], 1)[:, 0]
    return np.asarray((low + high) / 2, np.float32).reshape(data.shape[1:])


def _histogram(
    finite: NDArray[Any], quantiles: tuple[float, ...]
) -> tuple[NDArray[np.int64], NDArray[np.float64], int, int]:
    if finite.size == 0:
        return np.zeros(1, np.int64), np.array([0.0, 1.0]), 0, 0
    low, high = quantiles[0], quantiles[-1]
    margin = 0.25 * (high - low) or max(abs(low), 1.0) * 0.5
    counts, edges = np.histogram(finite, BINS, (low - margin, high + margin))
    return counts, edges, int((finite < edges[0]).sum()), int((finite > edges[-1]).sum())
