"""Writes PNG files (ISO/IEC 15948): 8 bits a channel, red green blue, no interlace."""

from __future__ import annotations

import struct
import zlib
from typing import Any, Final

import numpy as np

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
RGB: Final = 2
UP: Final = 2
"""Filter type: each byte is stored as its difference to the one above."""

EFFORT: Final = 3
"""Of zlib: the noise of a photograph hardly shrinks any further."""


def png(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """A picture from pixels of shape (height, width, 3)."""
    height, width, _ = pixels.shape
    rows = pixels.reshape(height, width * 3)
    stored = np.empty((height, 1 + width * 3), np.uint8)
    stored[:, 0] = UP
    stored[0, 1:] = rows[0]
    stored[1:, 1:] = rows[1:] - rows[:-1]
    head = struct.pack(">IIBBBBB", width, height, 8, RGB, 0, 0, 0)
    data = zlib.compress(stored.tobytes(), EFFORT)
    return SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
