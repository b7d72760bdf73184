"""Reductions over all pixels: sums over frames, sums of frames, and whatever takes decoded stacks.

All of them are begun by the engine with the start of a series, filled by its workers and read with `result`, also
while the series runs. One object serves series after series: each start empties it.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.values import SeriesStart
from pipeline.errors import SettingRejected
from pipeline.model import F32, U8, U64

MAX_RESULT_BYTES: Final = 1 << 34
"""Of results per frame. They are only announced: memory is taken where frames come."""

Bad: TypeAlias = NDArray[np.bool_]


class Accumulator:
    """What one worker has summed. Held while a slot is added, so that nobody reads half of one."""

    def __init__(self, pixels: int) -> None:
        self.lock = threading.Lock()
        self.sums: U64 = np.zeros(pixels, np.uint64)


class Sum:
    """Sum over the frames, pixel by pixel, (height, width) uint64; pixels of *excluded* are 0 in it.

    excluded: (height, width), True where a pixel is bad. ignore_maximum: pixels at their type's maximum, which is how
    a detector marks gaps and saturation, count 0. channel: None is the first one of the series.
    """

    def __init__(
        self, *, channel: str | None = None, excluded: Bad | None = None, ignore_maximum: bool = False
    ) -> None:
        self.channel, self.excluded, self.ignore_maximum = channel, excluded, ignore_maximum
        self._shape = (0, 0)
        self._parts: list[Accumulator] = []

    def begin(self, start: SeriesStart) -> None:
        """Empty for a new series. Raises SettingRejected when *excluded* has another shape."""
        check_shape("excluded", self.excluded, start)
        self._shape, self._parts = (start.height, start.width), []

    def attach(self, part: Accumulator) -> None:
        """The engine's: a worker's part of the sum."""
        self._parts.append(part)

    def result(self) -> U64:
        """A copy of what is summed so far."""
        total = np.zeros(self._shape[0] * self._shape[1], np.uint64)
        for part in self._parts:
            with part.lock:
                total += part.sums
        image = total.reshape(self._shape)
        if self.excluded is not None:
            image[self.excluded] = 0
        return image


class FrameReduction(ABC):
    """Base of what gives some numbers for each frame. *weights* (k, pixels), k may be 0."""

    def __init__(self, channel: str | None, ignore_maximum: bool) -> None:
        self.channel, self.ignore_maximum = channel, ignore_maximum
        self.weights: F32 = np.zeros((0, 0), np.float32)

    @abstractmethod
    def begin(self, start: SeriesStart) -> None:
        """Empty for a new series. Raises SettingRejected."""

    @abstractmethod
    def put(self, frames: NDArray[np.int64], sums: U64, weighted: NDArray[np.float64]) -> None:
        """The engine's: frame numbers (n,), sums (n,) and weighted sums (n, k) of frames that came whole."""


class FrameSums(FrameReduction):
    """Sum over the pixels of each frame, (frames,) uint64; 0 where a frame is missing."""

    def __init__(self, *, channel: str | None = None, ignore_maximum: bool = False) -> None:
        super().__init__(channel, ignore_maximum)
        self._sums: U64 = np.zeros(0, np.uint64)

    def begin(self, start: SeriesStart) -> None:
        """Empty for a new series."""
        self.weights = np.zeros((0, start.width * start.height), np.float32)
        self._sums = per_frame(start, 1, np.dtype("uint64"))[:, 0]

    def put(self, frames: NDArray[np.int64], sums: U64, weighted: NDArray[np.float64]) -> None:  # noqa: ARG002
        """The engine's."""
        self._sums[frames] = sums

    def result(self) -> U64:
        """The sums themselves, not a copy; frames that are still to come are 0."""
        return self._sums


class StackReduction(Protocol):
    """Anything that takes decoded frames. `take` is called from one thread at a time per reduction."""

    channel: str | None

    def begin(self, start: SeriesStart) -> None:
        """Empty for a new series. Raises SettingRejected."""
        ...

    def take(self, frames: NDArray[np.int64], stack: NDArray[Any]) -> None:
        """Frame numbers (n,), and the frames (n, height, width) as they were sent, valid during the call only.

        Stacks come in the order in which workers are done with them, so frame numbers may jump back.
        """
        ...


class PackedReduction(ABC):
    """Base of what takes frames packed as they came. They are unpacked all the same, and damaged ones left out."""

    def __init__(self, channel: str | None = None) -> None:
        self.channel = channel

    @abstractmethod
    def begin(self, start: SeriesStart) -> None:
        """Empty for a new series. Raises SettingRejected."""

    @abstractmethod
    def take_packed(
        self, frames: NDArray[np.int64], blobs: list[U8], coding: int, dtype: np.dtype[Any]
    ) -> None:
        """Frame numbers (n,) and their bytes, valid during the call only; workers call it side by side.

        coding  0 plain, 1 one LZ4 block, 2 LZ4 of HDF5, 3 bit-shuffled LZ4
        """


Reduction: TypeAlias = Sum | FrameReduction | PackedReduction | StackReduction


def per_frame(start: SeriesStart, columns: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """(expected, columns) zeros that take memory only where they are written. Raises SettingRejected."""
    size = start.expected * columns * dtype.itemsize
    if size > MAX_RESULT_BYTES:
        raise SettingRejected("frames of a series", start.expected, f"fewer for results of {size} bytes")
    return np.zeros((start.expected, columns), dtype)


def check_shape(name: str, array: NDArray[Any] | None, start: SeriesStart) -> None:
    """Raise SettingRejected when *array* is not of the images' shape."""
    shape = (start.height, start.width)
    if array is not None and array.shape != shape:
        raise SettingRejected(name, array.shape, f"of the images' shape (height, width) {shape}")
