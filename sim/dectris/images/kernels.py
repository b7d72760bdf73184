"""Photons, and what counters make of them: loops over all pixels of an image.

Each pixel's draws come from a hash of (key, pixel), so an image is the same however many threads make it and whatever
was made before. Hash: SplitMix64 (Steele, Lea, Flood 2014). Normal quantile: Acklam's rational approximation.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_EXACT: Final = 40.0
"""Up to this mean the Poisson distribution is inverted exactly; above it is a normal one with its skewness."""
_UNLIKELY: Final = 1e-8
_SMALL: Final = 0.03
"""Up to this, four terms of the exponential series are right to 4e-8; most pixels need no more."""
_ONE_BY_ONE: Final = 64
"""Up to so many photons each one draws whether it passes a threshold."""


@njit(nogil=True, cache=True, inline="always")
def _uniform(key: Any, counter: Any) -> Any:
    """In (0, 1), never either end."""
    x = key + counter * _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    x = x ^ (x >> np.uint64(31))
    return (np.float64(x >> np.uint64(11)) + 0.5) * (1.0 / 9007199254740992.0)


@njit(nogil=True, cache=True)
def _normal(u: Any) -> Any:
    """Quantile of the standard normal distribution; relative error below 2e-9."""
    if u < 0.02425 or u > 0.97575:
        q = math.sqrt(-2.0 * math.log(min(u, 1.0 - u)))
        x = (
            ((((-7.784894002430293e-03 * q - 3.223964580411365e-01) * q - 2.400758277161838) * q
              - 2.549732539343734) * q + 4.374664141464968) * q + 2.938163982698783
        ) / (
            (((7.784695709041462e-03 * q + 3.224671290700398e-01) * q + 2.445134137142996) * q
             + 3.754408661907416) * q + 1.0
        )  # fmt: skip
        return x if u < 0.5 else -x
    q = u - 0.5
    r = q * q
    return (
        (((((-3.969683028665376e01 * r + 2.209460984245205e02) * r - 2.759285104469687e02) * r
           + 1.383577518672690e02) * r - 3.066479806614716e01) * r + 2.506628277459239) * q
    ) / (
        ((((-5.447609879822406e01 * r + 1.615858368580409e02) * r - 1.556989798598866e02) * r
          + 6.680131188771972e01) * r - 1.328068155288572e01) * r + 1.0
    )  # fmt: skip


@njit(nogil=True, cache=True)
def photons(
    mean: NDArray[np.float32], none: NDArray[np.float32], key: Any, counts: NDArray[np.uint32]
) -> None:
    """Poisson draws. mean, none = exp(-mean), counts: (pixels,); key: uint64."""
    for pixel in range(mean.size):
        expected = np.float64(mean[pixel])
        if expected <= 0.0:
            counts[pixel] = 0
            continue
        u = _uniform(key, np.uint64(pixel))
        if expected <= _EXACT:
            k = 0
            term = np.float64(none[pixel])
            total = term
            # Rounding of `none` may leave the sum of all terms below u: there the tail's last likely count is taken.
            while u > total and (k < expected or term > _UNLIKELY):
                k += 1
                term *= expected / k
                total += term
            counts[pixel] = k
        else:
            z = _normal(u)
            counts[pixel] = max(
                0.0, min(4.0e9, math.floor(expected + math.sqrt(expected) * z + (z * z - 1.0) / 6.0 + 0.5))
            )


@njit(nogil=True, cache=True)
def passing(counts: NDArray[np.uint32], share: float, key: Any, out: NDArray[np.uint32]) -> None:
    """How many of each pixel's photons pass a higher threshold, each with probability *share*. (pixels,) both."""
    for pixel in range(counts.size):
        n = counts[pixel]
        passed = 0
        if n <= _ONE_BY_ONE:
            own = key + np.uint64(pixel) * _MIX_1
            for photon in range(n):
                if _uniform(own, np.uint64(photon + 1)) < share:
                    passed += 1
            out[pixel] = passed
        else:
            z = _normal(_uniform(key, np.uint64(pixel)))
            spread = math.sqrt(n * share * (1.0 - share))
            out[pixel] = max(0.0, min(np.float64(n), math.floor(n * share + spread * z + 0.5)))


@njit(nogil=True, cache=True)
def read_out(
    counts: NDArray[np.uint32],
    response: NDArray[np.float32],
    dead_share: float,
    limit: int,
    raw: NDArray[np.uint32],
) -> None:
    """What the counters hold: photons that the pixel responds to, less those lost in dead time, at most *limit*.

    response    (pixels,) counts for each photon
    dead_share  dead time / count time of a paralysable counter: n photons count n exp(-n dead_share), and no less
                beyond the maximum of that curve
    """
    bend = 1.0 / dead_share if dead_share > 0.0 else np.inf
    for pixel in range(counts.size):
        n = counts[pixel]
        if n == 0:
            raw[pixel] = 0
            continue
        seen = np.float64(n) * np.float64(response[pixel])
        if dead_share > 0.0:
            seen = np.float64(min(seen, bend))
            hidden = seen * dead_share
            if hidden < _SMALL:
                seen *= 1.0 - hidden * (1.0 - hidden * (0.5 - hidden / 6.0))
            else:
                seen = np.float64(seen * math.exp(-hidden))
        raw[pixel] = min(np.float64(limit), math.floor(seen + 0.5))


@njit(nogil=True, cache=True)
def corrected(
    raw: NDArray[np.uint32],
    table: NDArray[np.float32],
    flatfield: NDArray[np.float32],
    cutoff: int,
    limit: int,
    out: NDArray[np.uint32],
) -> None:
    """Counts as the unit corrects them.

    table      (2, m): counts at equal distances from 0, and what they stand for; m = 0: no countrate correction
    flatfield  (pixels,) factors, or of size 0: no flat-field correction
    cutoff     highest count that the countrate correction gives
    """
    steps = table.shape[1] - 1
    scale = steps / np.float64(table[0, steps]) if steps > 0 else 0.0
    for pixel in range(raw.size):
        value = np.float64(raw[pixel])
        if value == 0.0:
            out[pixel] = 0
            continue
        if steps > 0:
            place = value * scale
            step = min(int(place), steps - 1)
            part = place - step
            low, high = np.float64(table[1, step]), np.float64(table[1, step + 1])
            value = low + part * (high - low)
            if value > cutoff:
                value = np.float64(cutoff)
        if flatfield.size > 0:
            value *= np.float64(flatfield[pixel])
        out[pixel] = min(np.float64(limit), math.floor(value + 0.5))
