"""What the kernels need to draw photons quickly: tables of the Poisson distributions that occur on a module."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.xtdf.kernels import F32

EXACT_BELOW: Final = 12.0
"""Means below this are drawn from their exact distribution; above, by the Cornish-Fisher expansion to the skewness."""
MOST: Final = 63
"""Photons beyond this do not occur with a mean below 12: the probability is under 1e-24."""
GUIDE: Final = 512
"""Equal shares of probability for which the smallest possible number of photons is tabulated."""


class Light(NamedTuple):
    """Photon statistics of the pixels of one module."""

    mean: F32
    """(pixels,) expected photons."""
    root: F32
    """(pixels,) square root of the mean."""
    row: NDArray[np.int32]
    """(pixels,) row of the tables, or −1 where the mean is not below EXACT_BELOW."""
    below: F32
    """(rows, MOST + 1) probability of at most so many photons; the last entry is 2."""
    guide: NDArray[np.uint8]
    """(rows, GUIDE) fewest photons in each share of probability, where a search begins."""


def tabulate(mean: F32) -> Light:
    """The tables for a map of expected photons, any shape, f4. Their size grows with the number of distinct means."""
    flat = np.ascontiguousarray(mean, np.float32).reshape(-1)
    exact = flat < EXACT_BELOW
    means, rows = np.unique(flat[exact], return_inverse=True)
    row = np.full(flat.size, -1, np.int32)
    row[exact] = rows
    below = _at_most(means.astype(np.float64))
    shares = np.arange(GUIDE) / GUIDE
    guide = np.array([np.searchsorted(line, shares) for line in below], np.uint8).reshape(-1, GUIDE)
    return Light(flat, np.sqrt(flat), row, below.astype(np.float32), guide)


def _at_most(means: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative Poisson probabilities, (means, MOST + 1); the last entry is 2, so that every search ends."""
    steps = means[:, None] / np.maximum(np.arange(MOST + 1), 1)
    steps[:, 0] = np.exp(-means)
    below = np.cumsum(np.cumprod(steps, axis=1), axis=1)
    below[:, -1] = 2
    return below
