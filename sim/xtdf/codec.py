"""The XTDF block: a preallocated buffer that is filled again for every train.

Header and trailer follow the structs of `DsscTrainDataTypes.hh`; what the fields of a recorded file hold is from
`extra_data/tests/mockdata/detectors.py` (EXtra-data).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from sim.xtdf.layout import HEADER_BYTES, TRAILER_BYTES, WireFormat, block_layout

MAGIC_BEGIN: Final = 0x58544446_BEEFFACE
MAGIC_END: Final = 0x58544446_DEADABCD
ANY_TRAIN_BUILDER: Final = 0xFFFFFFFF_00000000
"""High half of the link id in recorded files: all ones; the low half is the module's link."""

_HEADER: Final = struct.Struct("<QIIQQQQII8x")
_TRAILER: Final = struct.Struct("<QQQQ")
assert (_HEADER.size, _TRAILER.size) == (HEADER_BYTES, TRAILER_BYTES)

Checksum = Literal["none", "crc32"]


@dataclass(frozen=True, slots=True)
class BlockFields:
    """All that a block says beside its images. Faults replace single fields."""

    train_id: int
    link: int
    """Module (channel) number."""
    cell_id: Sequence[int]
    pulse_id: Sequence[int]
    """Pulse of each frame inside the train, ticks of 4.5 MHz."""
    image_count: int
    status: Sequence[int]
    """0 = good, one for each frame."""
    length: Sequence[int]
    """Bytes of each frame's image."""
    version: tuple[int, int] = (1, 0)
    magic_begin: int = MAGIC_BEGIN
    magic_end: int = MAGIC_END
    trailer_status: int = 0
    detector: bytes = b""
    """The detector-specific section; empty: zeros."""


def good_fields(
    wire: WireFormat, *, train_id: int, link: int, pulse_id: Sequence[int], version: tuple[int, int] = (1, 0)
) -> BlockFields:
    """The fields of a train in which nothing is wrong; frame k lies in memory cell k."""
    frames = len(pulse_id)
    return BlockFields(
        train_id=train_id,
        link=link,
        cell_id=range(frames),
        pulse_id=pulse_id,
        image_count=frames,
        status=(0,) * frames,
        length=(wire.bytes_per_pulse,) * frames,
        version=version,
    )


class Block:
    """One module's block for trains of a fixed number of frames. Owns its bytes."""

    def __init__(self, wire: WireFormat, frames: int, checksum: Checksum = "none") -> None:
        self.layout = block_layout(wire.bytes_per_pulse, wire.detector_bytes, frames)
        self._wire, self._checksum = wire, checksum
        self._bytes = np.zeros(self.layout.total, np.uint8)
        self.view = memoryview(self._bytes.data)
        """All bytes of the block, (total,) u1."""
        self.images: NDArray[np.uint16] = (
            self._bytes[self.layout.image : self.layout.cell_id]
            .view("<u2")
            .reshape(frames, wire.bytes_per_pulse // 2)
        )
        """(frames, pixels of one image) u2, to be filled by the forward model; a view into the block."""

    def finish(self, fields: BlockFields) -> None:
        """Write everything but the images.

        Raises ValueError when a list does not have one entry for each frame.
        """
        at, frames = self.layout, self.layout.frames
        for name, values in (
            ("cell_id", fields.cell_id),
            ("pulse_id", fields.pulse_id),
            ("status", fields.status),
            ("length", fields.length),
        ):
            if len(values) != frames:
                raise ValueError(f"{name} has {len(values)} entries for {frames} frames")
        _HEADER.pack_into(
            self.view,
            0,
            fields.magic_begin,
            *fields.version,
            fields.train_id,
            0,
            ANY_TRAIN_BUILDER | fields.link,
            fields.image_count,
            self._wire.detector_bytes,
            0,
        )
        struct.pack_into(f"<{frames}H", self.view, at.cell_id, *fields.cell_id)
        struct.pack_into(f"<{frames}Q", self.view, at.pulse_id, *fields.pulse_id)
        struct.pack_into(f"<{frames}H", self.view, at.status, *fields.status)
        struct.pack_into(f"<{frames}I", self.view, at.length, *fields.length)
        if fields.detector:
            self.view[at.detector : at.trailer] = fields.detector
        _TRAILER.pack_into(self.view, at.trailer, 0, 0, fields.trailer_status, fields.magic_end)
        if self._checksum == "crc32":
            self.set_checksum(self.crc32())

    def crc32(self) -> int:
        """CRC-32 (zlib) of everything before the trailer."""
        return zlib.crc32(self.view[: self.layout.trailer])

    def set_checksum(self, checksum: int) -> None:
        """Write the first checksum word of the trailer; the second stays zero."""
        struct.pack_into("<Q", self.view, self.layout.trailer, checksum)


def encode_block(wire: WireFormat, images: NDArray[np.uint16], fields: BlockFields) -> bytes:
    """One whole block as bytes.

    images  (frames, …) uint16, each frame *wire.bytes_per_pulse* bytes
    Raises ValueError when shapes and lists disagree.
    """
    block = Block(wire, len(images))
    block.images[:] = images.reshape(block.images.shape)
    block.finish(fields)
    return bytes(block.view)
