"""The images of a series as a stack in a file, corrected where asked: a reduction like any other."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.corrections import Corrections
from pipeline.dectris.engine import SeriesStart
from pipeline.dectris.stackfile import StackFile


class ImageStack:
    """Writes decoded images to HDF5, compressed with bit shuffling and LZ4.

    With a flat field images are float32, and bad pixels NaN; with a mask alone they keep their type, and bad pixels
    have its largest value, as control units write them. Values above 2²⁴ are rounded in float32.
    `$id` in the name is the number of the series.
    """

    def __init__(
        self, path: Path, corrections: Corrections | None = None, *, channel: str | None = None
    ) -> None:
        self._path, self._corrections = path, corrections or Corrections()
        self.channel = channel
        self._start: SeriesStart | None = None
        self._file: StackFile | None = None
        # Workers take slots side by side.
        self._lock = threading.Lock()
        self.path = path
        """Of the series that ran last."""

    def begin(self, start: SeriesStart) -> None:
        """Remember the series; the file begins with its first image. Raises SettingRejected."""
        self.close()
        self._corrections.fitting((start.height, start.width))
        self._start = start
        self.path = self._path.with_name(self._path.name.replace("$id", str(start.series)))

    def take(self, frames: NDArray[np.int64], stack: NDArray[Any]) -> None:
        """Write images (n, height, width). Raises OutputUnwritable."""
        with self._lock:
            if self._file is None:
                self._file = self._create(stack)
            file = self._file
        file.write_images([int(number) for number in frames], self._corrected(stack))

    def result(self) -> int:
        """Images that are in the file so far."""
        return 0 if self._file is None else self._file.written

    def close(self) -> None:
        """Give the file its name. Raises OutputUnwritable."""
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def _create(self, stack: NDArray[Any]) -> StackFile:
        start = self._start
        assert start is not None  # the engine begins before it gives
        corrections = self._corrections
        dtype = stack.dtype if corrections.flatfield is None else np.dtype(np.float32)
        height, width = stack.shape[1:]
        file = StackFile(
            self.path, expected=start.expected, shape=(height, width), dtype=dtype, compression="bslz4"
        )
        arrays: Mapping[str, NDArray[Any] | None] = {
            "pixel_mask": None if corrections.excluded is None else corrections.excluded.astype(np.uint32),
            "flatfield": corrections.flatfield,
        }
        file.describe(start.config, {key: array for key, array in arrays.items() if array is not None})
        return file

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
