"""Sets of frame numbers as ranges: as small as the stream is in order, however many frames a series tells."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from pipeline.dectris.values import FrameRange
from pipeline.errors import StreamBroken

MAX_RANGES: Final = 1 << 20


class FrameSet:
    """Frame numbers that came."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        """Exclusive; both sorted, and ranges never touch."""

    def __contains__(self, frame: int) -> bool:
        at = bisect_right(self._starts, frame) - 1
        return at >= 0 and frame < self._stops[at]

    def __len__(self) -> int:
        return sum(self._stops) - sum(self._starts)

    @property
    def highest(self) -> int:
        """The highest frame; -1 when there is none."""
        return self._stops[-1] - 1 if self._stops else -1

    def add(self, first: int, count: int = 1) -> None:
        """Add *count* frames from *first* on, none of which is in the set. Raises StreamBroken when it scatters."""
        at, stop = bisect_right(self._starts, first), first + count
        joins_left = at > 0 and self._stops[at - 1] == first
        joins_right = at < len(self._starts) and self._starts[at] == stop
        if joins_left and joins_right:
            self._stops[at - 1] = self._stops[at]
            del self._starts[at], self._stops[at]
        elif joins_left:
            self._stops[at - 1] = stop
        elif joins_right:
            self._starts[at] = first
        elif len(self._starts) == MAX_RANGES:
            raise StreamBroken(f"the frames that came leave more than {MAX_RANGES} gaps; no sender does this")
        else:
            self._starts.insert(at, first)
            self._stops.insert(at, stop)

    def gaps(self, expected: int) -> tuple[FrameRange, ...]:
        """The ranges of 0 to *expected* - 1 that are not in the set."""
        starts, stops = [*self._starts, expected], [0, *self._stops]
        return tuple((stop, start - 1) for start, stop in zip(starts, stops, strict=True) if stop < start)
