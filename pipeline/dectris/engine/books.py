"""What of a series came, and what not: pure, fed by the receiver and the workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.engine.ranges import FrameSet
from pipeline.dectris.values import FrameRange

MAX_REASONS: Final = 8
MAX_LISTED: Final = 64


@dataclass(slots=True)
class Books:
    """Counts one series of *expected* frames. Not thread-safe; `take` comes from one thread, the rest after a lock."""

    series: int
    expected: int
    stale: int = 0
    corrupt: int = 0
    truncated: int = 0
    broken: int = 0
    duplicates: int = 0
    reordered: int = 0
    wrong_series: int = 0
    unexpected: int = 0
    received: int = 0
    """Images that came, whatever became of them."""
    hashes_checked: int = 0
    hashes_unchecked: int = 0
    reasons: list[str] = field(default_factory=list)
    corrupt_frames: list[int] = field(default_factory=list)
    _came: FrameSet = field(default_factory=FrameSet)
    _taken: int = 0

    @property
    def frames(self) -> int:
        """Different frames that came whole."""
        return self._taken - self.corrupt

    @property
    def missing_so_far(self) -> int:
        """Frames below the highest one that are not there."""
        return self._came.highest + 1 - self._taken

    def take(self, frames: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Note the images of *frames* (n,) in the order they came; which of them are to be reduced.

        Raises StreamBroken when frame numbers jump about without end.
        """
        count = frames.size
        self.received += count
        accepted = np.ones(count, bool)
        if count == 0:
            return accepted
        first, last = int(frames[0]), int(frames[-1])
        in_order = last - first == count - 1 and bool((frames[1:] > frames[:-1]).all())
        if in_order and first > self._came.highest and last < self.expected:
            self._came.add(first, count)
            self._taken += count
            return accepted
        for index, frame in enumerate(frames.tolist()):
            accepted[index] = self._take_one(frame)
        return accepted

    def _take_one(self, frame: int) -> bool:
        if frame >= self.expected:
            self.unexpected += 1
            return False
        if frame in self._came:
            self.duplicates += 1
            return False
        if frame < self._came.highest:
            self.reordered += 1
        self._came.add(frame)
        self._taken += 1
        return True

    def take_corrupt(self, frame: int, reason: str) -> None:
        """A frame that was taken turned out to be damaged."""
        self.corrupt += 1
        if len(self.corrupt_frames) < MAX_LISTED:
            self.corrupt_frames.append(frame)
        self.note(f"image {frame} of series {self.series} {reason}")

    def take_truncated(self, reason: str) -> None:
        """An image whose data have another size than it tells."""
        self.received += 1
        self.truncated += 1
        self.note(reason)

    def take_broken(self, reason: str) -> None:
        """A message that does not follow the protocol, or does not fit the series."""
        self.broken += 1
        self.note(reason)

    def take_other(self, series: int) -> None:
        """An image or end of another series."""
        if series < self.series:
            self.stale += 1
        else:
            self.wrong_series += 1

    def note(self, reason: str) -> None:
        """Keep the first sentences."""
        if len(self.reasons) < MAX_REASONS:
            self.reasons.append(reason)

    def gaps(self) -> tuple[FrameRange, ...]:
        """Ranges of frames that did not come."""
        return self._came.gaps(self.expected)
