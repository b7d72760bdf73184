"""Generated constants: plausible levels with a pattern of pixels, the same for the same seed, and quick to compress."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from sim.caldb.populate.kinds import Constant

PATTERN_LEVELS: Final = 32
"""Pixels take so few values that a file of 50 MB shrinks to some hundred kilobytes."""
BAD_FRACTION: Final = 0.002
BAD_BITS: Final = (1 << 0, 1 << 1, 1 << 17)
"""OFFSET_OUT_OF_THRESHOLD, NOISE_OUT_OF_THRESHOLD, NOISY_ADC."""
CELL_DRIFT: Final = 0.1
"""Spread of memory cells about the pixel's value, in units of the spread of pixels."""


def generate(constant: Constant, unit: str, cells: int, seed: int) -> NDArray[Any]:
    """The data of one constant of one unit: f4, or u4 for a mask."""
    random = np.random.default_rng(_key(seed, unit, constant.calibration))
    shape = constant.shape_of(cells)
    pixels = _pixels(constant, shape)
    if constant.look == "mask":
        bits = random.choice(np.array(BAD_BITS, np.uint32), pixels)
        mask = np.where(random.random(pixels) < BAD_FRACTION, bits, np.uint32(0))
        return np.ascontiguousarray(np.broadcast_to(mask, shape))
    quantiles = np.linspace(-2, 2, PATTERN_LEVELS, dtype=np.float32)
    pattern = quantiles[random.binomial(PATTERN_LEVELS - 1, 0.5, pixels)] * np.float32(constant.spread)
    data = np.empty(shape, np.float32)
    np.add(pattern, _levels(constant, shape), out=data)
    drift = random.integers(-2, 3, _only(constant, shape, "cell")).astype(np.float32)
    data += drift * np.float32(CELL_DRIFT * constant.spread / 2)
    return data


def _pixels(constant: Constant, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape with length 1 along all axes but those of an image."""
    image = ("fast_scan", "slow_scan")
    return tuple(n if dim in image else 1 for dim, n in zip(constant.dims, shape, strict=True))


def _only(constant: Constant, shape: tuple[int, ...], axis: str) -> tuple[int, ...]:
    return tuple(n if dim == axis else 1 for dim, n in zip(constant.dims, shape, strict=True))


def _levels(constant: Constant, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The typical values along the axis that is neither of the image nor of the cells; one for all without it."""
    axis = next((d for d in constant.dims if d not in ("fast_scan", "slow_scan", "cell")), None)
    if axis is None:
        return np.full((1,) * len(shape), constant.levels[0], np.float32)
    wanted = _only(constant, shape, axis)
    return np.resize(np.array(constant.levels, np.float32), wanted)


def _key(seed: int, unit: str, calibration: str) -> list[int]:
    digest = hashlib.sha256(f"{seed} {unit} {calibration}".encode()).digest()
    return list(np.frombuffer(digest, np.uint32))
