"""Where everything lies in an XTDF block, and how a block is cut into datagrams.

Facts: section order and sizes from `LpdDefinitions.h` (stfc-aeg/lpd-detector) and `DsscTrainData.hh` (Heidelberg
DSSC software); sizes of the detector-specific section from `extra_data/tests/mockdata/detectors.py` (EXtra-data).
All numbers on the wire are little-endian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

HEADER_BYTES: Final = 64
TRAILER_BYTES: Final = 32
LIST_ALIGNMENT: Final = 32
DATAGRAM_PAYLOAD: Final = 8184
DATAGRAM_TRAILER: Final = 8


@dataclass(frozen=True, slots=True)
class WireFormat:
    """What differs between the detectors."""

    detector: str
    bytes_per_pulse: int
    """Bytes of one module's image of one pulse."""
    detector_bytes: int
    """Bytes of the detector-specific section."""
    max_cells: int


AGIPD: Final = WireFormat("AGIPD", 2 * 512 * 128 * 2, 5408, 352)
LPD: Final = WireFormat("LPD", 256 * 256 * 2, 416, 512)
DSSC: Final = WireFormat("DSSC", 128 * 512 * 2, 416, 800)


def padded(size: int) -> int:
    """The size of a list of *size* bytes on the wire: the next multiple of 32."""
    return -(-size // LIST_ALIGNMENT) * LIST_ALIGNMENT


@dataclass(frozen=True, slots=True)
class BlockLayout:
    """Byte offsets of the sections of one block; every field is bytes from the block's start."""

    frames: int
    """Number of images; the only field that is no offset."""
    image: int
    cell_id: int
    pulse_id: int
    status: int
    length: int
    detector: int
    trailer: int
    total: int


def block_layout(bytes_per_pulse: int, detector_bytes: int, frames: int) -> BlockLayout:
    """Lay out a block of *frames* images, without a train-builder section. Raises ValueError below zero."""
    if frames < 0:
        raise ValueError(f"a block cannot hold {frames} images")
    cell_id = HEADER_BYTES + frames * bytes_per_pulse
    pulse_id = cell_id + padded(2 * frames)
    status = pulse_id + padded(8 * frames)
    length = status + padded(2 * frames)
    detector = length + padded(4 * frames)
    trailer = detector + detector_bytes
    total = trailer + TRAILER_BYTES
    return BlockLayout(frames, HEADER_BYTES, cell_id, pulse_id, status, length, detector, trailer, total)


def packet_count(block_bytes: int) -> int:
    """How many datagrams carry a block of that many bytes."""
    return -(-block_bytes // DATAGRAM_PAYLOAD)


def last_payload(block_bytes: int) -> int:
    """Payload bytes of the last datagram."""
    return block_bytes - (packet_count(block_bytes) - 1) * DATAGRAM_PAYLOAD
