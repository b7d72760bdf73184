"""Keys of draws: what is drawn depends on (seed, serial number, purpose, request count) and on nothing else."""

from __future__ import annotations

import hashlib

import numpy as np


def key_of(*parts: str | int) -> int:
    """64 bits that belong to these parts, the same on every machine."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def generator(*parts: str | int) -> np.random.Generator:
    """Random numbers that belong to these parts."""
    return np.random.Generator(np.random.Philox(key=key_of(*parts)))
