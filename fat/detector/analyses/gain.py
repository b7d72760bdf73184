"""Gain of one module: what a photon is worth, and how the gain stages compare.

Photon transfer: photons come at random, so of a signal of gain g the variance over repeated frames is g times its mean,
beyond the variance of the dark. It needs neither a known intensity nor a single photon that stands out of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.detector.analyses.peaks import Peaks, find_peaks

LEAST_PIXELS: Final = 256
"""Good pixels below which nothing is said."""
BLIND: Final = 0.5
"""Part of the module's median signal below which a lit pixel sees too little."""
GLARING: Final = 1.5
"""The same above which it shows too much."""
BIN_PHOTONS: Final = 0.02
"""Bins of the histogram of single photons, as a part of what photon transfer says a photon is worth."""


@dataclass(frozen=True, slots=True)
class Flat:
    """A flat field in one forced gain stage: statistics over the trains, of each memory cell and pixel."""

    mean: NDArray[np.float32]
    """(cells, slow, fast) ADU above the pedestal of the dark."""
    variance: NDArray[np.float32]
    """(cells, slow, fast) ADU², n − 1."""
    dark_variance: NDArray[np.float32]
    """(cells, slow, fast) ADU² of the same stage without light."""
    good: NDArray[np.bool_]
    """(cells, slow, fast) pixels that the darks left."""

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Good pixels with numbers."""
        return np.asarray(self.good & np.isfinite(self.mean) & np.isfinite(self.variance))

    @property
    def signal(self) -> float:
        """Mean of the usable pixels, ADU; NaN when there are too few."""
        usable = self.usable
        return float(self.mean[usable].mean()) if np.count_nonzero(usable) >= LEAST_PIXELS else float("nan")


def photon_gain(flat: Flat) -> float:
    """What one photon is worth, ADU; NaN when there is no light, or too few pixels.

    Sums over the pixels are taken before the ratio: the variance of single pixels over a few trains says little.
    """
    usable = flat.usable
    signal = float(flat.mean[usable].sum(dtype=np.float64))
    if np.count_nonzero(usable) < LEAST_PIXELS or signal <= 0:
        return float("nan")
    beyond = (flat.variance - flat.dark_variance)[usable].sum(dtype=np.float64)
    return float(beyond / signal)


def gain_map(flat: Flat) -> NDArray[np.float32]:
    """Relative response of each pixel, (slow, fast): its mean over cells by the module's; NaN where no cell is good."""
    usable = flat.usable
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(usable, flat.mean, 0).sum(axis=0) / usable.sum(axis=0)
    return np.asarray(mean / flat.signal, np.float32)


def blind_pixels(mean: NDArray[Any]) -> tuple[int, int]:
    """Lit pixels that see too little, and that show too much, whatever the darks say of them.

    mean  (cells, slow, fast) ADU above the pedestal; a pixel counts when the median of its cells is out
    """
    of_pixel = np.median(mean, axis=0)
    finite = of_pixel[np.isfinite(of_pixel)]
    middle = float(np.median(finite)) if finite.size else 0.0
    if middle <= 0:
        return of_pixel.size, 0
    return int(np.count_nonzero(~(of_pixel >= BLIND * middle))), int(
        np.count_nonzero(of_pixel > GLARING * middle)
    )


def stage_ratio(upper: Flat, lower: Flat) -> float:
    """Gain of a stage over that of the next: the mean ratio of their signals in the same light; NaN without pixels."""
    both = upper.usable & lower.usable
    if np.count_nonzero(both) < LEAST_PIXELS:
        return float("nan")
    weaker = float(lower.mean[both].mean(dtype=np.float64))
    return float(upper.mean[both].mean(dtype=np.float64)) / weaker if weaker > 0 else float("nan")


def single_photons(values: NDArray[Any], gain_adu: float) -> Peaks | None:
    """The peaks of no, one and two photons in a weak flat field; None when they do not stand apart.

    values    ADU above the pedestal, of good pixels in high gain
    gain_adu  what a photon is worth, about: for instance by photon transfer
    """
    if not np.isfinite(gain_adu) or gain_adu <= 0 or values.size < LEAST_PIXELS:
        return None
    edges = np.arange(-0.8, 3.0, BIN_PHOTONS) * gain_adu
    counts, _ = np.histogram(values, edges)
    return find_peaks(edges, counts, gain_adu)
