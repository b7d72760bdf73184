"""The train builder's datagrams: payload, then a trailer of eight bytes.

Sources, which agree: the Heidelberg DSSC receiver (DsscPacketReceiverSimple) and the STFC LPD frame decoder
(LpdFrameDecoder).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

PAYLOAD_BYTES: Final = 8184
TRAILER_BYTES: Final = 8
DATAGRAM_BYTES: Final = PAYLOAD_BYTES + TRAILER_BYTES
START_OF_FRAME: Final = 1 << 31
END_OF_FRAME: Final = 1 << 30
NUMBER_MASK: Final = END_OF_FRAME - 1
TRAILER: Final = struct.Struct("<II")
TOGETHER: Final = 8
"""Most datagrams of full size that the kernel may hand over in one piece: it joins at most 65535 bytes."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What a datagram's trailer says, and how many bytes come before it."""

    frame: int
    """Frame number: the train id modulo 2³² by default."""
    number: int
    """Position in the frame, from 0; payload k holds bytes 8184k … of the block."""
    start: bool
    end: bool
    payload_bytes: int


def read_trailer(trailer: bytes | bytearray | memoryview, datagram_bytes: int) -> Packet | None:
    """Read the last eight bytes of a datagram; None when the datagram has no payload or is too long."""
    if not TRAILER_BYTES < datagram_bytes <= DATAGRAM_BYTES:
        return None
    frame, word = TRAILER.unpack(trailer)
    return Packet(
        frame,
        word & NUMBER_MASK,
        bool(word & START_OF_FRAME),
        bool(word & END_OF_FRAME),
        datagram_bytes - TRAILER_BYTES,
    )


def packets_for(block_bytes: int) -> int:
    """How many datagrams carry a block."""
    return max(1, -(-block_bytes // PAYLOAD_BYTES))
