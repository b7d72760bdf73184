"""Compressed image data of the stream to arrays.

bslz4 is the layout of the HDF5 bitshuffle filter (32008): uint64 BE size, uint32 BE block size in bytes, then for each
block uint32 BE length and one raw LZ4 block; the last elements that fill no group of eight stand raw at the end.
lz4 of stream version 1 is one raw LZ4 block without a size.
"""

from __future__ import annotations

import os
import struct
from typing import Any, Final

# Set before bitshuffle loads OpenMP: its threads cost more than they give on single frames, and take other cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import bitshuffle
import lz4.block
import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.messages import Part
from pipeline.errors import StreamBroken

PREFIX: Final = struct.Struct(">QI")
LENGTH: Final = struct.Struct(">I")
MAX_BLOCK_BYTES: Final = 1 << 20


def decompress(blob: Part, encoding: str, shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Unpack one blob to an array of *shape* (height, width). Raises StreamBroken; never reads beyond the blob."""
    nbytes = shape[0] * shape[1] * dtype.itemsize
    if encoding == f"bs{dtype.itemsize * 8}-lz4<":
        return _bslz4(blob, shape, dtype)
    if encoding == "lz4<":
        raw = _lz4_block(blob, nbytes)
    elif encoding == "<":
        raw = bytes(blob)
    else:
        raise StreamBroken(
            f"encoding {encoding!r} of {dtype} is not known; known: bsN-lz4<, lz4<, < with N its bits"
        )
    if len(raw) != nbytes:
        raise StreamBroken(
            f"the data unpack to {len(raw)} bytes; {shape[1]} × {shape[0]} {dtype} are {nbytes}"
        )
    return np.frombuffer(raw, dtype.newbyteorder("<")).reshape(shape)


def _lz4_block(block: Part, nbytes: int) -> bytes:
    try:
        return bytes(lz4.block.decompress(block, uncompressed_size=nbytes))
    except lz4.block.LZ4BlockError:
        raise StreamBroken("an LZ4 block is damaged") from None


def _bslz4(blob: Part, shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    nbytes = shape[0] * shape[1] * dtype.itemsize
    if len(blob) < PREFIX.size:
        raise StreamBroken(f"the data are {len(blob)} bytes long; their prefix alone has {PREFIX.size}")
    total, block_bytes = PREFIX.unpack_from(blob)
    if total != nbytes:
        raise StreamBroken(
            f"the data tell a size of {total} bytes; {shape[1]} × {shape[0]} {dtype} are {nbytes}"
        )
    if block_bytes == 0 or block_bytes % (8 * dtype.itemsize) or block_bytes > MAX_BLOCK_BYTES:
        raise StreamBroken(
            f"the data tell a block size of {block_bytes} bytes; it should be whole groups of 8 pixels"
        )
    _check_blocks(blob, total, block_bytes, dtype.itemsize)
    packed = np.frombuffer(blob, np.uint8, offset=PREFIX.size)
    try:
        return np.asarray(bitshuffle.decompress_lz4(packed, shape, dtype, block_bytes // dtype.itemsize))
    except RuntimeError as error:
        raise StreamBroken(f"a bitshuffled block is damaged ({error})") from None


def _check_blocks(blob: Part, total: int, block_bytes: int, itemsize: int) -> None:
    """Walk the lengths of the blocks: bitshuffle itself does not look where the blob ends. Raises StreamBroken."""
    packed_bytes = total - total % (8 * itemsize)
    blocks = -(-packed_bytes // block_bytes)
    offset, end = PREFIX.size, len(blob) - (total - packed_bytes)
    for _ in range(blocks):
        if offset + LENGTH.size > end:
            raise StreamBroken("the data end before their last block")
        offset += LENGTH.size + LENGTH.unpack_from(blob, offset)[0]
    if offset != end:
        raise StreamBroken(f"the blocks of the data end at byte {offset}; the data end at {end}")
