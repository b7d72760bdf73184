"""The sensor behind the images: where its pixels are, which of them are bad, and how each one responds.

Sizes of modules and gaps: SIMPLON data of EIGER and EIGER2 (1028 × 512 with gaps of 12 and 38 pixels; 1030 × 514 with
10 and 37). The share of bad pixels and the spread of the response are nominal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.dectris.images.frames import Layout

GAP, DEAD, NOISY = 1, 2, 16
"""Bits of the pixel mask (SIMPLON API reference): 0 no pixel, 1 dead, 4 noisy."""
BAD_SHARE: Final = 3e-5
"""Dead pixels in all pixels, and as many noisy ones; at least one of each where there is room for them."""
RESPONSE_SPREAD: Final = 0.02
"""Standard deviation of the pixels' responses around 1."""
RESPONSE_LIMIT: Final = 0.08


@dataclass(frozen=True, slots=True)
class Sensor:
    """A detector's whole frame, made of equal modules with gaps between them."""

    width: int
    height: int
    module_width: int
    module_height: int
    gap_x: int
    """Columns without pixels between neighbouring modules."""
    gap_y: int
    """Rows without pixels between neighbouring modules."""


def custom_sensor(width: int, height: int) -> Sensor:
    """A detector of no model: chips of 256 × 256 with a cross of 2 pixels when small, EIGER2 modules when large."""
    if height > 514 or width > 1030:
        return Sensor(width, height, 1028, 512, 12, 38)
    return Sensor(width, height, 256, 256, 2, 2)


@lru_cache(maxsize=4)
def factory_mask(sensor: Sensor, key: int) -> NDArray[np.uint32]:
    """(height, width) pixel mask of the whole frame: gaps, dead and noisy pixels. Not to be changed."""
    y = np.arange(sensor.height) % (sensor.module_height + sensor.gap_y) >= sensor.module_height
    x = np.arange(sensor.width) % (sensor.module_width + sensor.gap_x) >= sensor.module_width
    mask = np.where(y[:, None] | x[None, :], np.uint32(GAP), np.uint32(0))
    random = np.random.Generator(np.random.PCG64([key, 1]))
    bad = max(1, round(mask.size * BAD_SHARE)) if mask.size >= 4096 else 0
    for bit in (DEAD, NOISY):
        places = random.integers(0, mask.size, bad)
        free = places[mask.reshape(-1)[places] == 0]
        mask.reshape(-1)[free] = bit
    mask.setflags(write=False)
    return mask


@lru_cache(maxsize=4)
def factory_flatfield(sensor: Sensor, key: int) -> NDArray[np.float32]:
    """(height, width) factors that even out the pixels' responses; the response is their inverse. Not to be changed."""
    random = np.random.Generator(np.random.PCG64([key, 2]))
    spread = random.standard_normal((sensor.height, sensor.width), np.float32) * np.float32(RESPONSE_SPREAD)
    flatfield = 1 / (1 + np.clip(spread, -RESPONSE_LIMIT, RESPONSE_LIMIT))
    flatfield.setflags(write=False)
    return np.asarray(flatfield, np.float32)


def binning(sensor: Sensor, layout: Layout) -> int:
    """2 where the layout has half the sensor's size in both directions, else 1."""
    return 2 if (2 * layout.width, 2 * layout.height) == (sensor.width, sensor.height) else 1


def region(sensor: Sensor, layout: Layout) -> tuple[slice, slice]:
    """Rows and columns of the sensor that a layout shows. Raises ValueError when there are none such."""
    if binning(sensor, layout) == 2:
        return slice(0, sensor.height), slice(0, sensor.width)
    x, y = layout.origin or ((sensor.width - layout.width) // 2, (sensor.height - layout.height) // 2)
    if min(x, y) < 0 or x + layout.width > sensor.width or y + layout.height > sensor.height:
        raise ValueError(
            f"{layout.width} x {layout.height} pixels from ({x}, {y}) do not lie on a sensor of "
            f"{sensor.width} x {sensor.height}"
        )
    return slice(y, y + layout.height), slice(x, x + layout.width)


def binned(image: NDArray[Any]) -> NDArray[Any]:
    """Sums of 2 × 2 pixels, (height / 2, width / 2)."""
    height, width = image.shape
    return np.asarray(image.reshape(height // 2, 2, width // 2, 2).sum(axis=(1, 3), dtype=image.dtype))


def layout_mask(sensor: Sensor, key: int, layout: Layout) -> NDArray[np.uint32]:
    """(height, width) mask of a layout. A binned pixel has the bits of all its parts."""
    mask = factory_mask(sensor, key)[region(sensor, layout)]
    if binning(sensor, layout) == 1:
        return mask
    height, width = mask.shape
    parts = mask.reshape(height // 2, 2, width // 2, 2)
    return np.asarray(np.bitwise_or.reduce(np.bitwise_or.reduce(parts, axis=3), axis=1))


def layout_flatfield(sensor: Sensor, key: int, layout: Layout) -> NDArray[np.float32]:
    """(height, width) factors of a layout. A binned pixel responds as its parts do in the mean."""
    flatfield = factory_flatfield(sensor, key)[region(sensor, layout)]
    if binning(sensor, layout) == 1:
        return flatfield
    return np.asarray(4 / binned(1 / flatfield), np.float32)
