"""Sizes of the acquisition chosen from what a series announces, and from what was measured; each with its reason.

Pure: facts and measurements in, numbers and sentences out. Four numbers matter (the words are LiberTEM-live's):

    bytes_per_frame   compressed bytes that one image is expected to have
    frame_stack_size  images in a slot at most; a slot has bytes_per_frame × frame_stack_size bytes
    num_slots         slots; together they are the buffer between receiver and workers
    workers           threads that unpack and reduce, one slot each at a time
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

COMPRESSED_SHARE: Final = 8
"""Images are expected to shrink to an eighth where nothing is measured (LiberTEM-live's guess as well)."""
ROOM: Final = 1.25
"""Expected bytes over the measured mean: images of a scan differ."""
STACK_S: Final = 0.005
"""Time that a full stack should hold: handing one over costs some 0.1 ms, so this makes it a fiftieth."""
MIN_STACK: Final = 128
"""Summing in bit planes turns planes into numbers once for a slot: at 512 × 512 a slot of 23 images costs half as much
again for each image as one of 128."""
FEW: Final = 16
"""Images that a slot should have even where they are large."""
MIN_SLOTS: Final = 8
MAX_STACK: Final = 2048
SLOT_BYTES: Final = 8 << 20
"""Size that a slot should not exceed where one image does not need it: larger ones leave the caches."""
BUFFER_S: Final = 1.0
"""Time that all slots together should bridge."""
BUFFER_BYTES: Final = 2 << 30
"""LiberTEM-live's default buffer."""
MEMORY_SHARE: Final = 4
SLOTS_PER_WORKER: Final = 4
MAX_SLOTS: Final = 4096
PIXEL_RATE: Final = 1.2e9
"""Pixels per second that the fastest detectors deliver: QUADRO 4500 × 512 × 512, ARINA 120 000 × 96 × 96."""
PIXEL_NS: Final = 0.8
"""Expected time to unpack and add one pixel, where nothing is measured."""
IMAGE_US: Final = 3.0
"""Expected time for each image besides its pixels."""
LOAD: Final = 0.7
"""Share of its time that a worker should be busy at the most: the rest is for peaks."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known before the first image comes: the start message, and the machine."""

    width: int
    height: int
    bit_depth: int
    compression: str
    """bslz4, lz4 or none."""
    channels: int = 1
    frame_time_s: float | None = None
    """None where the start message does not tell it, or images come when somebody else triggers."""
    cores: int = 2
    memory_bytes: int = 4 << 30

    @property
    def raw_bytes(self) -> int:
        """Bytes of one image as it is in memory, all channels."""
        return self.width * self.height * self.bit_depth // 8 * self.channels

    @property
    def largest_bytes(self) -> int:
        """Bytes that one image has at the most: what does not shrink grows by LZ4's and the blocks' overhead."""
        return self.raw_bytes + self.raw_bytes // 128 + 64 * self.channels

    @property
    def rate(self) -> float | None:
        """Images per second that are announced."""
        return 1.0 / self.frame_time_s if self.frame_time_s else None


@dataclass(frozen=True, slots=True)
class Probe:
    """What a measured series showed."""

    images: int
    seconds: float
    """From the first image to the last."""
    mean_bytes: float
    """Compressed bytes of an image."""
    max_bytes: int
    images_per_slot: float
    receiver_busy: float
    """Share of the time in which the receiver was not waiting for messages, 0 to 1."""
    waits_for_slots: int
    """How often the receiver found no free slot, and stopped reading."""
    workers_busy: float
    """Share of the workers' time in which they were not waiting for slots, 0 to 1."""
    work_us: float
    """Worker time for one image: unpack and reduce, µs."""
    hash_us: float = 0.0
    """The part of it in checking hashes, µs."""
    receive_us: float = 0.0
    """Receiver time for one image, µs."""
    reduce_us: float = 0.0
    """The part of it in reductions written in Python, µs."""
    missing: int = 0
    dropped: int | None = None
    """Images that the control unit says it dropped, None where it was not asked."""
    workers: int = 1
    slots_high_water: int = 0

    @property
    def rate(self) -> float:
        """Images per second that came."""
        return self.images / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Overrides:
    """Numbers that the user decided; None: chosen."""

    num_slots: int | None = None
    bytes_per_frame: int | None = None
    frame_stack_size: int | None = None
    workers: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Four numbers, and why each is what it is."""

    num_slots: int
    bytes_per_frame: int
    frame_stack_size: int
    workers: int
    reasons: dict[str, str]

    @property
    def slot_bytes(self) -> int:
        """Bytes of a slot."""
        return self.bytes_per_frame * self.frame_stack_size

    @property
    def buffer_bytes(self) -> int:
        """Bytes of all slots together."""
        return self.slot_bytes * self.num_slots


GIVEN: Final = "as given"


def choose(facts: Facts, probe: Probe | None = None, given: Overrides | None = None) -> Choice:
    """The four numbers for a series. A slot always holds at least one image that does not shrink."""
    given = given or Overrides()
    reasons: dict[str, str] = {}
    rate, whence = _rate(facts, probe)
    bytes_per_frame = given.bytes_per_frame or _bytes_per_frame(facts, probe, reasons)
    stack = given.frame_stack_size or _stack(facts, rate, whence, bytes_per_frame, reasons)
    least = math.ceil(facts.largest_bytes / bytes_per_frame)
    if stack < least:
        stack = least
        reasons["frame_stack_size"] = (
            f"a slot must hold an image that does not shrink ({_size(facts.largest_bytes)})"
        )
    workers = given.workers or _workers(facts, probe, rate, reasons)
    slots = given.num_slots or _slots(facts, rate, bytes_per_frame * stack, stack, workers, reasons)
    for name in ("num_slots", "bytes_per_frame", "frame_stack_size", "workers"):
        reasons.setdefault(name, GIVEN)
    return Choice(slots, bytes_per_frame, stack, workers, reasons)


def _rate(facts: Facts, probe: Probe | None) -> tuple[float, str]:
    if facts.rate is not None:
        return facts.rate, f"{facts.rate:,.0f} images/s are announced"
    if probe is not None and probe.rate:
        return probe.rate, f"{probe.rate:,.0f} images/s were measured"
    rate = PIXEL_RATE / (facts.width * facts.height)
    return rate, f"the rate is not known, and no detector is faster than {rate:,.0f} images/s of this size"


def _bytes_per_frame(facts: Facts, probe: Probe | None, reasons: dict[str, str]) -> int:
    if facts.compression == "none":
        reasons["bytes_per_frame"] = "images are not compressed"
        return facts.raw_bytes
    if probe is not None and probe.mean_bytes:
        reasons["bytes_per_frame"] = (
            f"images had {_size(probe.mean_bytes)} in the mean, and a quarter more for room"
        )
        return _in_64(probe.mean_bytes * ROOM)
    reasons["bytes_per_frame"] = (
        f"an eighth of {_size(facts.raw_bytes)}, as {facts.compression} often reaches; nothing is measured yet"
    )
    return _in_64(facts.raw_bytes / COMPRESSED_SHARE)


def _stack(facts: Facts, rate: float, whence: str, bytes_per_frame: int, reasons: dict[str, str]) -> int:
    by_time = max(MIN_STACK, math.ceil(rate * STACK_S))
    near = max(FEW, SLOT_BYTES // bytes_per_frame)
    by_size = max(1, min(near, _room(facts) // (MIN_SLOTS * bytes_per_frame)))
    if by_size < by_time:
        reasons["frame_stack_size"] = (
            f"a slot of {_size(SLOT_BYTES)} stays in reach of the caches; {FEW} images at least where memory allows"
        )
    else:
        reasons["frame_stack_size"] = f"{STACK_S * 1000:.0f} ms of images, {MIN_STACK} at least: {whence}"
    return max(1, min(by_time, by_size, MAX_STACK))


def _workers(facts: Facts, probe: Probe | None, rate: float, reasons: dict[str, str]) -> int:
    if probe is not None and probe.work_us:
        image_us, how = probe.work_us, "measured"
    else:
        image_us = IMAGE_US + facts.width * facts.height * facts.channels * PIXEL_NS / 1000
        how = "expected"
    wanted = max(1, math.ceil(rate * image_us / 1e6 / LOAD))
    # The receiver waits most of its time, and hands over what it has when it does not: it needs no core of its own.
    most = max(1, facts.cores)
    reason = f"{image_us:.1f} µs for an image ({how}) × {rate:,.0f} images/s need {wanted}"
    if wanted > most:
        reason += f"; there are {facts.cores} cores"
    reasons["workers"] = reason
    return min(wanted, most)


def _slots(
    facts: Facts, rate: float, slot_bytes: int, stack: int, workers: int, reasons: dict[str, str]
) -> int:
    by_time = math.ceil(rate * BUFFER_S / stack)
    room = _room(facts)
    by_memory = max(2, room // slot_bytes)
    least = max(MIN_SLOTS, SLOTS_PER_WORKER * workers)
    if by_memory < max(by_time, least):
        reasons["num_slots"] = f"{_size(room)} of memory: a quarter of what is free, 2 GiB at the most"
        return int(by_memory)
    if by_time < least:
        reasons["num_slots"] = f"{SLOTS_PER_WORKER} for each worker, 8 at least"
        return least
    reasons["num_slots"] = f"a pause of {BUFFER_S:.0f} s is bridged"
    return min(by_time, MAX_SLOTS)


def _room(facts: Facts) -> int:
    """Bytes that all slots together may have."""
    return min(BUFFER_BYTES, facts.memory_bytes // MEMORY_SHARE)


def _in_64(size: float) -> int:
    return max(64, math.ceil(size / 64) * 64)


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"
