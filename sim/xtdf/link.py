"""The link from a module to its receiver: UDP, sent no faster than the receiver's kernel can hold."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sim.errors import SimError

SEND_BUFFER_BYTES: Final = 4 << 20
BURST: Final = 12
"""Datagrams between two looks at the receiver's queue; Linux' default receive buffer holds about 25 of 8 kB."""
QUEUE_BYTES: Final = 64 << 10
"""A local receiver with more than this in its kernel queue is given time."""
PATIENCE_S: Final = 0.1
"""A receiver whose queue stays full for so long is not waited for until it has read: no detector waits for ever."""
PAUSE_S: Final = 0.0002
KERNEL_SOCKETS: Final = Path("/proc/net/udp")


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
    if parts.scheme != "udp" or not host or not port:
        raise AddressUnusable(address)
    return host, port


class ReceiverQueue:
    """How many bytes wait in the kernel for a receiver on this machine.

    UDP has no flow control, and loopback has no line rate. On the instrument, receivers have buffers for whole trains
    (the DSSC laboratory receiver asks for 110 MB); a desktop's kernel grants some hundred kB. So the sender looks.
    """

    def __init__(self, port: int) -> None:
        self._line = re.compile(
            rb":\s[0-9A-F]{8}:%04X\s[0-9A-F]{8}:[0-9A-F]{4}\s\S\S\s[0-9A-F]{8}:([0-9A-F]{8})" % port
        )
        try:
            self._kernel = os.open(KERNEL_SOCKETS, os.O_RDONLY)
        except OSError:
            self._kernel = -1

    def waiting(self) -> int:
        """Bytes in the receiver's queue, as the kernel accounts them; 0 for a receiver elsewhere."""
        if self._kernel < 0:
            return 0
        table = b""
        while part := os.pread(self._kernel, 1 << 16, len(table)):
            table += part
        return sum(int(found, 16) for found in self._line.findall(table))

    def close(self) -> None:
        """Close the kernel's table."""
        if self._kernel >= 0:
            os.close(self._kernel)
            self._kernel = -1


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
        self._queue = ReceiverQueue(port)
        self._patient = True

    def send(self, datagrams: Iterable[Sequence[bytes | memoryview]]) -> int:
        """Send datagrams, each given in parts. Returns how many found nobody at the address."""
        refused = 0
        for number, parts in enumerate(datagrams):
            if number % BURST == 0:
                self._give_time()
            try:
                self._socket.sendmsg(parts)
            except ConnectionRefusedError:
                # The kernel reports an earlier datagram's fate here; this one was not sent.
                refused += 1
        return refused

    def _give_time(self) -> None:
        """Wait while the receiver has enough to read; not for one that has read nothing for PATIENCE_S."""
        deadline = time.monotonic() + PATIENCE_S
        while self._queue.waiting() > QUEUE_BYTES:
            if not self._patient or time.monotonic() > deadline:
                self._patient = False
                return
            time.sleep(PAUSE_S)  # network pacing follows wall time; the device itself never sleeps
        self._patient = True

    def close(self) -> None:
        """Close the socket. May be called twice."""
        self._socket.close()
        self._queue.close()
