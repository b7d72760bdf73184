"""The monitor: a small buffer of single images for people who look, at up to about ten each second."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Final

from sim.dectris.keys import Value
from sim.dectris.monitor.images import MonitorImage, monitor_image
from sim.dectris.sinks import ArmedSeries, ImageRun

BUFFER_BYTES: Final = 1 << 30
"""Default limit on the pixels of all buffered images."""
_SPACING_NS: Final = 100_000_000
"""Images of a faster series are taken no closer than this in time of exposure."""


class MonitorSink:
    """The sink and the store of images that REST asks. Used by the event loop's thread alone.

    What is buffered is packed; an image becomes a TIFF when somebody fetches it, so a monitor that nobody looks at
    costs next to nothing.
    """

    def __init__(
        self, config: Callable[[], Mapping[str, Value]], *, buffer_bytes: int = BUFFER_BYTES
    ) -> None:
        """*config*: present values of the module's keys (mode, buffer_size, discard_new)."""
        self._config, self._capacity = config, buffer_bytes
        self._series: ArmedSeries | None = None
        self._last_ns: int | None = None
        self._buffer: deque[MonitorImage] = deque()
        self._bytes = 0
        self._newest: MonitorImage | None = None
        self._overflow = False
        self._arrived: asyncio.Event | None = None
        self.dropped = 0
        """Images that found the buffer full, and those that were pushed out of it."""

    # What the unit calls

    def begin(self, series: ArmedSeries) -> None:
        """A series was armed."""
        self._series, self._last_ns = series, None

    def images(self, run: ImageRun) -> int:
        """Look at images; of a fast run only the newest. Takes all of them, always."""
        if self._series is not None and run.count > 0 and self._config().get("mode") == "enabled":
            slow = run.period_ns >= _SPACING_NS
            for number in range(run.first, run.first + run.count) if slow else (run.first + run.count - 1,):
                self._look_at(self._series, run, number)
        return run.count

    def end(self) -> None:
        """No more images come."""
        self._series = None

    def abort(self) -> None:
        """As `end`: the monitor holds nothing back."""
        self.end()

    # What REST asks

    @property
    def state(self) -> str:
        """normal or overflow: since an image was dropped the buffer has had no room."""
        return "overflow" if self._overflow and not self._has_room(0) else "normal"

    @property
    def buffer_free(self) -> int:
        """Bytes."""
        return max(0, self._capacity - self._bytes)

    @property
    def fill_level(self) -> tuple[int, int]:
        """Images in the buffer, and how many it holds."""
        return len(self._buffer), self._size

    @property
    def next_image(self) -> tuple[int, int] | None:
        """Series and number of the image that `take_next` would take."""
        return (self._buffer[0].series, self._buffer[0].number) if self._buffer else None

    @property
    def newest_image(self) -> tuple[int, int] | None:
        """Series and number of the newest image."""
        return (self._newest.series, self._newest.number) if self._newest is not None else None

    @property
    def arrived(self) -> asyncio.Event:
        """Set whenever an image has come."""
        if self._arrived is None:
            self._arrived = asyncio.Event()
        return self._arrived

    def listing(self) -> Sequence[tuple[int, Sequence[int]]]:
        """Series with the numbers of their images, oldest first."""
        by_series = groupby(self._buffer, key=lambda image: image.series)
        return [(series, [image.number for image in images]) for series, images in by_series]

    def newest(self) -> bytes | None:
        """The newest image; it stays, and can be read even after `clear`. A full buffer does not hold it up."""
        return self._newest.tiff(0) if self._newest is not None else None

    def take_next(self) -> bytes | None:
        """The oldest image; of several thresholds one after another, and removed after the last of them."""
        if not self._buffer:
            return None
        oldest = self._buffer[0]
        channel = oldest.fetched
        oldest.fetched += 1
        if oldest.fetched == len(oldest.ring.channels):
            self._remove_oldest()
        return oldest.tiff(channel)

    def get(self, series: int, image: int, threshold: int | None) -> bytes | None:
        """One image, by threshold from 1 where given; None for one that is not there. It stays."""
        for held in self._buffer:
            if (held.series, held.number) == (series, image):
                channel = held.channel_of(threshold)
                return held.tiff(channel) if channel is not None else None
        return None

    def configured(self) -> None:
        """Keys were written. A smaller buffer keeps what it has, and takes nothing before there is room."""
        if self._has_room(0):
            self._overflow = False

    def clear(self) -> None:
        """Empty, dropped 0, state normal; the newest image can still be read."""
        self._buffer.clear()
        self._bytes = self.dropped = 0
        self._overflow = False

    def initialize(self) -> None:
        """As after a restart of the module: nothing is left."""
        self.clear()
        self._newest = None

    @property
    def _size(self) -> int:
        size = self._config().get("buffer_size", 100)
        return size if isinstance(size, int) else 100

    def _has_room(self, size: int) -> bool:
        return len(self._buffer) < self._size and self._bytes + size <= self._capacity

    def _look_at(self, series: ArmedSeries, run: ImageRun, number: int) -> None:
        start = run.start_ns + (number - run.first) * run.period_ns
        if self._last_ns is not None and start - self._last_ns < _SPACING_NS:
            return
        self._last_ns = start
        self._keep(monitor_image(series, run, number))
        if self._arrived is not None:
            self._arrived.set()

    def _keep(self, image: MonitorImage) -> None:
        self._newest = image
        if not self._has_room(image.size):
            self._overflow = True
            if self._config().get("discard_new", True):
                self.dropped += 1
                return
            while self._buffer and not self._has_room(image.size):
                self._remove_oldest()
                self.dropped += 1
            if not self._has_room(image.size):
                self.dropped += 1
                return
        else:
            self._overflow = False
        self._buffer.append(image)
        self._bytes += image.size

    def _remove_oldest(self) -> None:
        self._bytes -= self._buffer.popleft().size
