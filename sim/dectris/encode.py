"""Compression of frames, and conversion of HDF5 chunks to what the stream carries.

Source: SIMPLON API reference (encodings); HDF5 registered filters 32004 (lz4) and 32008 (bitshuffle). The layout of
bslz4 is the same in an HDF5 chunk and in the stream; that of lz4 is not: the stream has one raw LZ4 block.
"""

from __future__ import annotations

import hashlib
import os
import struct
from typing import Any, Final

# Set before bitshuffle loads OpenMP: its threads cost more than they give on single small frames.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import bitshuffle
import lz4.block
import numpy as np
from numpy.typing import NDArray

from sim.dectris.messages import EncodedFrame
from sim.errors import SimError

BLOCK_BYTES: Final = 8192
"""Bytes of a bitshuffle block; receivers assume this default."""
_PREFIX: Final = struct.Struct(">QI")
_LENGTH: Final = struct.Struct(">I")


class ChunkUnreadable(SimError):
    """An HDF5 chunk does not hold what its filter says."""


def encode(image: NDArray[Any], compression: str) -> bytes:
    """Compress one image (height, width), dtype uint8, uint16 or uint32, by `bslz4`, `lz4` or `none`."""
    image = np.ascontiguousarray(image)
    if compression == "bslz4":
        packed = bitshuffle.compress_lz4(image.reshape(-1), BLOCK_BYTES // image.itemsize)
        return _PREFIX.pack(image.nbytes, BLOCK_BYTES) + bytes(packed)
    if compression == "lz4":
        return bytes(lz4.block.compress(image.tobytes(), store_size=False))
    return image.tobytes()


def encoding(dtype: np.dtype[Any], compression: str) -> str:
    """The stream's name of an encoding."""
    return {"bslz4": f"bs{dtype.itemsize * 8}-lz4<", "lz4": "lz4<", "none": "<"}[compression]


def encoded_frame(
    blob: bytes, width: int, height: int, dtype: np.dtype[Any], compression: str
) -> EncodedFrame:
    """A frame with the hash that the image message carries."""
    md5 = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return EncodedFrame(blob, md5, width, height, str(dtype), encoding(dtype, compression))


def hdf5_lz4_blocks(chunk: bytes) -> list[tuple[bytes, int, bool]]:
    """Blocks of a chunk of filter 32004: (bytes, uncompressed size, stored raw). Raises ChunkUnreadable."""
    if len(chunk) < _PREFIX.size:
        raise ChunkUnreadable("an lz4 chunk is shorter than its prefix")
    total, block_bytes = _PREFIX.unpack_from(chunk)
    offset, blocks = _PREFIX.size, []
    while total > 0:
        size = min(total, block_bytes)
        if size == 0 or offset + _LENGTH.size > len(chunk):
            raise ChunkUnreadable("an lz4 chunk ends before its blocks do")
        (length,) = _LENGTH.unpack_from(chunk, offset)
        offset += _LENGTH.size
        if offset + length > len(chunk):
            raise ChunkUnreadable("an lz4 chunk ends inside a block")
        blocks.append((chunk[offset : offset + length], size, length == size))
        offset, total = offset + length, total - size
    return blocks


def hdf5_lz4_to_stream(chunk: bytes) -> bytes:
    """One raw LZ4 block from a chunk of filter 32004. Raises ChunkUnreadable.

    A chunk of one compressed block is that block already; others are packed anew.
    """
    blocks = hdf5_lz4_blocks(chunk)
    if len(blocks) == 1 and not blocks[0][2]:
        return blocks[0][0]
    return bytes(lz4.block.compress(_joined(blocks), store_size=False))


def decode_chunk(
    chunk: bytes, compression: str, shape: tuple[int, int], dtype: np.dtype[Any]
) -> NDArray[Any]:
    """The image (height, width) of an HDF5 chunk. Raises ChunkUnreadable."""
    if compression == "bslz4":
        packed = np.frombuffer(chunk, np.uint8, offset=_PREFIX.size)
        _, block_bytes = _PREFIX.unpack_from(chunk)
        return np.asarray(bitshuffle.decompress_lz4(packed, shape, dtype, block_bytes // dtype.itemsize))
    raw = _joined(hdf5_lz4_blocks(chunk)) if compression == "lz4" else chunk
    if len(raw) != shape[0] * shape[1] * dtype.itemsize:
        raise ChunkUnreadable(f"a chunk holds {len(raw)} bytes; an image of {shape} {dtype} has another size")
    return np.frombuffer(raw, dtype).reshape(shape)


def _joined(blocks: list[tuple[bytes, int, bool]]) -> bytes:
    try:
        return b"".join(
            data if raw else lz4.block.decompress(data, uncompressed_size=size) for data, size, raw in blocks
        )
    except lz4.block.LZ4BlockError as error:
        raise ChunkUnreadable(f"an lz4 block cannot be unpacked: {error}") from error
