"""One sequence of draws: SplitMix64 (Steele, Lea, Flood 2014), whose start belongs to one request; compiled."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any, Final, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_WITHOUT_COUNTS: Final[dict[str, Any]] = {"_nrt": False}
_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX_1: Final = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2: Final = np.uint64(0x94D049BB133111EB)
_S11, _S27, _S30, _S31 = (np.uint64(n) for n in (11, 27, 30, 31))
S16, S32 = np.uint64(16), np.uint64(32)
PER_32: Final = 2.0**-32
LOW16: Final = np.uint64(0xFFFF)


def compiled(function: Kernel) -> Kernel:
    """How kernels are compiled, without two things that cost them a fifth of their time and more.

    They do not count who holds an array, so they cannot make one; they do not look at each divisor, of which none is
    zero.
    """
    made: Kernel = njit(cache=True, nogil=True, error_model="numpy", **_WITHOUT_COUNTS)(function)
    return made


def normal_table() -> F32:
    """Standard normal deviates at the middle of 65 536 equal shares of probability, (65536,) f4, variance 1."""
    inverse = NormalDist().inv_cdf
    half = np.array([inverse((k + 0.5) / 65536) for k in range(32768)])
    table = np.concatenate([half, -half[::-1]])
    return np.asarray(table / table.std(), np.float32)


@compiled
def _mixed(z: Any) -> Any:
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    return z ^ (z >> _S31)


@compiled
def bits(rng: Any) -> Any:
    """The next 64 bits."""
    rng[0] += _GOLDEN
    return _mixed(rng[0])


@compiled
def bits_ahead(rng: Any, n: Any) -> Any:
    """What *n* more draws than the next one would give, without spending them: the sequence counts."""
    return _mixed(rng[0] + np.uint64(n + 1) * _GOLDEN)


@compiled
def spend(rng: Any, n: Any) -> None:
    """Pass over *n* draws."""
    rng[0] += np.uint64(n) * _GOLDEN


@compiled
def uniform(rng: Any) -> Any:
    """In (0, 1), never either end."""
    return (np.float64(bits(rng) >> _S11) + 0.5) * (1.0 / 9007199254740992.0)


@compiled
def normal_deviate(rng: Any, normal: Any) -> Any:
    """Of the table `normal`."""
    return np.float64(normal[bits(rng) & LOW16])
