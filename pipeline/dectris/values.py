"""What the engine tells: the start of a series, how far it is, what came of it, what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from pipeline.model import F32, U32

FrameRange: TypeAlias = tuple[int, int]
"""First and last frame number, both inclusive."""


@dataclass(frozen=True, slots=True, eq=False)
class SeriesStart:
    """The start message of a series, of either stream."""

    series: int
    unique_id: str | None
    """26 characters of stream 2; stream 1 has none."""
    version: int
    """1 or 2."""
    expected: int
    """Frames of the whole series."""
    width: int
    height: int
    dtype: np.dtype[Any] | None
    """Of the images; None when the start does not tell (stream 2 before 2024.1), then the first image decides."""
    channels: tuple[str, ...]
    """Stream 1 has the one channel `threshold_1`."""
    trigger_mode: str | None
    """Stream 2 does not tell."""
    config: Mapping[str, Any]
    """Stream 1: detector configuration; stream 2: the fields of the start message without arrays."""
    pixel_mask: U32 | None
    """(height, width), of the first channel, when the start message brought it."""
    flatfield: F32 | None
    """(height, width), of the first channel, when the start message brought it."""
    appendix: object | None
    """Stream 1: bytes; stream 2: any value."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a series is."""

    expected: int
    frames: int
    """Frames in the results so far."""
    received: int
    """Images that came so far."""
    missing_so_far: int
    """Frames below the highest one that came which are not there."""
    elapsed_s: float
    """Since the first image, or since `run` while none has come."""
    images_per_s: float
    """Since the progress before."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a series cost and where it waited. Shares are of wall time between first and last image."""

    wall_s: float = 0.0
    """From the first image to the last."""
    images: int = 0
    images_per_s: float = 0.0
    bytes_mean: float = 0.0
    """Compressed bytes per frame, all channels together."""
    bytes_max: int = 0
    receiver_busy: float = 0.0
    """Share of the time in which the receiver took messages (neither waiting for messages nor for a slot)."""
    receiver_waits_for_slot: float = 0.0
    """Share of the time in which the receiver had no free slot: the workers limit."""
    slot_waits: int = 0
    """How often the receiver found no free slot."""
    worker_busy: tuple[float, ...] = ()
    """Share of the time in which each worker decoded and reduced."""
    slots_used_max: int = 0
    """Most slots in use at once, of num_slots."""
    num_slots: int = 0
    slots: int = 0
    """Slots that were handed to workers."""
    frames_per_slot: float = 0.0
    slow_images: int = 0
    """Images that the fast path did not know and Python decoded."""
    receive_us: float = 0.0
    """CPU microseconds of the receiver thread per image."""
    reduce_us: float = 0.0
    """CPU microseconds of the workers per image, hashes included."""
    hash_us: float = 0.0
    """Of these, microseconds for hashes."""
    other_us: float = 0.0
    """CPU microseconds per image of the rest of this process: ZeroMQ's own thread above all."""


@dataclass(frozen=True, slots=True)
class SeriesReport:
    """What came of one series. Each way in which data can be lost has its own counter."""

    series: int
    expected: int
    frames: int
    """Different frames that came whole and are in the results."""
    gaps: tuple[FrameRange, ...]
    """Frames that did not come at all, in order."""
    corrupt: int
    """Frames whose data do not fit their hash or cannot be unpacked; in no result."""
    corrupt_frames: tuple[int, ...]
    """The first of them."""
    truncated: int
    """Images whose data have another size than the message tells; in no result."""
    duplicates: int
    """Frames that came again; the first one counts."""
    reordered: int
    """Frames that came after one with a higher number."""
    broken: int
    """Messages that do not follow the protocol, or do not fit their series."""
    stale: int
    """Messages of earlier series, before this one's start or during it."""
    wrong_series: int
    """Images and ends of a later series, while this one ran."""
    unexpected: int
    """Images whose number is beyond the expected; in no result."""
    ended: bool
    """Whether the end message came."""
    end_delay_s: float | None
    """From the last image to the end message, wall time; hardware takes less than 1 s."""
    silence_s: float
    """Longest time without a message while the series ran."""
    stopped: bool
    """Whether it was stopped from outside before its end."""
    hashes_checked: int
    hashes_unchecked: int
    """Images with a hash that was not looked at; the rate allowed no more (Settings.hash_share)."""
    reasons: tuple[str, ...]
    """The first sentences about corrupt, truncated and broken messages."""
    measured: Measured

    @property
    def missing(self) -> int:
        """Expected frames that are in no result, whatever the cause."""
        return self.expected - self.frames

    @property
    def complete(self) -> bool:
        """Whether every frame came once, in order, whole, and the series ended as it should."""
        flaws = self.corrupt + self.truncated + self.duplicates + self.reordered + self.broken
        return self.ended and self.missing == 0 and flaws + self.wrong_series + self.unexpected == 0

    def sentences(self) -> tuple[str, ...]:
        """What there is to say, a sentence each; the first is the sum of it."""
        from pipeline.dectris.engine.wording import sentences

        return sentences(self)
