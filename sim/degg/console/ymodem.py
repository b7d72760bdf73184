"""YMODEM, the receiving side: how files come into the flash memory over the console.

Blocks of 128 or 1024 bytes with CRC-16; the first names the file and its size; EOT is asked for twice; the last block
is empty. As the sender of the public client does it: after the last block it waits for one more `C`.
"""

from __future__ import annotations

import binascii
from typing import Final

SOH, STX, EOT, ACK, NAK, CAN, SYNC = b"\x01", b"\x02", b"\x04", b"\x06", b"\x15", b"\x18", b"C"
_SIZES: Final = {SOH: 128, STX: 1024}
MAX_CONTENT: Final = 16 << 20
MAX_ERRORS: Final = 10


class Receiver:
    """One transfer. Feed it until it has ended."""

    def __init__(self) -> None:
        self.content: bytes | None = None
        """The file, when it has come whole."""
        self.ended = False
        self.rest = b""
        """What came after the end and belongs to somebody else."""
        self._held, self._file = bytearray(), bytearray()
        self._size: int | None = None
        self._expected, self._errors, self._eots = 0, 0, 0

    def feed(self, data: bytes) -> bytes:
        """Take bytes; returns what is to be sent."""
        self._held += data
        answer = b""
        while self._held and not self.ended:
            start = bytes(self._held[:1])
            if start == EOT and self._size is not None:
                del self._held[0]
                answer += self._end_of_file()
            elif start in _SIZES:
                length = _SIZES[start] + 5
                if len(self._held) < length:
                    break
                block = bytes(self._held[:length])
                del self._held[:length]
                answer += self._block(block)
            else:  # not a sender: whoever is there wants something else
                self._stop(bytes(self._held) if start != CAN else b"")
        return answer

    def _end_of_file(self) -> bytes:
        self._eots += 1
        if self._eots == 1:
            return NAK
        self._expected = 0
        return ACK + SYNC

    def _block(self, block: bytes) -> bytes:
        number, data = block[1], block[3:-2]
        good = block[2] == number ^ 0xFF and binascii.crc_hqx(data, 0) == int.from_bytes(block[-2:], "big")
        if good and number == (self._expected - 1) & 0xFF and self._expected > 0:
            return ACK  # it came twice
        if not good or number != self._expected & 0xFF:
            self._errors += 1
            if self._errors < MAX_ERRORS:
                return NAK
            self._stop()
            return CAN + CAN
        return self._take(data)

    def _take(self, data: bytes) -> bytes:
        if self._size is None:
            return self._begin(data)
        if self._eots >= 2:
            self.content = bytes(self._file[: self._size])
            self._stop(bytes(self._held))
            return ACK + SYNC
        self._expected += 1
        self._file += data[: self._size - len(self._file)]
        return ACK

    def _begin(self, data: bytes) -> bytes:
        name, _, size = data.partition(b"\0")
        digits = size.split(b"\0")[0].split()
        if not name or not digits or not digits[0].isdigit() or len(digits[0]) > 9:
            self._stop()
            return CAN + CAN
        self._size = int(digits[0])
        if self._size > MAX_CONTENT:
            self._stop()
            return CAN + CAN
        self._expected = 1
        return ACK + SYNC

    def _stop(self, rest: bytes = b"") -> None:
        self.ended, self.rest = True, rest
        self._held.clear()
