"""What falls on the sensor: mean photons of each pixel, for each distinct image. No noise, no detector.

Every scene is scaled so that a pixel gets the asked mean of photons in an image, averaged over the sensor and over the
distinct images. Lengths are parts of half the sensor's shorter side, so that a scene looks alike on every model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, cos, pi, sin
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]

RINGS: Final = ((0.22, 3.0), (0.36, 2.0), (0.51, 4.0), (0.73, 1.5))
"""Radius, and height over the background's 0.6 in the middle."""
RING_WIDTH: Final = 0.012
BEAM_STOP: Final = 0.06
SPOTS: Final = 60
ROCKING_WIDTH: Final = 0.12
"""Of a Bragg spot, as a part of the whole rotation."""
DISK: Final = 0.11
"""Radius of the bright disk and of the Bragg disks."""
LATTICE: Final = ((0.42, 0.23), (-0.18, 0.40))
"""Two reciprocal lattice vectors (x, y), for a lattice of nearly square cells."""
ORDERS: Final = 2
"""Bragg disks of up to this order in each direction."""
DESCAN: Final = 0.05
"""How far the pattern moves from one side of the scan to the other."""


class Scene(Protocol):
    """What falls on a sensor of (height, width) pixels in distinct image *index* of *distinct*."""

    def mean(self, shape: tuple[int, int], index: int, distinct: int) -> F32:
        """(height, width) mean photons."""
        ...


@dataclass(frozen=True, slots=True)
class Flat:
    """The same everywhere and always: for flat fields, and for statistics."""

    photons: float

    def mean(self, shape: tuple[int, int], index: int, distinct: int) -> F32:  # noqa: ARG002  # all images are alike
        """(height, width) mean photons."""
        return np.full(shape, self.photons, np.float32)


@dataclass(frozen=True, slots=True)
class Rings:
    """Small-angle rings on a falling background behind a beam stop; all images alike but for the noise."""

    photons: float

    def mean(self, shape: tuple[int, int], index: int, distinct: int) -> F32:  # noqa: ARG002  # all images are alike
        """(height, width) mean photons."""
        return _rings(shape) * np.float32(self.photons)


@dataclass(frozen=True, slots=True)
class Bragg:
    """Bragg spots of a crystal that turns: each has its moment; the background stays."""

    photons: float
    key: int

    def mean(self, shape: tuple[int, int], index: int, distinct: int) -> F32:
        """(height, width) mean photons."""
        pattern = _bragg_background(shape).copy()
        random = np.random.Generator(np.random.PCG64([self.key, 3]))
        where = random.uniform(-0.95, 0.95, (SPOTS, 2)) * (shape[0] / 2, shape[1] / 2)
        strength, moment = random.exponential(40, SPOTS), random.random(SPOTS)
        # Distance on the circle: a spot of the rotation's end shines on its beginning as well.
        away = np.abs((index / distinct - moment + 0.5) % 1.0 - 0.5)
        shining = strength * np.exp(-((away / ROCKING_WIDTH) ** 2) / 2)
        width = max(1.0, 0.002 * min(shape))
        for (spot_y, spot_x), height in zip(where, shining, strict=True):
            _add_spot(pattern, (spot_y, spot_x), width, height)
        # The spots come and go, so all images have one scale: that of the mean over the rotation.
        shine = ROCKING_WIDTH * np.sqrt(2 * pi) * 2 * pi * width * width / (shape[0] * shape[1])
        level = float(_bragg_background(shape).mean()) + float(strength.sum()) * shine
        return np.asarray(pattern * np.float32(self.photons / level))


@dataclass(frozen=True, slots=True)
class Stem4D:
    """A scan with a convergent electron probe: a bright disk and Bragg disks that change from position to position.

    nav: scan rows and columns. With fewer distinct images than positions, the images stand for positions at equal
    distances; image number i of a series shows image i modulo their number.
    """

    photons: float
    nav: tuple[int, int]

    def position(self, index: int, distinct: int) -> tuple[int, int]:
        """Row and column of the scan that a distinct image stands for."""
        row, column = divmod(index * self.nav[0] * self.nav[1] // distinct, self.nav[1])
        return row, column

    def brightness(self, row: int, column: int) -> float:
        """Photons at a position in relation to the mean: atoms on a lattice of the sample take some away."""
        v, u = row / self.nav[0], column / self.nav[1]
        return 1.0 + 0.25 * cos(2 * pi * 2 * u) * cos(2 * pi * 2 * v)

    def shift(self, row: int, column: int) -> tuple[float, float]:
        """(y, x) of the pattern's centre: descan, and a deflection that turns around the middle of the scan."""
        v, u = (row + 0.5) / self.nav[0] - 0.5, (column + 0.5) / self.nav[1] - 0.5
        return DESCAN * (v + 0.6 * u), DESCAN * (u - 0.6 * v)

    def mean(self, shape: tuple[int, int], index: int, distinct: int) -> F32:
        """(height, width) mean photons."""
        row, column = self.position(index, distinct)
        half = min(shape) / 2
        shift_y, shift_x = self.shift(row, column)
        pattern = _diffuse(shape).copy()
        thickness = 0.5 + 0.5 * sin(2 * pi * (row / self.nav[0] + column / self.nav[1]))
        for order_1 in range(-ORDERS, ORDERS + 1):
            for order_2 in range(-ORDERS, ORDERS + 1):
                order = order_1 * order_1 + order_2 * order_2
                height = 4.0 if order == 0 else (0.4 + 0.6 * thickness) * 0.55**order
                at_x = order_1 * LATTICE[0][0] + order_2 * LATTICE[1][0] + shift_x
                at_y = order_1 * LATTICE[0][1] + order_2 * LATTICE[1][1] + shift_y
                _add_disk(pattern, (at_y * half, at_x * half), DISK * half, height)
        return _scaled(pattern, self.photons * self.brightness(row, column))


def _coordinates(shape: tuple[int, int]) -> tuple[NDArray[np.floating[Any]], NDArray[np.floating[Any]]]:
    """(height, 1) y and (1, width) x from the middle, in parts of half the shorter side."""
    half = min(shape) / 2
    y = (np.arange(shape[0]) - (shape[0] - 1) / 2)[:, None] / half
    x = (np.arange(shape[1]) - (shape[1] - 1) / 2)[None, :] / half
    return y, x


def _scaled(pattern: NDArray[Any], photons: float) -> F32:
    return np.asarray(pattern * (photons / pattern.mean(dtype=np.float64)), np.float32)


@lru_cache(maxsize=2)
def _rings(shape: tuple[int, int]) -> F32:
    """Rings with a mean of 1."""
    radius = np.hypot(*_coordinates(shape))
    pattern = 0.6 * np.exp(-1.5 * radius)
    for place, height in RINGS:
        pattern += height * np.exp(-(((radius - place) / RING_WIDTH) ** 2) / 2)
    pattern[radius < BEAM_STOP] = 0.02
    return _scaled(pattern, 1.0)


@lru_cache(maxsize=2)
def _bragg_background(shape: tuple[int, int]) -> F32:
    return np.asarray(0.15 * np.exp(-1.5 * np.hypot(*_coordinates(shape))), np.float32)


@lru_cache(maxsize=2)
def _diffuse(shape: tuple[int, int]) -> F32:
    """Diffuse scattering around the bright disk."""
    y, x = _coordinates(shape)
    return np.asarray(0.01 / (0.05 + y * y + x * x), np.float32)


def _window(
    shape: tuple[int, int], centre: tuple[float, float], reach: float
) -> tuple[slice, slice, NDArray[np.float64]]:
    """Rows and columns around a place, and the squared distance of their pixels from it, in pixels."""
    middle_y, middle_x = centre[0] + (shape[0] - 1) / 2, centre[1] + (shape[1] - 1) / 2
    rows = slice(max(0, int(middle_y - reach)), max(0, min(shape[0], ceil(middle_y + reach) + 1)))
    columns = slice(max(0, int(middle_x - reach)), max(0, min(shape[1], ceil(middle_x + reach) + 1)))
    y = np.arange(rows.start, rows.stop)[:, None] - middle_y
    x = np.arange(columns.start, columns.stop)[None, :] - middle_x
    return rows, columns, y * y + x * x


def _add_spot(pattern: F32, centre: tuple[float, float], width: float, height: float) -> None:
    rows, columns, squared = _window(pattern.shape, centre, 5 * width)
    pattern[rows, columns] += height * np.exp(-squared / (2 * width * width))


def _add_disk(pattern: F32, centre: tuple[float, float], radius: float, height: float) -> None:
    """A disk whose edge is one pixel soft."""
    rows, columns, squared = _window(pattern.shape, centre, radius + 1)
    pattern[rows, columns] += height * np.clip(radius - np.sqrt(squared) + 0.5, 0, 1)
