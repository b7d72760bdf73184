"""How charges of single photoelectrons are spread: the peak, pairs, and the under-amplified pulses below."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

TAIL_SHARE: Final = 0.14
"""Under-amplified pulses for each of the peak's."""
TAIL_SCALE: Final = 0.22
"""Their mean charge, peaks. What it is matters little: 0.15 and 0.30 move the peak by less than 0.5 %."""
ROOT_2: Final = math.sqrt(2.0)
ROOT_2PI: Final = math.sqrt(2.0 * math.pi)


def expected(
    q: NDArray[np.float64], at: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts of bins about *q* and their derivatives by area, peak, width (of the peak), pairs, and those of the tail.

    at  (4), or (6) with share and scale of the tail
    A monitoring scan calls this ten thousand times: each array is made once, in place where that can be.
    """
    area, peak, width, pairs, *of_tail = at.tolist()
    share, scale = of_tail or (TAIL_SHARE, TAIL_SCALE)
    x = q / peak
    u, v = (x - 1.0) / width, (x - 2.0) / (ROOT_2 * width)
    uu, vv = u * u, v * v
    height = 1.0 / (ROOT_2PI * width * peak)
    one, two = np.exp(-0.5 * uu), np.exp(-0.5 * vv)
    one *= height
    two *= height / ROOT_2
    tail = np.exp(x / -scale)
    tail *= share / (scale * peak)
    paired = pairs * two
    shape = one + paired
    shape += tail
    uu -= 1.0
    vv -= 1.0
    uu *= one
    vv *= paired
    uu += vv
    # sigma follows the peak, so a Gaussian's slope by the peak is that of its place and of its width.
    u *= one
    v *= paired
    v *= ROOT_2
    u += v
    u /= width
    u += uu
    slopes = np.empty((at.size, q.size))
    if of_tail:
        np.multiply(tail, area / max(share, 1e-9), out=slopes[4])
        np.multiply(tail, area / scale * (x / scale - 1.0), out=slopes[5])
    tail *= x / scale - 1.0
    u += tail
    slopes[0] = shape
    np.multiply(u, area / peak, out=slopes[1])
    np.multiply(uu, area / width, out=slopes[2])
    np.multiply(two, area, out=slopes[3])
    return area * shape, slopes
