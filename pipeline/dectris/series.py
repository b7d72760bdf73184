"""Adding up one series: pure, fed with one message at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.decompress import image_array
from pipeline.dectris.messages import EndMessage, HeaderMessage, ImageMessage, Message
from pipeline.errors import StreamBroken
from pipeline.model import U64

MAX_FRAMES: Final = 1 << 24
"""Frames of one series that are added up; the list of frame sums must fit memory."""
MAX_REASONS: Final = 8


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """What came of one series. Each way in which data can be lost has its own counter."""

    series: int
    config: Mapping[str, Any]
    """Detector configuration from the start message."""
    expected: int
    """nimages × ntrigger."""
    frames: int
    """Different frames that came whole and are in the sums."""
    duplicates: int
    """Frames that came again; the first one counts."""
    reordered: int
    """Frames that came after one with a higher number."""
    corrupt: int
    """Frames whose data do not fit their hash or cannot be unpacked; not in the sums."""
    broken: int
    """Messages that do not follow the protocol."""
    stale: int
    """Messages of earlier series, before this one's start or during it."""
    wrong_series: int
    """Images and ends of a series that is later than this one, while it ran."""
    unexpected: int
    """Frames whose number is beyond the expected; not in the sums."""
    ended: bool
    """Whether the end message came; false when the wait for it timed out."""
    end_delay_s: float | None
    """From the last image to the end message, wall time; hardware takes less than 1 s."""
    reasons: tuple[str, ...]
    """The first sentences about corrupt and broken messages."""
    sum: U64
    """(height, width) sum over the frames, masked pixels as they came."""
    frame_sums: U64
    """(expected,) sum over each frame's pixels; 0 where a frame is missing."""
    received: NDArray[np.bool_]
    """(expected,) which frames are in the sums."""

    @property
    def missing(self) -> int:
        """Expected frames that are not in the sums."""
        return self.expected - self.frames

    @property
    def complete(self) -> bool:
        """Whether every frame came once, in order, whole, and the series ended as it should."""
        flaws = (
            self.duplicates
            + self.reordered
            + self.corrupt
            + self.broken
            + self.wrong_series
            + self.unexpected
        )
        return self.ended and self.missing == 0 and flaws == 0


@dataclass(slots=True)
class SeriesSum:
    """Adds up the images of one series. Not thread-safe.

    Raises StreamBroken when the start message lacks the sizes that the sums need.
    """

    header: HeaderMessage
    stale: int = 0
    """Messages of earlier series that were passed over before the start."""
    ended: bool = False
    duplicates: int = 0
    reordered: int = 0
    corrupt: int = 0
    broken: int = 0
    wrong_series: int = 0
    unexpected: int = 0
    expected: int = field(init=False)
    _highest: int = field(default=-1, init=False)
    _reasons: list[str] = field(default_factory=list, init=False)
    _sum: U64 = field(init=False)
    _frame_sums: U64 = field(init=False)
    _received: NDArray[np.bool_] = field(init=False)
    _last_image_at: float | None = field(default=None, init=False)
    _end_delay_s: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.header.detail == "none":
            raise StreamBroken(
                "the start message has header_detail none, so sizes are unknown; set it to basic"
            )
        self.expected = self.header.count("nimages") * self.header.count("ntrigger")
        if not 0 < self.expected <= MAX_FRAMES:
            raise StreamBroken(
                f"the series is to have {self.expected} frames; 1 to {MAX_FRAMES} can be added up"
            )
        width, height = self.header.count("x_pixels_in_detector"), self.header.count("y_pixels_in_detector")
        if not (0 < width <= 1 << 14 and 0 < height <= 1 << 14):
            raise StreamBroken(f"the start message tells a detector of {width} × {height} pixels")
        self._sum = np.zeros((height, width), np.uint64)
        self._frame_sums = np.zeros(self.expected, np.uint64)
        self._received = np.zeros(self.expected, bool)

    @property
    def series(self) -> int:
        """The number of the series."""
        return self.header.series

    def take(self, message: Message, at_s: float) -> None:
        """Take the next message, which came at *at_s* (monotonic seconds)."""
        if message.series < self.series:
            self.stale += 1
        elif isinstance(message, HeaderMessage):
            self._blame("a start message came before the end of the series")
        elif message.series > self.series:
            self.wrong_series += 1
        elif isinstance(message, EndMessage):
            self.ended = True
            self._end_delay_s = None if self._last_image_at is None else at_s - self._last_image_at
        else:
            self._last_image_at = at_s
            self._take_image(message)

    def take_broken(self, error: StreamBroken) -> None:
        """Count a message that could not be decoded."""
        self._blame(error.reason)

    def _blame(self, reason: str) -> None:
        self.broken += 1
        self._note(reason)

    def _note(self, reason: str) -> None:
        if len(self._reasons) < MAX_REASONS:
            self._reasons.append(reason)

    def _take_image(self, message: ImageMessage) -> None:
        number = message.frame
        if number >= self.expected:
            self.unexpected += 1
            return
        if (message.height, message.width) != self._sum.shape:
            self._blame(
                f"image {number} of series {self.series} is {message.width} × {message.height} pixels; "
                f"the start message told {self._sum.shape[1]} × {self._sum.shape[0]}"
            )
            return
        if self._received[number]:
            self.duplicates += 1
            return
        if number < self._highest:
            self.reordered += 1
        self._highest = max(self._highest, number)
        self._add(message)

    def _add(self, message: ImageMessage) -> None:
        if hashlib.md5(message.blob, usedforsecurity=False).hexdigest() != message.md5:
            self.corrupt += 1
            self._note(f"image {message.frame} of series {self.series} does not fit its hash")
            return
        try:
            image = image_array(message)
        except StreamBroken as error:
            self.corrupt += 1
            self._note(error.reason)
            return
        np.add(self._sum, image, out=self._sum)
        self._frame_sums[message.frame] = image.sum(dtype=np.uint64)
        self._received[message.frame] = True

    def summary(self) -> SeriesSummary:
        """What came so far. The arrays are the summary's own from now on; take nothing more."""
        return SeriesSummary(
            series=self.series,
            config=self.header.config,
            expected=self.expected,
            frames=int(self._received.sum()),
            duplicates=self.duplicates,
            reordered=self.reordered,
            corrupt=self.corrupt,
            broken=self.broken,
            stale=self.stale,
            wrong_series=self.wrong_series,
            unexpected=self.unexpected,
            ended=self.ended,
            end_delay_s=self._end_delay_s,
            reasons=tuple(self._reasons),
            sum=self._sum,
            frame_sums=self._frame_sums,
            received=self._received,
        )
