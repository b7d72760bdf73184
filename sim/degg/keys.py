"""Keys of draws: what is drawn depends on (seed, serial number, purpose, request count) and on nothing else."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np

_BITS: Final = np.random.Philox(key=0)
_DRAWS: Final = np.random.Generator(_BITS)
_FRESH: Final = _BITS.state
"""Its state before the first draw; the key is put in."""


def key_of(*parts: str | int) -> int:
    """64 bits that belong to these parts, the same on every machine."""
    text = "\x1f".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def normals(count: int, *parts: str | int) -> list[float]:
    """The first standard normal deviates of the `generator` of these parts.

    One generator serves all: to make one costs as much as fifty draws. Not for several threads at once.
    """
    _FRESH["state"]["key"][0] = key_of(*parts)
    _BITS.state = _FRESH
    found: list[float] = _DRAWS.standard_normal(count).tolist()
    return found


def generator(*parts: str | int) -> np.random.Generator:
    """Random numbers that belong to these parts."""
    return np.random.Generator(np.random.Philox(key=key_of(*parts)))
