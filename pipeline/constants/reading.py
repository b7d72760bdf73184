"""Values of one dataset, straight into memory: what HDF5 would read with one thread, read without its lock.

Constants are hundreds of megabytes each. What lies in a file as it is used is read with `preadv` into the final array;
compressed masks are unpacked chunk by chunk without HDF5's chunk cache. Both leave Python's lock, so that two files are
read at the same time. Everything else goes through HDF5.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
import zlib
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES: Final = 1 << 20
"""One read, and one set of sums; small enough that what has just been read is still near when it is summed up."""
LANES: Final = 1024
_PACKINGS: Final = ([h5py.h5z.FILTER_DEFLATE], [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE])
_WORDS: Final = {size: np.dtype(f"u{size}") for size in (1, 2, 4, 8)}


class Torn(Exception):
    """The file ends before the data do, or a chunk cannot be unpacked."""


class LaneSums:
    """A checksum as fast as memory: for each MiB, the sums of 1024 interleaved 64-bit lanes, all hashed with SHA-256.

    Any changed byte, word or page changes a sum. It says whether data are as they were written, not who wrote them.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def add(self, block: NDArray[np.uint8]) -> None:
        """The next bytes: a whole MiB, or the last ones."""
        whole = len(block) // (8 * LANES) * (8 * LANES)
        words = block[:whole].view("<u8").reshape(-1, LANES)
        self._hash.update(np.add.reduce(words, axis=0, dtype="<u8").data)
        self._hash.update(block[whole:].data)

    def hexdigest(self) -> str:
        """The checksum as text."""
        return self._hash.hexdigest()


def checksum(data: NDArray[Any]) -> str:
    """`LaneSums` of the values in C order."""
    flat = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
    sums = LaneSums()
    for at in range(0, len(flat), BLOCK_BYTES):
        sums.add(flat[at : at + BLOCK_BYTES])
    return sums.hexdigest()


def read_values(stored: h5py.Dataset) -> tuple[NDArray[Any], str]:
    """All values as they are stored, and their checksum. Raises Torn, OSError."""
    if _lies_flat(stored):
        return _read_flat(stored)
    if _is_packed(stored) and (chunks := _chunks(stored)):
        data = _read_packed(stored, chunks)
    else:
        data = np.empty(stored.shape, stored.dtype)
        if data.size:
            stored.read_direct(data)
    return data, checksum(data)


def _plain(stored: h5py.Dataset) -> bool:
    return bool(
        stored.dtype.isnative
        and stored.size
        and stored.file.driver == "sec2"
        and stored.file.userblock_size == 0
        and stored.external is None
        and not stored.is_virtual
    )


def _lies_flat(stored: h5py.Dataset) -> bool:
    return _plain(stored) and stored.chunks is None and stored.id.get_offset() is not None


def _read_flat(stored: h5py.Dataset) -> tuple[NDArray[Any], str]:
    data = np.empty(stored.shape, stored.dtype)
    into = data.reshape(-1).view(np.uint8)
    # The descriptor is HDF5's own: a file that is replaced meanwhile is still the one whose header was read.
    descriptor, offset = stored.file.id.get_vfd_handle(), stored.id.get_offset()
    sums = LaneSums()
    for at in range(0, len(into), BLOCK_BYTES):
        block = into[at : at + BLOCK_BYTES]
        done = 0
        while done < len(block):
            count = os.preadv(descriptor, [block[done:].data], offset + at + done)
            if count == 0:
                raise Torn("the file ends before its data do")
            done += count
        sums.add(block)
    return data, sums.hexdigest()


def _is_packed(stored: h5py.Dataset) -> bool:
    if not _plain(stored) or stored.chunks is None or stored.dtype.itemsize not in _WORDS:
        return False
    creation = stored.id.get_create_plist()
    return [creation.get_filter(number)[0] for number in range(creation.get_nfilters())] in _PACKINGS


def _chunks(stored: h5py.Dataset) -> list[Any]:
    """Where each chunk lies; empty where one of them is packed in another way than the others."""
    found: list[Any] = []
    stored.id.chunk_iter(found.append)
    return found if not any(chunk.filter_mask for chunk in found) else []


def _read_packed(stored: h5py.Dataset, chunks: list[Any]) -> NDArray[Any]:
    most = math.prod(-(-axis // size) for axis, size in zip(stored.shape, stored.chunks, strict=True))
    whole = len(chunks) == most
    words = _WORDS[stored.dtype.itemsize]
    data = (
        np.empty(stored.shape, stored.dtype)
        if whole
        else np.full(stored.shape, stored.fillvalue, stored.dtype)
    )
    flat = data.view(words)
    descriptor, shuffled = stored.file.id.get_vfd_handle(), stored.shuffle
    room = np.empty(stored.chunks, words)
    for chunk in chunks:
        place = tuple(
            slice(at, at + size) for at, size in zip(chunk.chunk_offset, stored.chunks, strict=True)
        )
        target = flat[place]
        values = _inflate(os.pread(descriptor, chunk.size, chunk.byte_offset), room.nbytes)
        straight = target.shape == room.shape and target.flags.c_contiguous
        into = target if straight else room
        _unshuffle(values, into.reshape(-1)) if shuffled else np.copyto(into.reshape(-1), values.view(words))
        if not straight:
            target[...] = room[tuple(slice(0, size) for size in target.shape)]
    return data


def _inflate(raw: bytes, wanted: int) -> NDArray[np.uint8]:
    try:
        values = zlib.decompress(raw, bufsize=wanted)
    except zlib.error as error:
        raise Torn(f"a chunk cannot be unpacked: {error}") from None
    if len(values) != wanted:
        raise Torn(f"a chunk holds {len(values)} bytes instead of {wanted}")
    return np.frombuffer(values, np.uint8)


def _unshuffle(values: NDArray[np.uint8], into: NDArray[Any]) -> None:
    """From all first bytes of the words, then all second ones and so on, to words."""
    planes = values.reshape(into.itemsize, -1)
    if sys.byteorder == "big":
        planes = planes[::-1]
    into[...] = planes[0]
    for number, plane in enumerate(planes[1:], start=1):
        if plane.any():  # masks have few bits: most planes are empty
            into |= plane.astype(into.dtype) << into.dtype.type(8 * number)
