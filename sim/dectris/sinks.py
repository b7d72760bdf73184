"""What every way out of the control unit gets: an armed series, runs of images, an end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sim.dectris.images.frames import Ring
from sim.dectris.keys import Value


@dataclass(frozen=True, slots=True, eq=False)
class ArmedSeries:
    """A series as its sinks need it."""

    number: int
    unique_id: str
    """ULID, 26 characters."""
    armed_unix_ns: int
    nimages: int
    ntrigger: int
    trigger_mode: str
    expected: int
    """Images in all."""
    ring: Ring
    config: Mapping[str, Value]
    """Detector configuration at arm; arrays stand below."""
    pixel_mask: tuple[NDArray[np.uint32], ...]
    """One (height, width) for each channel; bit 0 = gap."""
    flatfield: tuple[NDArray[np.float32], ...]
    """One (height, width) for each channel."""
    countrate_table: NDArray[np.float32]
    """(2, 1000): counts, corrected counts."""


@dataclass(frozen=True, slots=True)
class ImageRun:
    """Images that are ready: consecutive numbers, regular in time. Times in ns since the series' first image began."""

    first: int
    count: int
    start_ns: int
    """When image `first` began."""
    period_ns: int
    """From one image's beginning to the next one's."""
    exposure_ns: int
    """Each image's real time; it stopped at start + exposure."""
    series_date_unix_ns: int
    """When the series' first image began."""


class Sink(Protocol):
    """One way out: a stream, the file writer, the monitor. Called from the event loop's thread; returns at once."""

    def begin(self, series: ArmedSeries) -> None:
        """A series was armed."""
        ...

    def images(self, run: ImageRun) -> int:
        """Take images. Returns how many; fewer than the run has only when lossless and full: the rest comes again."""
        ...

    def end(self) -> None:
        """No more images come: the last one is out, or the series was disarmed or cancelled."""
        ...

    def abort(self) -> None:
        """What was not delivered yet is dropped, then the series ends."""
        ...
