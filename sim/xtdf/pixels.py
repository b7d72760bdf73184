"""What the pixels of all simulated detectors have in common: kinds of bad ones, and spreads about a median."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from sim.xtdf.config import BadPixelFractions


class BadPixel(IntEnum):
    """Kinds of bad pixels, as the truth file numbers them."""

    GOOD = 0
    DEAD = 1
    NOISY = 2
    STUCK_GAIN = 3
    OFFSET_OUTLIER = 4


def draw_bad(
    rng: np.random.Generator, shares: BadPixelFractions, shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """`BadPixel` of each pixel, *shape* u1."""
    pixels = shape[0] * shape[1]
    counts = [
        round(share * pixels)
        for share in (shares.dead, shares.noisy, shares.stuck_gain, shares.offset_outlier)
    ]
    bad = np.zeros(pixels, np.uint8)
    chosen = rng.permutation(pixels)[: sum(counts)]
    bad[chosen] = np.repeat(np.arange(1, 5, dtype=np.uint8), counts)
    return bad.reshape(shape)


def around(
    rng: np.random.Generator, median: float, spread: float, shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Positive values about a median; *spread* is relative. Cut at four spreads, so none is an outlier by chance."""
    return median * (1 + spread * rng.standard_normal(shape).clip(-4, 4))
