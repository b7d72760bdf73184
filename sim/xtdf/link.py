"""The link from a module to its receiver: UDP, sent no faster than the receiver's kernel can hold."""

from __future__ import annotations

import errno
import re
import socket
import time
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

from sim.errors import SimError
from sim.xtdf.layout import DATAGRAM_PAYLOAD, DATAGRAM_TRAILER
from sim.xtdf.receiver_queue import ReceiverQueue

SEND_BUFFER_BYTES: Final = 4 << 20
DATAGRAM_BYTES: Final = DATAGRAM_PAYLOAD + DATAGRAM_TRAILER
UDP_SEGMENT: Final = 103
"""Linux: the kernel cuts what is sent into datagrams of this size (linux/udp.h)."""
TOGETHER: Final = 7
"""Datagrams in one system call: an IP packet is at most 65535 bytes before it is cut."""
KERNEL_BYTES: Final = 2 * DATAGRAM_BYTES
"""What a datagram may take of a receiver's buffer: the kernel counts its own overhead too."""
FILL: Final = 0.75
"""Share of a receiver's buffer that is filled before the sender waits."""
PATIENCE_S: Final = 0.1
"""A receiver whose queue stays full for so long is not waited for until it has read: no detector waits for ever."""
PAUSE_S: Final = 0.0002
_ADDRESS: Final = re.compile(r"udp://[^/?#]+")


class AddressUnusable(SimError):
    """A receiver's address is none that datagrams can be sent to: stop."""

    exit_code = 2

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__(f"{address!r} is no receiver's address; it must look like udp://127.0.0.1:4321")


def parse_address(address: str) -> tuple[str, int]:
    """Host and port of `udp://host:port`. Raises AddressUnusable."""
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise AddressUnusable(address) from None
    if not _ADDRESS.fullmatch(address) or not host or not port:
        raise AddressUnusable(address)
    return host, port


class UdpLink:
    """One module's socket. Blocks while it sends; used by one thread."""

    def __init__(self, address: str) -> None:
        host, port = parse_address(address)
        self.address = address
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        try:
            self._socket.connect((host, port))
        except OSError as error:
            self._socket.close()
            raise SimError(f"cannot send to {address}: {error.strerror}") from None
        self._queue = ReceiverQueue(*self._socket.getpeername())
        # A group must fit into the receiver's buffer, or the sender would wait for room that never comes.
        fits = self._queue.room(FILL) >= KERNEL_BYTES * TOGETHER
        self._together = TOGETHER if fits and self._offload() else 1
        self._credit = 0
        self._patient = True
        self.datagrams_sent = 0
        self.bytes_sent = 0
        """Bytes of datagrams, without the headers of UDP and IP."""

    def send(self, datagrams: Iterable[Sequence[bytes | memoryview]]) -> int:
        """Send datagrams, each given in parts. Returns how many found nobody at the address.

        Full datagrams leave several at a time where the kernel can cut them; a shorter one ends such a group.
        Raises ValueError for a datagram beyond 8192 bytes.
        """
        refused = 0
        group: list[bytes | memoryview] = []
        count = 0
        for parts in datagrams:
            group.extend(parts)
            count += 1
            size = sum(map(len, parts))
            if size > DATAGRAM_BYTES:
                raise ValueError(f"a datagram of {size} bytes is longer than {DATAGRAM_BYTES}")
            if count == self._together or size < DATAGRAM_BYTES:
                refused += self._send_group(group, count)
                group, count = [], 0
        if group:
            refused += self._send_group(group, count)
        return refused

    def _send_group(self, parts: Sequence[bytes | memoryview], count: int) -> int:
        """Send up to TOGETHER datagrams at once; how many were refused."""
        self._credit -= count
        if self._credit < 0:
            self._give_time()
        try:
            self.bytes_sent += self._socket.sendmsg(parts)
        except ConnectionRefusedError:
            # The kernel reports an earlier datagram's fate here; these were not sent.
            return count
        except OSError as error:
            if count == 1 or error.errno not in (errno.EMSGSIZE, errno.EINVAL, errno.EIO):
                raise
            return self._send_singly(parts)
        self.datagrams_sent += count
        return 0

    def _send_singly(self, parts: Sequence[bytes | memoryview]) -> int:
        """This path cannot cut datagrams (its MTU is smaller, say): from now on, one for each call."""
        self._together = 1
        whole = b"".join(parts)
        single = [(whole[at : at + DATAGRAM_BYTES],) for at in range(0, len(whole), DATAGRAM_BYTES)]
        return sum(self._send_group(datagram, 1) for datagram in single)

    def _offload(self) -> bool:
        """Ask the kernel to cut what is sent; whether it can (Linux 4.18 and later)."""
        try:
            self._socket.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, DATAGRAM_BYTES)
        except OSError:
            return False
        return True

    def _give_time(self) -> None:
        """Wait until the receiver has room; not for one that has read nothing for PATIENCE_S."""
        deadline = time.monotonic() + PATIENCE_S
        while (room := self._queue.room(FILL)) < KERNEL_BYTES * self._together:
            if not self._patient or time.monotonic() > deadline:
                self._patient = False
                self._credit = 0
                return
            time.sleep(PAUSE_S)  # network pacing follows wall time; the device itself never sleeps
        self._patient = True
        self._credit = room // KERNEL_BYTES - self._together

    def close(self) -> None:
        """Close the socket. May be called twice."""
        self._socket.close()
        self._queue.close()
