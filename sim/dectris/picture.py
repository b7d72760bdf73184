"""The synthetic picture: powder rings and Bragg spots on a falling background, with gaps between tiles."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

CHIP: Final = (256, 256, 2, 2)
"""Tile height, tile width, gap rows, gap columns of small detectors: chips of 256 × 256 with a cross of 2 pixels."""
MODULE: Final = (512, 1028, 38, 12)
"""The same for detectors of several modules (EIGER2 2M and larger)."""

RINGS: Final = ((0.22, 3.0), (0.36, 2.0), (0.51, 4.0), (0.73, 1.5))
"""Radius as a part of half the shorter side, photons per pixel and frame on the ring."""
RING_WIDTH: Final = 0.012
SPOTS: Final = 40
SPOT_PHOTONS: Final = 60.0
BEAM_STOP: Final = 0.06
BACKGROUND: Final = 0.6


def gaps(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(height, width), true where no pixel is."""
    height, width, rows, columns = MODULE if shape[0] > 514 or shape[1] > 1030 else CHIP
    y = np.arange(shape[0]) % (height + rows) >= height
    x = np.arange(shape[1]) % (width + columns) >= width
    return np.asarray(y[:, None] | x[None, :])


def mean_photons(shape: tuple[int, int]) -> NDArray[np.float64]:
    """(height, width) mean photons of each pixel and frame."""
    half = min(shape) / 2
    y = (np.arange(shape[0]) - (shape[0] - 1) / 2)[:, None] / half
    x = (np.arange(shape[1]) - (shape[1] - 1) / 2)[None, :] / half
    radius = np.hypot(y, x)
    mean = BACKGROUND * np.exp(-1.5 * radius)
    for place, photons in RINGS:
        mean += photons * np.exp(-(((radius - place) / RING_WIDTH) ** 2) / 2)
    # The places of spots belong to the picture, not to the noise: they are the same in every run.
    random = np.random.Generator(np.random.PCG64(2026))
    width = max(1.0 / half, 0.004)
    for _ in range(SPOTS):
        spot_y, spot_x = random.uniform(-0.95, 0.95, 2)
        mean += (
            SPOT_PHOTONS * random.random() * np.exp(-((y - spot_y) ** 2 + (x - spot_x) ** 2) / (2 * width**2))
        )
    mean[radius < BEAM_STOP] = 0.02
    return np.asarray(mean)
