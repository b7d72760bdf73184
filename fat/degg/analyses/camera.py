"""Pictures of a module's cameras: dark noise and hot pixels, and the blob of a lit LED (fat.md section 7)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

ROWS: Final = 993
COLUMNS: Final = 1312
USABLE_ROWS: Final = 977
USABLE_COLUMNS: Final = 1309
FULL_SCALE: Final = 4095
HOT_SIGMA: Final = 5.0
HOT_SHARE: Final = 0.5
"""A pixel is hot when it is so far above the others in at least this share of the pictures."""
STRIDE: Final = 17
"""Every so many pixels tell median and spread of a picture; it divides neither rows nor columns."""
SPREAD_OF_RANK: Final = 0.6745
"""Half of a normal distribution lies within so many standard deviations."""
BLOCK: Final = 8
"""Pixels of a side of the blocks in which a blob is looked for."""
BLOB_SIGMA: Final = 10.0
BLOB_PIXELS: Final = (500, 200_000)
"""Area of a lit LED's picture at half its height; a hot pixel is smaller, stray light everywhere."""
ROUND: Final = 0.4
"""A circle has 1, a streak or a ragged patch little."""


@dataclass(frozen=True, slots=True)
class DarkNoise:
    """Dark pictures of one camera.

    pedestal   mean of the usable pixels, counts of 12 bits
    noise      standard deviation of a pixel from picture to picture, median of all, counts
    hot        (n, 2) rows and columns of hot pixels
    mean       (977, 1309) mean picture
    frames     pictures
    """

    pedestal: float
    noise: float
    hot: NDArray[np.int64]
    mean: NDArray[np.float32]
    frames: int


class DarkFrames:
    """Adds dark pictures up one by one: thirty of them are 75 MB."""

    def __init__(self) -> None:
        self._sum = np.zeros((USABLE_ROWS, USABLE_COLUMNS), np.float32)
        self._squares = np.zeros((USABLE_ROWS, USABLE_COLUMNS), np.float32)
        self._hot = np.zeros((USABLE_ROWS, USABLE_COLUMNS), np.uint8)
        self._origin = 0.0
        self._frames = 0

    def add(self, picture: NDArray[np.uint16]) -> None:
        """Take one picture, (993, 1312), 0..4095, into account. Raises ValueError for another shape."""
        pixels = usable(picture).astype(np.float32)
        middle, spread = middle_and_spread(pixels)
        if self._frames == 0:
            self._origin = middle
        self._hot += pixels > middle + HOT_SIGMA * spread
        pixels -= np.float32(self._origin)
        self._sum += pixels
        pixels *= pixels
        self._squares += pixels
        self._frames += 1

    def result(self) -> DarkNoise:
        """What all pictures say. Raises ValueError without any."""
        if self._frames == 0:
            raise ValueError("no picture was taken")
        mean = self._sum / self._frames
        variance = np.maximum(self._squares / self._frames - mean**2, 0.0)
        # The median: a particle that crosses one picture must not count as noise. It lies below the mean of a variance
        # of so many degrees of freedom (Wilson and Hilferty).
        freedom = max(1, self._frames - 1)
        of_median = self._frames / freedom / (1.0 - 2.0 / (9.0 * freedom)) ** 3
        is_hot = self._hot >= HOT_SHARE * self._frames
        return DarkNoise(
            float(self._origin + mean.mean(dtype=np.float64)),
            float(np.sqrt(np.median(variance) * of_median)),
            np.argwhere(is_hot),
            (mean + np.float32(self._origin)).astype(np.float32),
            self._frames,
        )


@dataclass(frozen=True, slots=True)
class Blob:
    """The picture of a lit LED.

    row, column  of its centre, pixels of the usable part
    area         pixels above half of its height
    height       counts above the surroundings
    round        1 for a full circle: share of its ellipse that it fills, times the ratio of the ellipse's axes
    found        it is bright, large and round enough
    """

    row: float
    column: float
    area: int
    height: float
    round: float
    found: bool


def usable(picture: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """The part that sees light, (977, 1309): the last rows and columns. Raises ValueError for another shape."""
    if picture.shape != (ROWS, COLUMNS):
        raise ValueError(f"a picture of {picture.shape} pixels is not one of ({ROWS}, {COLUMNS})")
    return picture[-USABLE_ROWS:, -USABLE_COLUMNS:]


def middle_and_spread(pixels: NDArray[np.float32]) -> tuple[float, float]:
    """Median and robust standard deviation of a picture's pixels; hot ones and blobs do not matter.

    Counts are whole numbers, so ranks alone would come in steps: the mean of what lies near the median is the middle,
    and the spread is that of the same part.
    """
    some = pixels.reshape(-1)[::STRIDE]
    low, median, high = np.percentile(some, (25, 50, 75))
    rough = max((high - low) / (2 * SPREAD_OF_RANK), 0.5)
    near = some[np.abs(some - median) <= 3.0 * rough]
    return float(near.mean()), max(float(near.std()), 0.3)


def blob(picture: NDArray[np.uint16]) -> Blob:
    """Look for the picture of a lit LED, (993, 1312)."""
    pixels = usable(picture).astype(np.float32)
    rows, columns = USABLE_ROWS // BLOCK, USABLE_COLUMNS // BLOCK
    grid = pixels[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK).mean(axis=(1, 3))
    # Surroundings are what most blocks are; a blob may cover a good part of them.
    middle = float(np.percentile(grid, 20))
    spread = max(float(middle - np.percentile(grid, 3.6)), 0.05)
    top = np.unravel_index(int(np.argmax(grid)), grid.shape)
    height = float(grid[top]) - middle
    inside = _connected(grid - middle >= 0.5 * height, (int(top[0]), int(top[1])))
    at = np.argwhere(inside)
    centre = at.mean(axis=0)
    area = at.shape[0] * BLOCK**2
    minor, major = _axes(at)
    # A full ellipse has half axes of twice its standard deviations.
    share = min(1.0, at.shape[0] / (4.0 * np.pi * minor * major)) * minor / major
    large = BLOB_PIXELS[0] <= area <= BLOB_PIXELS[1]
    found = bool(height >= BLOB_SIGMA * spread and large and share >= ROUND)
    row, column = (float(value) for value in (centre + 0.5) * BLOCK)
    return Blob(row, column, area, height, share, found)


def _axes(places: NDArray[np.int64]) -> tuple[float, float]:
    """Standard deviations of places along their two axes, the smaller first; a block's own extent is in them."""
    moments = np.cov(places.T, bias=True) if places.shape[0] > 1 else np.zeros((2, 2))
    minor, major = np.sqrt(np.maximum(np.linalg.eigvalsh(moments), 0.0) + 1.0 / 12.0)
    return float(minor), float(major)


def _connected(mask: NDArray[np.bool_], start: tuple[int, int]) -> NDArray[np.bool_]:
    """What hangs together with a place of a mask, by sides."""
    inside = np.zeros_like(mask)
    inside[start] = True
    waiting = deque([start])
    while waiting:
        row, column = waiting.popleft()
        for place in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if (
                0 <= place[0] < mask.shape[0]
                and 0 <= place[1] < mask.shape[1]
                and mask[place]
                and not inside[place]
            ):
                inside[place] = True
                waiting.append(place)
    return inside
