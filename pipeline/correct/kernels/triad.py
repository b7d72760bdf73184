"""What this machine's memory gives to one core: the triad of the STREAM benchmark (J. D. McCalpin)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from pipeline.model import F32

BYTES_PER_ELEMENT: Final = 12
"""Two float32 read and one written; what a cache reads before it writes is not counted, as in STREAM."""


@njit(nogil=True, cache=True)
def triad(out: F32, a: F32, b: F32, factor: np.float32) -> None:
    """out = a + factor × b, arrays of one length, far larger than the caches."""
    for i in range(out.size):
        out[i] = a[i] + factor * b[i]
