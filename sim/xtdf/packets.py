"""Cutting a block into datagrams: 8184 bytes of payload and an 8-byte trailer each.

The trailer is two u32: frame number, then packet number with start-of-frame (bit 31) and end-of-frame (bit 30), as both
public receivers read it: `LpdFrameDecoder.cpp` (stfc-aeg/lpd-detector), `DsscPacketReceiverSimple.cpp` (Heidelberg).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from sim.xtdf.layout import DATAGRAM_PAYLOAD, packet_count

SOF: Final = 1 << 31
EOF: Final = 1 << 30
_TRAILER: Final = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Packet:
    """One datagram before its bytes: which part of the block, under which number and flags."""

    number: int
    flags: int = 0


def plan(block_bytes: int) -> list[Packet]:
    """The datagrams of a block in order: the first has SOF, the last EOF, a single one both."""
    count = packet_count(block_bytes)
    return [Packet(k, (SOF if k == 0 else 0) | (EOF if k == count - 1 else 0)) for k in range(count)]


def datagrams(
    block: memoryview, frame_number: int, packets: Iterable[Packet]
) -> Iterator[tuple[memoryview, bytes]]:
    """Payload and packet trailer of each datagram; payloads are views into *block*, nothing is copied.

    frame_number is sent modulo 2³².
    """
    frame = frame_number & 0xFFFFFFFF
    for packet in packets:
        start = packet.number * DATAGRAM_PAYLOAD
        yield block[start : start + DATAGRAM_PAYLOAD], _TRAILER.pack(frame, packet.number | packet.flags)
