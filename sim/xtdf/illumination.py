"""What falls on the detector: expected photons of every pixel.

Positions are those of EXtra-geom's idealised geometries. x grows to the left looking along the beam, y upwards, in
pixels of the detector, beam at the origin.
"""

from __future__ import annotations

from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sim.xtdf.kernels import F32
from sim.xtdf.keys import generator

Illumination = Literal["dark", "flat", "rings", "spots", "dummy"]
"""dummy: no light at all, but the test picture of a DSSC (`dssc.dummy`)."""

SHAPES: Final = {"AGIPD1M": (512, 128), "AGIPD500K": (512, 128), "LPD1M": (256, 256), "DSSC1M": (128, 512)}
"""Slow and fast scan pixels of a module."""

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
"""At a peak's crest; about 2 % of the pixels of an AGIPD leave high gain."""
SPOT_WIDTH: Final = 2.2
SPOT_BACKGROUND: Final = 1.0
GRID: Final = 1.01
"""Expected photons are powers of this, so that few distinct Poisson distributions occur on a module."""


@cache
def _positions(detector: str) -> NDArray[np.float64]:
    """Pixel centres of all modules, (modules, slow, fast, 2) x and y in pixels."""
    import extra_geom

    geometry = {
        "AGIPD1M": extra_geom.AGIPD_1MGeometry.example,
        "AGIPD500K": extra_geom.AGIPD_500K2GGeometry.example,
        "LPD1M": extra_geom.LPD_1MGeometry.example,
        "DSSC1M": extra_geom.DSSC_1MGeometry.example,
    }[detector]()
    at = geometry.get_pixel_positions()[..., :2] / geometry.pixel_size
    # The half detector's origin is one of its corners; the beam is in its middle.
    return np.asarray(at - at.reshape(-1, 2).mean(axis=0) if detector == "AGIPD500K" else at)


def pixel_positions(detector: str, channel: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """x and y of the pixel centres of a module, each (slow, fast), in pixels from the beam."""
    at = _positions(detector)[channel]
    return at[..., 0], at[..., 1]


def expected_photons(pattern: Illumination, detector: str, channel: int, flat_photons: float) -> F32:
    """Mean photons of each pixel in one frame, (slow, fast) f4, the same in every frame.

    `rings` spans all three gain stages on every one of the 16 modules of an AGIPD.
    """
    shape = SHAPES[detector]
    if pattern in ("dark", "dummy"):
        return np.zeros(shape, np.float32)
    if pattern == "flat":
        return np.full(shape, flat_photons, np.float32)
    if pattern == "spots":
        return _on_grid(_spots(channel, shape))
    x, y = pixel_positions(detector, channel)
    radius = np.hypot(x, y)
    photons = BACKGROUND_PHOTONS + CENTRE_PHOTONS * np.exp(-radius / CENTRE_DECAY)
    for ring, crest in RINGS:
        photons += crest * np.exp(-0.5 * ((radius - ring) / RING_WIDTH) ** 2)
    # Scattered light is polarised in the plane of the ring: less of it along x than along y.
    photons *= 1.0 - 0.25 * (x / np.maximum(radius, 1.0)) ** 2
    return _on_grid(photons)


def _spots(channel: int, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Peaks at places that are the same in every bench, as those of a crystal at rest are."""
    rng = generator(0, "spots", channel)
    slow, fast = np.mgrid[: shape[0], : shape[1]]
    photons = np.full(shape, SPOT_BACKGROUND)
    for at_slow, at_fast in zip(
        rng.uniform(0, shape[0], SPOTS), rng.uniform(0, shape[1], SPOTS), strict=True
    ):
        distance = (slow - at_slow) ** 2 + (fast - at_fast) ** 2
        photons += SPOT_PHOTONS * np.exp(-0.5 * distance / SPOT_WIDTH**2)
    return photons


def _on_grid(photons: NDArray[np.float64]) -> F32:
    return np.asarray(GRID ** np.round(np.log(photons) / np.log(GRID)), np.float32)
