"""The images of a series as a stack in a file, corrected or untouched: a reduction like any other."""

from __future__ import annotations

import struct
import threading
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.corrections import Corrections
from pipeline.dectris.engine import SeriesStart
from pipeline.dectris.reduce import PackedReduction
from pipeline.dectris.stackfile import StackFile
from pipeline.model import U8

PLAIN, LZ4_BLOCK, LZ4, BSLZ4 = 0, 1, 2, 3
COMPRESSIONS: Final = {PLAIN: "none", LZ4_BLOCK: "lz4", LZ4: "lz4", BSLZ4: "bslz4"}
LZ4_HEAD: Final = struct.Struct(">QII")
"""Of HDF5's filter 32004: bytes of the image, bytes of a block, and of the one block that follows."""


class _SeriesFile:
    """The file of the series that runs; it begins with the first image. Workers come side by side."""

    def __init__(self, path: Path, corrections: Corrections) -> None:
        self._pattern, self._corrections = path, corrections
        self._lock = threading.Lock()
        self._start: SeriesStart | None = None
        self._file: StackFile | None = None
        self.path = path

    def begin(self, start: SeriesStart) -> None:
        self.close()
        self._corrections.fitting((start.height, start.width))
        self._start = start
        self.path = self._pattern.with_name(self._pattern.name.replace("$id", str(start.series)))

    def opened(self, dtype: np.dtype[Any], compression: str) -> StackFile:
        with self._lock:
            if self._file is None:
                self._file = self._create(dtype, compression)
            return self._file

    def written(self) -> int:
        return 0 if self._file is None else self._file.written

    def close(self) -> None:
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def _create(self, dtype: np.dtype[Any], compression: str) -> StackFile:
        start = self._start
        assert start is not None  # the engine begins before it gives
        file = StackFile(
            self.path,
            expected=start.expected,
            shape=(start.height, start.width),
            dtype=dtype,
            compression=compression,
        )
        bad, flatfield = self._corrections.excluded, self._corrections.flatfield
        arrays = {"pixel_mask": None if bad is None else bad.astype(np.uint32), "flatfield": flatfield}
        file.describe(start.config, {key: array for key, array in arrays.items() if array is not None})
        return file


class ImageStack:
    """Writes decoded and corrected images to HDF5, compressed anew with bit shuffling and LZ4.

    With a flat field images are float32, and bad pixels NaN; with a mask alone they keep their type, and bad pixels
    have its largest value, as control units write them. Values above 2²⁴ are rounded in float32.
    `$id` in the name is the number of the series.
    """

    def __init__(
        self, path: Path, corrections: Corrections | None = None, *, channel: str | None = None
    ) -> None:
        self._corrections = corrections or Corrections()
        self._series_file = _SeriesFile(path, self._corrections)
        self.channel = channel

    @property
    def path(self) -> Path:
        """Of the series that runs, or ran last."""
        return self._series_file.path

    def begin(self, start: SeriesStart) -> None:
        """Remember the series; the file begins with its first image. Raises SettingRejected."""
        self._series_file.begin(start)

    def take(self, frames: NDArray[np.int64], stack: NDArray[Any]) -> None:
        """Write images (n, height, width). Raises OutputUnwritable."""
        dtype = stack.dtype if self._corrections.flatfield is None else np.dtype(np.float32)
        self._series_file.opened(dtype, "bslz4").write_images(frames.tolist(), self._corrected(stack))

    def result(self) -> int:
        """Images that are in the file so far."""
        return self._series_file.written()

    def close(self) -> None:
        """Give the file its name. Raises OutputUnwritable."""
        self._series_file.close()

    def _corrected(self, stack: NDArray[Any]) -> NDArray[Any]:
        bad, flatfield = self._corrections.excluded, self._corrections.flatfield
        if flatfield is not None:
            images = stack * flatfield
            if bad is not None:
                images[:, bad] = np.nan
            return np.asarray(images)
        if bad is None:
            return stack
        masked = stack.copy()
        masked[:, bad] = np.iinfo(stack.dtype).max
        return masked


class ChunkStack(PackedReduction):
    """Writes images to HDF5 packed as they came, once they have been unpacked for a test. `$id` as in ImageStack."""

    def __init__(self, path: Path, *, channel: str | None = None) -> None:
        super().__init__(channel)
        self._series_file = _SeriesFile(path, Corrections())
        self._image_bytes = 0

    @property
    def path(self) -> Path:
        """Of the series that runs, or ran last."""
        return self._series_file.path

    def begin(self, start: SeriesStart) -> None:
        """Remember the series; the file begins with its first image."""
        self._series_file.begin(start)
        self._image_bytes = start.height * start.width

    def take_packed(
        self, frames: NDArray[np.int64], blobs: list[U8], coding: int, dtype: np.dtype[Any]
    ) -> None:
        """Write chunks. Raises OutputUnwritable."""
        if len(frames) == 0:
            return
        chunks: list[Any] = list(blobs)
        if coding == LZ4_BLOCK:
            nbytes = self._image_bytes * dtype.itemsize
            chunks = [LZ4_HEAD.pack(nbytes, nbytes, len(blob)) + blob.tobytes() for blob in blobs]
        self._series_file.opened(dtype, COMPRESSIONS[coding]).write_chunks(frames.tolist(), chunks)

    def result(self) -> int:
        """Images that are in the file so far."""
        return self._series_file.written()

    def close(self) -> None:
        """Give the file its name. Raises OutputUnwritable."""
        self._series_file.close()
