"""What falls on the detector: expected photons of every pixel.

Positions follow the idealised AGIPD 1M geometry of `extra_geom/detectors.py` (EXtra-geom),
`AGIPD_1MGeometry.example()`: quadrant corners, 2 pixels between ASICs, 29 between modules. x grows to the left looking
along the beam, y upwards, in pixels of 200 µm, beam at the origin.
"""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sim.xtdf.kernels import ASIC, F32, FAST, SLOW
from sim.xtdf.keys import generator

Illumination = Literal["dark", "flat", "rings", "spots"]

QUADRANT_CORNERS: Final = ((-525.0, 625.0), (-550.0, -10.0), (520.0, -160.0), (542.5, 475.0))
QUADRANT_DIRECTIONS: Final = ((1, -1), (1, -1), (-1, 1), (-1, 1))
ASIC_GAP: Final = 2
MODULE_PITCH: Final = FAST + 29

RINGS: Final = (
    (95.0, 5000.0),
    (170.0, 260.0),
    (245.0, 1500.0),
    (325.0, 120.0),
    (405.0, 700.0),
    (495.0, 45.0),
    (590.0, 3600.0),
    (680.0, 25.0),
)
"""Radius in pixels and photons at the crest of each ring; each is a Gaussian of 13 pixels (rms)."""
RING_WIDTH: Final = 13.0
CENTRE_PHOTONS: Final = 900.0
"""Small-angle scattering at the beam, falling by e every 70 pixels."""
CENTRE_DECAY: Final = 70.0
BACKGROUND_PHOTONS: Final = 0.3
SPOTS: Final = 13
"""Bragg peaks on each module."""
SPOT_PHOTONS: Final = 2000.0
"""At a peak's crest; about 2 % of the pixels leave high gain."""
SPOT_WIDTH: Final = 2.2
SPOT_BACKGROUND: Final = 1.0
GRID: Final = 1.01
"""Expected photons are powers of this, so that few distinct Poisson distributions occur on a module."""


def pixel_positions(channel: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x and y of the pixel centres of a module, each (512, 128) slow, fast, in pixels from the beam."""
    quadrant, row = divmod(channel, 4)
    corner_x, corner_y = QUADRANT_CORNERS[quadrant]
    along_x, along_y = QUADRANT_DIRECTIONS[quadrant]
    slow = np.arange(SLOW)
    x = corner_x + along_x * (slow + 0.5 + slow // ASIC * ASIC_GAP)
    y = corner_y - row * MODULE_PITCH + along_y * (np.arange(FAST) + 0.5)
    return np.broadcast_to(x[:, None], (SLOW, FAST)), np.broadcast_to(y, (SLOW, FAST))


def expected_photons(pattern: Illumination, channel: int, flat_photons: float) -> F32:
    """Mean photons of each pixel in one frame, (512, 128) f4, the same in every frame.

    `rings` spans all three gain stages on every one of the 16 modules.
    """
    if pattern == "dark":
        return np.zeros((SLOW, FAST), np.float32)
    if pattern == "flat":
        return np.full((SLOW, FAST), flat_photons, np.float32)
    if pattern == "spots":
        return _on_grid(_spots(channel))
    x, y = pixel_positions(channel)
    radius = np.hypot(x, y)
    photons = BACKGROUND_PHOTONS + CENTRE_PHOTONS * np.exp(-radius / CENTRE_DECAY)
    for ring, crest in RINGS:
        photons += crest * np.exp(-0.5 * ((radius - ring) / RING_WIDTH) ** 2)
    # Scattered light is polarised in the plane of the ring: less of it along x than along y.
    photons *= 1.0 - 0.25 * (x / np.maximum(radius, 1.0)) ** 2
    return _on_grid(photons)


def _spots(channel: int) -> NDArray[np.float64]:
    """Peaks at places that are the same in every bench, as those of a crystal at rest are."""
    rng = generator(0, "spots", channel)
    slow, fast = np.mgrid[:SLOW, :FAST]
    photons = np.full((SLOW, FAST), SPOT_BACKGROUND)
    for at_slow, at_fast in zip(rng.uniform(0, SLOW, SPOTS), rng.uniform(0, FAST, SPOTS), strict=True):
        distance = (slow - at_slow) ** 2 + (fast - at_fast) ** 2
        photons += SPOT_PHOTONS * np.exp(-0.5 * distance / SPOT_WIDTH**2)
    return photons


def _on_grid(photons: NDArray[np.float64]) -> F32:
    return np.asarray(GRID ** np.round(np.log(photons) / np.log(GRID)), np.float32)
