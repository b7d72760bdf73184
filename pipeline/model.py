"""The values that travel through the pipeline's rooms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Generic, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

U8: TypeAlias = NDArray[np.uint8]
U16: TypeAlias = NDArray[np.uint16]
U32: TypeAlias = NDArray[np.uint32]
U64: TypeAlias = NDArray[np.uint64]
F32: TypeAlias = NDArray[np.float32]


class TrainFlag(IntFlag):
    """What was found wrong with one module's part of a train. 0 = good."""

    INCOMPLETE = 1 << 0
    """Datagrams are missing; the bytes they would have held are zeros."""
    TRUNCATED = 1 << 1
    """The block ends before its own header says it should."""
    NO_START = 1 << 2
    """No datagram carried the start-of-frame bit."""
    NO_END = 1 << 3
    """No datagram carried the end-of-frame bit."""
    DUPLICATES = 1 << 4
    """Datagrams came more than once; the first one counted."""
    REORDERED = 1 << 5
    """Datagrams came out of order; they were put in place."""
    BAD_MAGIC = 1 << 6
    """The header or trailer magic number is wrong."""
    BAD_COUNT = 1 << 7
    """The header's image count disagrees with the size of the block."""
    BAD_LENGTH = 1 << 8
    """An entry of the length list disagrees with the image size."""
    BAD_STATUS = 1 << 9
    """A frame's status, or the trailer's, is not zero."""
    BAD_CHECKSUM = 1 << 10
    """The trailer holds a checksum, and it does not fit the bytes. Zeros are no checksum."""
    TRAIN_ID_ZERO = 1 << 11
    """The train id is zero."""
    TRAIN_ID_REPEATED = 1 << 12
    """This module sent the same train id before."""
    TRAIN_ID_BACKWARD = 1 << 13
    """The train id is smaller than the one before."""
    TRAIN_ID_JUMP = 1 << 14
    """The train id is ahead of the one before by more than the train stride."""
    PULSES_DIFFER = 1 << 15
    """Pulse or cell ids differ from those of the other modules of the train."""


GOOD = TrainFlag(0)

UNUSABLE = (
    TrainFlag.INCOMPLETE
    | TrainFlag.TRUNCATED
    | TrainFlag.BAD_MAGIC
    | TrainFlag.BAD_COUNT
    | TrainFlag.TRAIN_ID_ZERO
    | TrainFlag.TRAIN_ID_REPEATED
    | TrainFlag.TRAIN_ID_BACKWARD
    | TrainFlag.BAD_CHECKSUM
)
"""A module's train with any of these is counted, not recorded and not corrected."""


def _nothing() -> None:
    """Release nothing: the arrays own their memory."""


@dataclass(slots=True)
class ModuleTrain:
    """One module's part of one train, as the wire had it.

    The arrays may be views into a receive slot; call `release` once when nobody needs them any more.
    n = frames of the train.
    """

    module: int
    """Module (channel) number, 0 … modules-1."""
    train_id: int
    data: U16
    """(n, 2, 512, 128) for AGIPD: plane 0 analogue signal in ADU, plane 1 digitised gain level."""
    cell_id: U16
    """(n,) memory cell of each frame."""
    pulse_id: U64
    """(n,) pulse of each frame inside the train, 4.5 MHz ticks."""
    status: U16
    """(n,) 0 = good."""
    length: U32
    """(n,) bytes of each frame."""
    header: bytes
    """The 64 header bytes as received."""
    detector: U8
    """Detector-specific section, (5408,) for AGIPD."""
    trailer: bytes
    """The 32 trailer bytes as received."""
    flags: TrainFlag = GOOD
    release: Callable[[], None] = field(default=_nothing, repr=False)


@dataclass(slots=True)
class CorrectedModule:
    """One module's corrected part of one train. n = frames after the pulse filter."""

    module: int
    train_id: int
    data: F32
    """(n, 512, 128) slow scan, fast scan; photons after the relative and photon gain. NaN where it cannot be."""
    gain: U8
    """(n, 512, 128) gain stage: 0 high, 1 medium, 2 low."""
    mask: U32
    """(n, 512, 128) bad-pixel bits; 0 = good."""
    cell_id: U16
    """(n,)"""
    pulse_id: U64
    """(n,)"""
    passport: tuple[str, ...] = ()
    """What was done, oldest first, e.g. `THRESHOLDING_Q1M1`."""
    raw: ModuleTrain | None = None
    """The raw train this was made from without its images, for the sections that corrected files repeat."""
    release: Callable[[], None] = field(default=_nothing, repr=False)
    """Call once when nobody needs the arrays any more."""


PartT = TypeVar("PartT", bound=CorrectedModule | ModuleTrain)
"""What is matched: corrected or raw parts of trains."""


@dataclass(slots=True)
class MatchedTrain(Generic[PartT]):
    """The modules of one train that came before the deadline."""

    train_id: int
    modules: dict[int, PartT]
    timestamp_ns: int
    """Unix time of the train, nanoseconds."""

    def release(self) -> None:
        """Give the memory of all modules back."""
        for part in self.modules.values():
            part.release()


@dataclass(frozen=True, slots=True)
class TrainClock:
    """Relation of train ids and time, as the facility's time server tells it."""

    anchor_train_id: int
    anchor_unix_ns: int
    """Unix time of the anchor train, nanoseconds."""
    period_ns: int = 100_000_000
    """10 Hz at the European XFEL."""

    def unix_ns(self, train_id: int) -> int:
        """Unix time of a train, nanoseconds."""
        return self.anchor_unix_ns + (train_id - self.anchor_train_id) * self.period_ns
