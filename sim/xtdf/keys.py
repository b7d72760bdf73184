"""Random draws are keyed by what they belong to, never by what was drawn before."""

from __future__ import annotations

import hashlib

import numpy as np


def key64(seed: int, *names: str | int) -> int:
    """A 64-bit key of a seed and names, e.g. `key64(seed, serial, "train", train_id)`."""
    text = "/".join([str(seed), *(str(name) for name in names)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """A numpy generator of its own for a seed and names."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(key64(seed, *names))))
