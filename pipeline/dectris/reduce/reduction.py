"""Reductions over all pixels: sums over frames, sums of frames, and whatever takes decoded stacks.

All of them are begun by the engine with the start of a series, filled by its workers and read with `result`, also
while the series runs. One object serves series after series: each start empties it.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.values import SeriesStart
from pipeline.model import U64


class Reduction(Protocol):
    """One of the kinds below. *channel* None is the first one of the series."""

    channel: str | None

    def begin(self, start: SeriesStart) -> None:
        """Empty for a new series. Raises SettingRejected when shapes or names do not fit the series."""
        ...


class Sum:
    """Sum over the frames, pixel by pixel, (height, width) uint64; pixels of *excluded* are 0 in it."""

    kind: ClassVar = "sum"

    def __init__(
        self, *, channel: str | None = None, excluded: NDArray[np.bool_] | None = None, ignore_maximum: bool = False
    ) -> None:
        """*excluded*: (height, width), True where a pixel is bad. *ignore_maximum*: the type's maximum counts 0."""
        self.channel, self.excluded, self.ignore_maximum = channel, excluded, ignore_maximum

    def begin(self, start: SeriesStart) -> None:
        """Empty for a new series."""
        raise NotImplementedError

    def result(self) -> U64:
        """A copy of what is summed so far."""
        raise NotImplementedError


class FrameSums:
    """Sum over the pixels of each frame, (frames,) uint64; 0 where a frame is missing."""

    def __init__(self, *, channel: str | None = None, ignore_maximum: bool = False) -> None:
        self.channel, self.ignore_maximum = channel, ignore_maximum

    def begin(self, start: SeriesStart) -> None:
        """Empty for a new series."""
        raise NotImplementedError

    def result(self) -> U64:
        """The sums; frames that are still to come are 0."""
        raise NotImplementedError


class StackReduction(Protocol):
    """Anything that takes decoded frames. `take` is called from one thread at a time per reduction."""

    channel: str | None

    def begin(self, start: SeriesStart) -> None:
        """Empty for a new series."""
        ...

    def take(self, frames: NDArray[np.int64], stack: NDArray[Any]) -> None:
        """Frame numbers (n,), and the frames (n, height, width) as they were sent, valid during the call only.

        Slots come in the order in which workers are done with them, so frame numbers may jump back.
        """
        ...
