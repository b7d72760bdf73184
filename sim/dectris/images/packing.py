"""Encoded images into one pool, with what the streams say of each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import numpy as np

from sim.dectris.images.encode import stream1_part
from sim.dectris.images.frames import Channel

RING_BYTES: Final = 1 << 30
"""At most so much memory for the images of one series."""


def channel_of(name: str, blobs: Sequence[bytes], sums: Sequence[int], compression: str) -> Channel:
    """A channel from its encoded images and the sum over the pixels of each."""
    lengths = np.array([len(blob) for blob in blobs], np.int64)
    pool = np.frombuffer(b"".join(blobs), np.uint8)
    md5 = tuple(
        hashlib.md5(stream1_part(memoryview(blob), compression), usedforsecurity=False).hexdigest()
        for blob in blobs
    )
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)[:-1]])
    return Channel(name, pool, offsets, lengths, md5, np.array(sums, np.uint64))
