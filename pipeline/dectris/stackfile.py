"""Stacks of images in HDF5: chunks as they came, or corrected images compressed anew.

The layout is that of a control unit's own data files (NXentry / NXdata / data, one image a chunk, filter 32008 or
32004): whatever reads those reads these, as h5py with hdf5plugin, silx and NeXus viewers. Beside it stand which images
there are and what is known of the detector.
"""

from __future__ import annotations

import os
import struct
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

# Before bitshuffle loads OpenMP: its threads cost more than they give on single images, and take other cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import bitshuffle
import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import OutputUnwritable

DATA: Final = "entry/data/data"
DETECTOR: Final = "entry/instrument/detector"
SPECIFIC: Final = f"{DETECTOR}/detectorSpecific"
PREFIX: Final = struct.Struct(">QI")
FILTERS: Final[Mapping[str, Any]] = {
    "bslz4": hdf5plugin.Bitshuffle(nelems=0, cname="lz4"),
    "lz4": hdf5plugin.LZ4(),
    "none": {},
}
MAX_TEXT: Final = 1000


class StackFile:
    """One file with the images of one series; a context manager.

    It grows as `NAME.part` and gets its name when it is closed whole, however far the series came: at abort the stack
    ends with the last image that was written. What was there under the name before is replaced. Safe to use from
    several threads. Raises OutputUnwritable.
    """

    def __init__(
        self,
        path: Path,
        *,
        expected: int,
        shape: tuple[int, int],
        dtype: np.dtype[Any],
        compression: str,
    ) -> None:
        """
        expected     images of the series
        shape        (height, width)
        dtype        of the images in the file
        compression  bslz4, lz4 or none
        """
        self.path = path
        self._part = path.with_name(path.name + ".part")
        self._lock = threading.Lock()
        self._compression, self._shape, self._dtype = compression, shape, dtype
        self._received = np.zeros(expected, np.bool_)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = h5py.File(self._part, "w")
            self._data = self._create(expected)
        except OSError as error:
            raise OutputUnwritable(path, _reason(error)) from error

    def _create(self, expected: int) -> h5py.Dataset:
        entry = self._file.create_group("entry")
        entry.attrs["NX_class"], entry.attrs["default"] = "NXentry", "data"
        group = entry.create_group("data")
        group.attrs["NX_class"], group.attrs["signal"] = "NXdata", "data"
        data = group.create_dataset(
            "data",
            shape=(expected, *self._shape),
            dtype=self._dtype,
            # So that the stack can be cut where the series ended.
            maxshape=(None, *self._shape),
            chunks=(1, *self._shape),
            **FILTERS[self._compression],
        )
        # As in the unit's own files: number of the first image, counted from 1.
        data.attrs["image_nr_low"] = np.uint64(1)
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def written(self) -> int:
        """Images that are in the file."""
        return int(np.count_nonzero(self._received))

    def describe(self, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Keep what the start message told of the detector (numbers and short texts), and arrays (pixel mask …)."""
        with self._lock:
            instrument = self._file.require_group("entry/instrument")
            instrument.attrs["NX_class"] = "NXinstrument"
            self._file.require_group(DETECTOR).attrs["NX_class"] = "NXdetector"
            group = self._file.require_group(SPECIFIC)
            for key, value in config.items():
                if isinstance(value, (bool, int, float)) or (
                    isinstance(value, str) and len(value) <= MAX_TEXT
                ):
                    try:
                        group[key.replace("/", "_")] = value
                    # A number that fits no type of HDF5, a text with a zero in it: the header is not ours.
                    except (OverflowError, TypeError, ValueError, OSError):
                        continue
            for key, array in arrays.items():
                group.create_dataset(key, data=array, compression="gzip")

    def write_chunks(self, numbers: Sequence[int], blobs: Sequence[Any]) -> None:
        """Write images as they came: *blobs* are in the framing of the HDF5 filter. A number comes once."""
        with self._lock:
            try:
                for number, blob in zip(numbers, blobs, strict=True):
                    self._data.id.write_direct_chunk((number, 0, 0), blob)
                    self._received[number] = True
            except OSError as error:
                raise OutputUnwritable(self.path, _reason(error)) from error

    def write_images(self, numbers: Sequence[int], images: NDArray[Any]) -> None:
        """Write images (n, height, width); compressing is done outside the lock."""
        images = np.ascontiguousarray(images, self._dtype)
        self.write_chunks(numbers, [self._encode(image) for image in images])

    def _encode(self, image: NDArray[Any]) -> Any:
        if self._compression == "none":
            return image.tobytes()
        if self._compression == "bslz4":
            blocks = bitshuffle.compress_lz4(image)
            block = bitshuffle_block_bytes(image.dtype.itemsize)
            return PREFIX.pack(image.nbytes, block) + blocks.tobytes()
        raise OutputUnwritable(self.path, "images are written anew as bslz4 or none only")

    def close(self) -> None:
        """Cut the stack after the last image, give the file its name; with no image at all there is no file."""
        with self._lock:
            if not self._file.id.valid:
                return
            taken = np.flatnonzero(self._received)
            try:
                if len(taken):
                    self._finish(int(taken[-1]) + 1)
                self._file.close()
                if len(taken):
                    os.replace(self._part, self.path)
                else:
                    self._part.unlink(missing_ok=True)
            except OSError as error:
                raise OutputUnwritable(self.path, _reason(error)) from error

    def _finish(self, count: int) -> None:
        self._data.resize(count, axis=0)
        self._data.attrs["image_nr_high"] = np.uint64(count)
        received = self._file["entry/data"].create_dataset("received", data=self._received[:count])
        received.attrs["meaning"] = "which images came whole; the others are zeros"


def bitshuffle_block_bytes(itemsize: int) -> int:
    """Bytes of a block as the library chooses them (8192 for 1, 2 and 4 bytes)."""
    return 8192 // itemsize // 8 * 8 * itemsize


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
