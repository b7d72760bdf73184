"""One sequence of draws: SplitMix64 (Steele, Lea, Flood 2014), whose start belongs to one request; compiled."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_S11, _S27, _S30, _S31 = (np.uint64(n) for n in (11, 27, 30, 31))
S16, S32 = np.uint64(16), np.uint64(32)
PER_32: Final = 2.0**-32
LOW16: Final = np.uint64(0xFFFF)


def normal_table() -> F32:
    """Standard normal deviates at the middle of 65 536 equal shares of probability, (65536,) f4, variance 1."""
    inverse = NormalDist().inv_cdf
    half = np.array([inverse((k + 0.5) / 65536) for k in range(32768)])
    table = np.concatenate([half, -half[::-1]])
    return np.asarray(table / table.std(), np.float32)


@njit(inline="always")
def bits(rng: Any) -> Any:
    """The next 64 bits."""
    rng[0] += _GOLDEN
    z = rng[0]
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@njit(inline="always")
def uniform(rng: Any) -> Any:
    """In (0, 1), never either end."""
    return (np.float64(bits(rng) >> _S11) + 0.5) * (1.0 / 9007199254740992.0)


@njit(inline="always")
def normal_deviate(rng: Any, normal: Any) -> Any:
    """Of the table `normal`."""
    return np.float64(normal[bits(rng) & LOW16])
