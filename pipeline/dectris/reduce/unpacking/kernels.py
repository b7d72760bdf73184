"""Packed images to bytes, no lock held, nothing believed: every length is held against the end of its blob.

Layouts: SIMPLON API reference 1.8 and the HDF5 filters 32008 (bitshuffle) and 32004 (lz4): uint64 BE size, uint32 BE
block size in bytes, per block uint32 BE length and a raw LZ4 block.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

import bitshuffle.ext
import llvmlite.binding
import numpy as np
from numba import njit, types
from numpy.typing import NDArray

GOOD: Final = 0
DAMAGED: Final = 1
"""A block does not unpack to its size."""
CUT: Final = 2
"""The blob ends before its blocks, or after them."""
OTHER_SIZE: Final = 3
"""The blob tells another size than the image has."""
OTHER_BLOCKS: Final = 4
"""The blob has another block size than the frames it was given with: decode it by itself."""

PREFIX: Final = 12

# A symbol instead of an address keeps the compiled code cacheable on disk: it is looked up when the code is loaded.
_LZ4: Final = "stellwerk_lz4_decompress_safe"
_library = ctypes.CDLL(bitshuffle.ext.__file__)
llvmlite.binding.add_symbol(_LZ4, ctypes.cast(_library.LZ4_decompress_safe, ctypes.c_void_p).value)
_lz4: Any = types.ExternalFunction(_LZ4, types.int32(types.voidptr, types.voidptr, types.int32, types.int32))

# Eight bits of a byte to eight bytes of 0 or 1.
SPREAD: Final[NDArray[np.uint64]] = np.array(
    [sum(((byte >> bit) & 1) << (8 * bit) for bit in range(8)) for byte in range(256)], np.uint64
)


@njit(nogil=True, cache=True)
def be32(data: Any, at: Any) -> Any:
    """The big-endian number at *at*."""
    return (
        (np.int64(data[at]) << 24)
        | (np.int64(data[at + 1]) << 16)
        | (np.int64(data[at + 2]) << 8)
        | np.int64(data[at + 3])
    )


@njit(nogil=True, cache=True)
def unpack(data: Any, at: Any, length: Any, out: Any, out_at: Any, size: Any) -> Any:
    """One raw LZ4 block of exactly *size* bytes; False when it is none."""
    if length < 1 or length > 0x7FFFFFFF or size > 0x7FFFFFFF:
        return False
    return _lz4(data.ctypes.data + at, out.ctypes.data + out_at, np.int32(length), np.int32(size)) == size


@njit(nogil=True, cache=True)
def next_block(data: Any, at: Any, end: Any, planes: Any, size: Any) -> Any:
    """Unpack the block at *at*; the position after it, or minus the reason."""
    if at + 4 > end:
        return -CUT
    length = be32(data, at)
    if length > end - at - 4:
        return -CUT
    if not unpack(data, at + 4, length, planes, 0, size):
        return -DAMAGED
    return at + 4 + length


@njit(nogil=True, cache=True)
def check_prefixes(
    data: Any, offsets: Any, lengths: Any, image_bytes: Any, block_bytes: Any, status: Any
) -> None:
    """Set *status* of every frame from the 12 bytes before its blocks."""
    for f in range(offsets.size):
        status[f] = GOOD
        at = offsets[f]
        if lengths[f] < PREFIX:
            status[f] = CUT
        elif be32(data, at) != 0 or be32(data, at + 4) != image_bytes:
            status[f] = OTHER_SIZE
        elif be32(data, at + 8) != block_bytes:
            status[f] = OTHER_BLOCKS


@njit(nogil=True, cache=True)
def whole_image(data: Any, at: Any, length: Any, coding: Any, image: Any) -> Any:
    """Unpack one image that is not bit-shuffled; the status."""
    size = image.size
    if coding == 0:
        if length != size:
            return OTHER_SIZE
        for i in range(size):
            image[i] = data[at + i]
        return GOOD
    if coding == 1:
        return GOOD if unpack(data, at, length, image, 0, size) else DAMAGED
    if length < PREFIX:
        return CUT
    if be32(data, at) != 0 or be32(data, at + 4) != size:
        return OTHER_SIZE
    block, end, done = be32(data, at + 8), at + length, 0
    if block == 0:
        return OTHER_SIZE
    at += PREFIX
    while done < size:
        want = min(block, size - done)
        if at + 4 > end:
            return CUT
        packed = be32(data, at)
        at += 4
        if packed > end - at:
            return CUT
        if packed == want:
            for i in range(want):
                image[done + i] = data[at + i]
        elif not unpack(data, at, packed, image, done, want):
            return DAMAGED
        at += packed
        done += want
    return GOOD if at == end else CUT
