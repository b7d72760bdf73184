"""The dataset of images in a data file: chunks go in as they lie in the ring.

Layout as in files of real detectors: one chunk for each image, unlimited in the first axis, filter 32008 (bitshuffle,
LZ4) or 32004 (LZ4), which every HDF5 since 1.8 reads with the filter plugins. The format of 2024 has a second axis of
channels.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

import h5py
import hdf5plugin  # noqa: F401 - registers the filters, without which HDF5 makes no such dataset
import numpy as np
from h5py._objects import phil
from numpy.typing import NDArray

from sim.dectris.filewriter.kernels import H5D_WRITE_CHUNK, write_chunks
from sim.dectris.filewriter.nexus import put_lost
from sim.dectris.images.frames import Channel, Ring

_BITSHUFFLE: Final = 32008
_BITSHUFFLE_LZ4: Final = (0, 2)
"""Default block size; LZ4 after it. The filter itself puts its version and the element size before these."""
_LZ4: Final = 32004
"""Without values: the block size stands in each chunk."""
_CORRUPT_BYTES: Final = 16


class ImageDataset:
    """Images of a series from *first* on, appended in their order."""

    def __init__(
        self, group: h5py.Group, name: str, ring: Ring, *, rows: int, stacked: bool, compressed: bool
    ) -> None:
        """Create the dataset. *rows*: the most images it will take; *stacked*: all channels, else the first alone."""
        layout = ring.layout
        self._ring = ring
        self._channels: tuple[Channel, ...] = ring.channels if stacked else ring.channels[:1]
        self._rank = 4 if stacked else 3
        self._as_it_lies = compressed or layout.compression == "none"
        self.rows = self.lost = 0
        plane = (layout.height, layout.width)
        middle = (len(self._channels),) if stacked else ()
        self._dataset = group.create_dataset(
            name,
            shape=(rows, *middle, *plane),
            maxshape=(None, *middle, *plane),
            chunks=(1,) * (self._rank - 2) + plane,
            dtype=layout.dtype,
            dcpl=_created(layout.compression if compressed else "none"),
        )

    def bytes_of(self, first: int, count: int) -> NDArray[np.int64]:
        """(count,) bytes that each of the images from number *first* on takes in the file."""
        layout = self._ring.layout
        if not self._as_it_lies:
            size = layout.width * layout.height * layout.dtype.itemsize * len(self._channels)
            return np.full(count, size, np.int64)
        index = (first + np.arange(count)) % self._ring.distinct
        sizes = np.zeros(count, np.int64)
        for channel in self._channels:
            sizes += channel.lengths[index]
        return sizes

    def append(self, first: int, count: int, corrupt: AbstractSet[int]) -> None:
        """Write images; those in *corrupt* with 16 bytes inverted. Raises OSError."""
        if corrupt or not self._as_it_lies:
            for number in range(first, first + count):
                self._append_one(number, number in corrupt)
            return
        for place, channel in enumerate(self._channels):
            self._append_from_pool(channel, place, first, count)
        self.rows += count

    def skip(self, count: int) -> None:
        """Leave rows without a chunk: they read as zeros."""
        self.rows += count
        self.lost += count

    def finish(self, image_nr_low: int) -> None:
        """Cut to the images taken, number them, and say how many of them were not written."""
        self._dataset.resize(self.rows, axis=0)
        self._dataset.attrs["image_nr_low"] = np.uint64(image_nr_low)
        self._dataset.attrs["image_nr_high"] = np.uint64(image_nr_low + max(self.rows, 1) - 1)
        put_lost(self._dataset, self.lost)

    def _append_from_pool(self, channel: Channel, place: int, first: int, count: int) -> None:
        with phil:
            written = write_chunks(
                H5D_WRITE_CHUNK,
                self._dataset.id.id,
                channel.pool.ctypes.data,
                channel.offsets,
                channel.lengths,
                first,
                self.rows,
                count,
                place,
            )
        if written < count:
            # Once more through h5py, whose exception knows why.
            self._write(self.rows + written, place, channel.blob(first + written))
            raise OSError(f"HDF5 refused the chunk of image {first + written}")

    def _append_one(self, number: int, corrupt: bool) -> None:
        for place, channel in enumerate(self._channels):
            blob: bytes | memoryview = (
                channel.blob(number) if self._as_it_lies else self._ring.image(place, number).tobytes()
            )
            self._write(self.rows, place, inverted(blob) if corrupt else blob)
        self.rows += 1

    def _write(self, row: int, place: int, blob: bytes | memoryview) -> None:
        offset = (row, place, 0, 0) if self._rank == 4 else (row, 0, 0)
        self._dataset.id.write_direct_chunk(offset, blob)


def _created(compression: str) -> h5py.h5p.PropDCID:
    """How the dataset is made: with a filter that a reader must have, as in files of real units.

    Without it a reader gets an error; h5py's own arguments would mark the filter as one that may be left out.
    """
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    if compression == "bslz4":
        plist.set_filter(_BITSHUFFLE, 0, _BITSHUFFLE_LZ4)
    elif compression == "lz4":
        plist.set_filter(_LZ4, 0)
    return plist


def inverted(blob: bytes | memoryview) -> bytes:
    """A copy with 16 bytes in the middle inverted."""
    damaged = bytearray(blob)
    middle = len(damaged) // 2
    for place in range(middle, min(middle + _CORRUPT_BYTES, len(damaged))):
        damaged[place] ^= 0xFF
    return bytes(damaged)
