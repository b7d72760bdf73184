"""Which pixels of a dark are bad, and why. Limits follow the module itself, within hard limits.

The statistical limits are median ± k robust sigmas over the pixels of one memory cell and gain stage, where robust
sigma is 1.4826 times the median absolute deviation; it grows by itself when few trains make the estimates scatter. A
standard deviation from n frames scatters by about 1/sqrt(2(n-1)) and is skewed, so noise is judged by its power 2/3,
the cube root of the variance, which is nearly normal (Wilson and Hilferty 1931): with 20 trains and k = 5 a good pixel
passes between 0.31 and 1.9 times the median noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.constants.badpixels import BadPixel
from pipeline.model import F32, U32

MAD_TO_SIGMA: Final = 1.4826
"""Sigma of a normal distribution over its median absolute deviation."""


@dataclass(frozen=True, slots=True)
class DarkSettings:
    """How pixels are judged. Limits in ADU are hard; those in sigma follow the module."""

    offset_sigma: float = 5.0
    """Robust sigmas around the median offset of a cell and stage. In 65 536 normal pixels 5 sigma loses none."""
    offset_limits_adu: tuple[float, float] = (1000.0, 15_000.0)
    """A dark level outside is a dead or saturated pixel; the converter ends at 16 383."""
    noise_sigma: float = 5.0
    """Robust sigmas around the median noise, taken to the power 2/3."""
    noise_limits_adu: tuple[float, float] = (0.5, 50.0)
    """Rounding to whole ADU alone makes 0.29: less than 0.5 is no live pixel."""
    gain_separation_sigma: float = 5.0
    """Least distance of neighbouring digital levels, in sigmas of their difference."""
    min_trains: int = 5
    """A memory cell with fewer frames of a stage counts as not measured."""

    @classmethod
    def of(cls, kind: str) -> DarkSettings:
        """The usual settings for a type of detector. LPD has 12 bits, DSSC 9."""
        match kind:
            case "LPD":
                return cls(offset_limits_adu=(200.0, 3500.0), noise_limits_adu=(0.4, 50.0))
            case "DSSC":
                return cls(offset_limits_adu=(20.0, 400.0), noise_limits_adu=(0.2, 20.0))
        return cls()


@dataclass(frozen=True, slots=True)
class DarkStatistics:
    """What was measured of one module."""

    offset: F32
    """(cells, stages, slow, fast) mean of the analogue signal, ADU."""
    noise: F32
    """(cells, stages, slow, fast) standard deviation (n - 1) of the same, ADU."""
    level: F32 | None
    """AGIPD: (cells, 3, 512, 128) mean of the digital signal, ADU."""
    level_noise: F32 | None
    """AGIPD: (cells, 3, 512, 128) its standard deviation, ADU."""
    trains: NDArray[np.int64]
    """(cells, stages) frames that were seen."""


def flag_bad_pixels(seen: DarkStatistics, settings: DarkSettings) -> U32:
    """Bad-pixel bits (`BadPixel`) for each cell, stage and pixel, (cells, stages, slow, fast) u4; 0 = good."""
    mask = np.zeros(seen.offset.shape, np.uint32)
    for cell, stage in np.ndindex(seen.trains.shape):
        image = mask[cell, stage]
        if seen.trains[cell, stage] < settings.min_trains:
            image |= np.uint32(BadPixel.NO_DARK_DATA)
            continue
        offset, noise = seen.offset[cell, stage], seen.noise[cell, stage]
        trains = int(seen.trains[cell, stage])
        image[~(np.isfinite(offset) & np.isfinite(noise))] |= np.uint32(BadPixel.OFFSET_NOISE_EVAL_ERROR)
        image[_offset_is_bad(offset, noise, trains, settings)] |= np.uint32(BadPixel.OFFSET_OUT_OF_THRESHOLD)
        image[_noise_is_bad(noise, trains, settings)] |= np.uint32(BadPixel.NOISE_OUT_OF_THRESHOLD)
    if seen.level is not None and seen.level_noise is not None:
        touching = _levels_touch(seen.level, seen.level_noise, seen.trains, settings)
        mask[touching] |= np.uint32(BadPixel.GAIN_THRESHOLDING_ERROR)
    return mask


def _offset_is_bad(offset: F32, noise: F32, trains: int, settings: DarkSettings) -> NDArray[np.bool_]:
    least_sigma = float(np.nanmedian(noise)) / np.sqrt(trains)
    return _outside(offset, settings.offset_sigma, least_sigma) | _beyond(offset, settings.offset_limits_adu)


def _noise_is_bad(noise: F32, trains: int, settings: DarkSettings) -> NDArray[np.bool_]:
    root = np.cbrt(noise) ** 2
    least_sigma = float(np.nanmedian(root)) * np.sqrt(2 / (9 * (trains - 1)))
    return _outside(root, settings.noise_sigma, least_sigma) | _beyond(noise, settings.noise_limits_adu)


def _outside(values: F32, sigmas: float, least_sigma: float) -> NDArray[np.bool_]:
    """Farther than *sigmas* robust sigmas from the median.

    Sigma is never taken to be smaller than *least_sigma*, the scatter that the number of trains alone makes.
    """
    median = np.nanmedian(values)
    distance = np.abs(values - median)
    sigma = max(MAD_TO_SIGMA * float(np.nanmedian(distance)), least_sigma)
    return np.asarray(distance > sigmas * sigma)


def _beyond(values: F32, limits: tuple[float, float]) -> NDArray[np.bool_]:
    return (values < limits[0]) | (values > limits[1])


def _levels_touch(
    level: F32, level_noise: F32, trains: NDArray[np.int64], settings: DarkSettings
) -> NDArray[np.bool_]:
    """Cells and pixels, for all their stages, whose digital levels cannot be told apart.

    A pixel's own scatter counts at least as much as the module's median, so that a lucky estimate does not pass.
    """
    shape = level.shape
    bad = np.zeros((shape[0], *shape[2:]), np.bool_)
    for cell in range(shape[0]):
        if np.any(trains[cell] < settings.min_trains):
            continue
        typical = np.nanmedian(level_noise[cell], axis=(1, 2), keepdims=True)
        variance = np.maximum(level_noise[cell], typical) ** 2
        distance = np.diff(level[cell], axis=0)
        sigma = np.sqrt(variance[:-1] + variance[1:])
        # "Not above" also catches levels that are not numbers.
        bad[cell] = np.any(~(distance > settings.gain_separation_sigma * sigma), axis=0)
    return np.broadcast_to(bad[:, None], shape)
