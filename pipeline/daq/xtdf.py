"""Read XTDF train blocks: header, images, lists, detector section, trailer.

Layout and magic numbers: STFC lpd-detector, LpdDefinitions.h; Heidelberg DSSC software, DsscTrainData.hh; shapes:
EXtra-data, tests/mockdata/detectors.py. All numbers are little-endian. A block comes from the network: whatever its
bytes are, reading it ends in a train with flags or in TrainMalformed.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from pipeline.errors import TrainMalformed
from pipeline.model import U8, ModuleTrain, TrainFlag

MAGIC_BEGIN: Final = bytes.fromhex("cefaefbe46445458")
MAGIC_END: Final = bytes.fromhex("cdabadde46445458")
HEADER_BYTES: Final = 64
TRAILER_BYTES: Final = 32
LIST_ALIGNMENT: Final = 32
GOOD: Final = TrainFlag(0)
_HEADER: Final = struct.Struct("<8sIIQQQQII8s")


@dataclass(frozen=True, slots=True)
class DetectorFormat:
    """What one kind of detector sends for each frame and each train."""

    name: str
    frame_shape: tuple[int, ...]
    """Shape of one frame of u16 on the wire."""
    detector_bytes: int
    """Size of the detector-specific section."""
    max_cells: int

    @property
    def frame_bytes(self) -> int:
        """Bytes of one frame."""
        size = 2
        for extent in self.frame_shape:
            size *= extent
        return size


FORMATS: Final = {
    "AGIPD": DetectorFormat("AGIPD", (2, 512, 128), 5408, 352),
    "LPD": DetectorFormat("LPD", (1, 256, 256), 416, 512),
    "DSSC": DetectorFormat("DSSC", (1, 128, 512), 416, 800),
}


@dataclass(frozen=True, slots=True)
class Layout:
    """Byte offsets of the sections of a block with a given number of frames."""

    frames: int
    cell_id: int
    pulse_id: int
    status: int
    length: int
    detector: int
    train_builder: int
    trailer: int
    total: int


def _padded(size: int) -> int:
    return -(-size // LIST_ALIGNMENT) * LIST_ALIGNMENT


def layout(
    form: DetectorFormat, frames: int, detector_bytes: int | None = None, train_builder_bytes: int = 0
) -> Layout:
    """Where the sections of a block of *frames* frames begin; sections follow each other without gaps."""
    cell_id = HEADER_BYTES + frames * form.frame_bytes
    pulse_id = cell_id + _padded(2 * frames)
    status = pulse_id + _padded(8 * frames)
    length = status + _padded(2 * frames)
    detector = length + _padded(4 * frames)
    train_builder = detector + (form.detector_bytes if detector_bytes is None else detector_bytes)
    trailer = train_builder + train_builder_bytes
    return Layout(
        frames, cell_id, pulse_id, status, length, detector, train_builder, trailer, trailer + TRAILER_BYTES
    )


@dataclass(frozen=True, slots=True)
class Header:
    """The 64 bytes before the images."""

    magic: bytes
    major_version: int
    minor_version: int
    train_id: int
    data_id: int
    link_id: int
    image_count: int
    detector_bytes: int
    train_builder_bytes: int
    reserved: bytes
    """16 bytes from offset 48, as files show them."""


def read_header(block: U8) -> Header:
    """Read the header. Raises TrainMalformed when the block is shorter than a header."""
    if len(block) < HEADER_BYTES:
        raise TrainMalformed(
            f"a block of {len(block)} bytes is shorter than the {HEADER_BYTES} bytes of a header"
        )
    raw = block[:HEADER_BYTES].tobytes()
    magic, major, minor, train, data, link, count, detector, builder, _ = _HEADER.unpack(raw)
    return Header(magic, major, minor, train, data, link, count, detector, builder, raw[48:])


def decode(block: U8, module: int, form: DetectorFormat, flags: TrainFlag = GOOD) -> ModuleTrain:
    """View a received block as a train; nothing is copied but header and trailer.

    block   (bytes,) uint8, from the first header byte to the last trailer byte
    flags   what the assembler found; what is found here is added

    Raises TrainMalformed when there are fewer bytes than a header. A block whose size does not fit its image count
    gives a train with as many whole frames as can be told, flagged BAD_COUNT or TRUNCATED.
    """
    header = read_header(block)
    if header.magic != MAGIC_BEGIN:
        flags |= TrainFlag.BAD_MAGIC
    if header.train_id == 0:
        flags |= TrainFlag.TRAIN_ID_ZERO
    place = layout(form, header.image_count, header.detector_bytes, header.train_builder_bytes)
    if place.total != len(block) or header.image_count > form.max_cells:
        return _fragment(block, module, form, header, flags | _size_problem(block, place.total))
    count = place.frames
    trailer = block[place.trailer :].tobytes()
    train = ModuleTrain(
        module=module,
        train_id=header.train_id,
        data=block[HEADER_BYTES : place.cell_id].view("<u2").reshape(count, *form.frame_shape),
        cell_id=block[place.cell_id : place.cell_id + 2 * count].view("<u2"),
        pulse_id=block[place.pulse_id : place.pulse_id + 8 * count].view("<u8"),
        status=block[place.status : place.status + 2 * count].view("<u2"),
        length=block[place.length : place.length + 4 * count].view("<u4"),
        header=block[:HEADER_BYTES].tobytes(),
        detector=block[place.detector : place.train_builder],
        trailer=trailer,
    )
    train.flags = flags | _content_problems(train, form) | _checksum(block, trailer)
    return train


def _size_problem(block: U8, total: int) -> TrainFlag:
    """A block that is whole by its own last bytes has a wrong count; one that just stops was truncated."""
    if len(block) >= total or block[-8:].tobytes() == MAGIC_END:
        return TrainFlag.BAD_COUNT
    return TrainFlag.TRUNCATED


def _content_problems(train: ModuleTrain, form: DetectorFormat) -> TrainFlag:
    found = TrainFlag(0)
    if train.trailer[24:] != MAGIC_END:
        found |= TrainFlag.BAD_MAGIC
    if train.trailer[16:24] != bytes(8) or train.status.any():
        found |= TrainFlag.BAD_STATUS
    if (train.length != form.frame_bytes).any():
        found |= TrainFlag.BAD_LENGTH
    return found


def _checksum(block: U8, trailer: bytes) -> TrainFlag:
    """Compare checkSum0 with the CRC-32 of all before the trailer: our convention, the facility's is not public."""
    stated = int.from_bytes(trailer[:8], "little")
    if stated == 0 or zlib.crc32(block[: len(block) - TRAILER_BYTES].data) == stated:
        return TrainFlag(0)
    return TrainFlag.BAD_CHECKSUM


def _fragment(block: U8, module: int, form: DetectorFormat, header: Header, flags: TrainFlag) -> ModuleTrain:
    """The part of a broken block that can be told: header and whole frames, no lists."""
    room = (len(block) - HEADER_BYTES) // form.frame_bytes
    count = min(header.image_count, room, form.max_cells)
    end = HEADER_BYTES + count * form.frame_bytes
    return ModuleTrain(
        module=module,
        train_id=header.train_id,
        data=block[HEADER_BYTES:end].view("<u2").reshape(count, *form.frame_shape),
        cell_id=np.zeros(count, "<u2"),
        pulse_id=np.zeros(count, "<u8"),
        status=np.zeros(count, "<u2"),
        length=np.zeros(count, "<u4"),
        header=block[:HEADER_BYTES].tobytes(),
        detector=np.zeros(0, np.uint8),
        trailer=bytes(TRAILER_BYTES),
        flags=flags,
    )
