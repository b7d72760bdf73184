"""Images to the bytes that streams and files carry, and back.

Source: SIMPLON API reference (encodings); HDF5 registered filters 32004 (lz4) and 32008 (bitshuffle). One framing
serves stream 1, stream 2 and HDF5 chunks alike for bslz4 and none. lz4 is framed as in HDF5 and stream 2, in one block
of the whole image; stream 1 sends that block without the frame (`stream1_part`).
"""

from __future__ import annotations

import os
import struct
from typing import Any, Final, TypeAlias

# Set before bitshuffle loads OpenMP: its threads cost more than they give on single small frames.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import bitshuffle
import lz4.block
import numpy as np
from numpy.typing import NDArray

from sim.errors import SimError

Bytes: TypeAlias = bytes | memoryview

BLOCK_BYTES: Final = 8192
"""Bytes of a bitshuffle block; receivers assume this default."""
LZ4_FRAME_BYTES: Final = 16
"""What stands before the one lz4 block of an image: total size, block size, length of the block."""
_PREFIX: Final = struct.Struct(">QI")
_LENGTH: Final = struct.Struct(">I")


class ChunkUnreadable(SimError):
    """Encoded bytes do not hold what they should: leave the image out or refuse the recording."""


def encode(image: NDArray[Any], compression: str) -> bytes:
    """Compress one image (height, width), dtype uint8, uint16 or uint32, by `bslz4`, `lz4` or `none`."""
    image = np.ascontiguousarray(image)
    if compression == "bslz4":
        packed = bitshuffle.compress_lz4(image.reshape(-1), BLOCK_BYTES // image.itemsize)
        return _PREFIX.pack(image.nbytes, BLOCK_BYTES) + bytes(packed)
    if compression == "lz4":
        block = _lz4_block(image.tobytes())
        return _PREFIX.pack(image.nbytes, image.nbytes) + _LENGTH.pack(len(block)) + block
    return image.tobytes()


def encoding(dtype: np.dtype[Any], compression: str) -> str:
    """Stream 1's name of an encoding."""
    return {"bslz4": f"bs{dtype.itemsize * 8}-lz4<", "lz4": "lz4<", "none": "<"}[compression]


def stream1_part(blob: Bytes, compression: str) -> Bytes:
    """What stream 1 sends of an encoded image; no copy of a memoryview."""
    return blob[LZ4_FRAME_BYTES:] if compression == "lz4" else blob


def decode(blob: Bytes, compression: str, shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """The image (height, width) of encoded bytes or of an HDF5 chunk. Raises ChunkUnreadable; trusts no byte."""
    size = shape[0] * shape[1] * dtype.itemsize
    if compression == "bslz4":
        return _bslz4(blob, shape, dtype)
    raw = _joined(blob, size) if compression == "lz4" else bytes(blob)
    if len(raw) != size:
        raise ChunkUnreadable(f"{len(raw)} bytes are no image of {shape[0]} x {shape[1]} {dtype}")
    return np.frombuffer(raw, dtype).reshape(shape)


def lz4_as_one_block(chunk: Bytes, size: int) -> bytes:
    """A chunk of filter 32004 as `encode` would make it: one block, compressed. Raises ChunkUnreadable."""
    blocks = _lz4_blocks(chunk, size)
    if len(blocks) == 1 and not blocks[0][2] and chunk[8:12] == _LENGTH.pack(size):
        return bytes(chunk)
    block = _lz4_block(_joined(chunk, size))
    return _PREFIX.pack(size, size) + _LENGTH.pack(len(block)) + block


def lz4_from_stream1(block: Bytes, size: int) -> bytes:
    """The frame that stream 1 leaves away, put before its block. Nothing is checked."""
    return _PREFIX.pack(size, size) + _LENGTH.pack(len(block)) + bytes(block)


def bslz4_with_prefix(blob: Bytes, size: int) -> bytes:
    """The blob with a true prefix where it has none that can be true.

    Recordings of simulated streams have 12 zero bytes there (LiberTEM-live's mock), which strict readers take for an
    image of no size.
    """
    if len(blob) < _PREFIX.size:
        raise ChunkUnreadable("a bslz4 image is shorter than its prefix")
    total, block_bytes = _PREFIX.unpack_from(blob)
    if total == size and block_bytes != 0:
        return bytes(blob)
    return _PREFIX.pack(size, BLOCK_BYTES) + bytes(blob[_PREFIX.size :])


def _lz4_block(raw: bytes) -> bytes:
    """One compressed LZ4 block that is not as long as what it holds: readers take such a one for a stored block."""
    block = bytes(lz4.block.compress(raw, store_size=False))
    if len(block) != len(raw):
        return block
    # A block of literals alone: always longer than the data.
    rest = len(raw) - 15
    head = (
        bytes([0xF0]) + b"\xff" * (rest // 255) + bytes([rest % 255]) if rest >= 0 else bytes([len(raw) << 4])
    )
    return head + raw


def _lz4_blocks(chunk: Bytes, size: int) -> list[tuple[Bytes, int, bool]]:
    """Blocks of a chunk of filter 32004 that holds *size* bytes: (bytes, uncompressed size, stored raw)."""
    if len(chunk) < _PREFIX.size:
        raise ChunkUnreadable("an lz4 image is shorter than its prefix")
    total, block_bytes = _PREFIX.unpack_from(chunk)
    if total != size:
        raise ChunkUnreadable(f"an lz4 image tells {total} bytes where {size} belong")
    view, offset = memoryview(chunk), _PREFIX.size
    blocks: list[tuple[Bytes, int, bool]] = []
    while total > 0:
        raw_size = min(total, block_bytes)
        if raw_size == 0 or offset + _LENGTH.size > len(view):
            raise ChunkUnreadable("an lz4 image ends before its blocks do")
        (length,) = _LENGTH.unpack_from(view, offset)
        offset += _LENGTH.size
        if offset + length > len(view):
            raise ChunkUnreadable("an lz4 image ends inside a block")
        blocks.append((view[offset : offset + length], raw_size, length == raw_size))
        offset, total = offset + length, total - raw_size
    return blocks


def _joined(chunk: Bytes, size: int) -> bytes:
    try:
        return b"".join(
            data if raw else lz4.block.decompress(data, uncompressed_size=raw_size)
            for data, raw_size, raw in _lz4_blocks(chunk, size)
        )
    except (lz4.block.LZ4BlockError, ValueError) as error:
        raise ChunkUnreadable(f"an lz4 block cannot be unpacked: {error}") from error


def _bslz4(blob: Bytes, shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    size = shape[0] * shape[1] * dtype.itemsize
    if len(blob) < _PREFIX.size:
        raise ChunkUnreadable("a bslz4 image is shorter than its prefix")
    total, block_bytes = _PREFIX.unpack_from(blob)
    group = 8 * dtype.itemsize
    if total != size:
        raise ChunkUnreadable(f"a bslz4 image tells {total} bytes where {size} belong")
    if not 0 < block_bytes <= 1 << 20 or block_bytes % group:
        raise ChunkUnreadable(f"a bslz4 image tells blocks of {block_bytes} bytes")
    _check_bslz4_blocks(memoryview(blob), size, block_bytes, group)
    packed = np.frombuffer(blob, np.uint8, offset=_PREFIX.size)
    try:
        return np.asarray(bitshuffle.decompress_lz4(packed, shape, dtype, block_bytes // dtype.itemsize))
    # bitshuffle raises a bare Exception with its own error number.
    except Exception as error:
        raise ChunkUnreadable(f"a bslz4 image cannot be unpacked: {error}") from error


def _check_bslz4_blocks(blob: memoryview, size: int, block_bytes: int, group: int) -> None:
    """Every block ends inside the blob; the library itself does not look where its input ends."""
    whole, last = divmod(size, block_bytes)
    tail = last % group
    offset = _PREFIX.size
    for _ in range(whole + (last >= group)):
        if offset + _LENGTH.size > len(blob):
            raise ChunkUnreadable("a bslz4 image ends before its blocks do")
        offset += _LENGTH.size + int.from_bytes(blob[offset : offset + _LENGTH.size])
    if offset + tail > len(blob):
        raise ChunkUnreadable("a bslz4 image ends inside a block")
    if offset + tail < len(blob):
        raise ChunkUnreadable("a bslz4 image has bytes after its end")
