"""Recorded byte streams: every datagram with its arrival time and receiver, in a file of our own.

    8 bytes   "STWSTRM1"
    then for each datagram: u32 CRC-32 of what follows up to the next record, u64 ns since the first datagram,
    u16 receiver (0 … n-1), u16 bytes, the bytes

All little-endian. A record that is cut off or whose checksum differs ends the reading; what came before is good.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

MAGIC: Final = b"STWSTRM1"
_CRC: Final = struct.Struct("<I")
_RECORD: Final = struct.Struct("<QHH")


@dataclass(frozen=True, slots=True)
class Datagram:
    """One datagram as it came."""

    at_ns: int
    """Nanoseconds since the first one."""
    receiver: int
    payload: bytes


class StreamDamaged(Exception):
    """The file ends in the middle, or is not what was written."""


class StreamWriter:
    """Writes a stream file; what was written is there after every `flush`."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("wb")
        self._file.write(MAGIC)
        self.datagrams = 0

    def write(self, datagram: Datagram) -> None:
        """Append one datagram of at most 65535 bytes."""
        record = _RECORD.pack(datagram.at_ns, datagram.receiver, len(datagram.payload))
        self._file.write(_CRC.pack(zlib.crc32(datagram.payload, zlib.crc32(record))))
        self._file.write(record)
        self._file.write(datagram.payload)
        self.datagrams += 1

    def close(self) -> None:
        """Write what is left and close; may be called twice."""
        self._file.close()


def read_stream(path: Path) -> Iterator[Datagram]:
    """The datagrams in order. Raises StreamDamaged where the file is not what was written, after what is good."""
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise StreamDamaged(f"{path} is no recorded stream: it does not begin with {MAGIC.decode()}")
        number = 0
        while head := file.read(_CRC.size + _RECORD.size):
            if len(head) < _CRC.size + _RECORD.size:
                raise StreamDamaged(f"{path} ends in the middle of datagram {number}")
            (crc,) = _CRC.unpack_from(head)
            at_ns, receiver, size = _RECORD.unpack_from(head, _CRC.size)
            payload = file.read(size)
            if len(payload) < size:
                raise StreamDamaged(f"{path} ends in the middle of datagram {number}")
            if zlib.crc32(payload, zlib.crc32(head[_CRC.size :])) != crc:
                raise StreamDamaged(f"{path}: the checksum of datagram {number} differs; it was changed")
            yield Datagram(at_ns, receiver, payload)
            number += 1
