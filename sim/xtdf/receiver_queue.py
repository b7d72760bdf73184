"""How much room a receiver on this machine has left in the kernel.

UDP has no flow control, and loopback has no line rate. On the instrument, receivers have buffers for whole trains (the
DSSC laboratory receiver asks for 110 MB); a desktop's kernel grants some hundred kB. So the sender looks: at the
kernel's socket diagnostics (linux/sock_diag.h, linux/inet_diag.h), or where these are missing at its table of sockets.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
from pathlib import Path
from typing import Final

PLENTY: Final = 1 << 40
"""Room of a receiver elsewhere: nobody can tell."""
KERNEL_SOCKETS: Final = Path("/proc/net/udp")
SMALL_BUFFER: Final = 96 << 10
"""Taken as a receiver's buffer where only its queue can be seen: half of Linux' default."""
NETLINK_SOCK_DIAG: Final = 4
SOCK_DIAG_BY_FAMILY: Final = 20
NLM_F_REQUEST: Final = 1
ANSWER_HEADER: Final = 16 + 72
"""Bytes of netlink's header and of struct inet_diag_msg before the attributes."""
INET_DIAG_SKMEMINFO: Final = 7
NO_COOKIE: Final = 0xFFFFFFFF


class ReceiverQueue:
    """The kernel's receive queue of the socket at *host*:*port*, an IPv4 address."""

    def __init__(self, host: str, port: int) -> None:
        self._request = _question(host, port)
        self._netlink: socket.socket | None = None
        with contextlib.suppress(OSError):
            self._netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
            self._netlink.settimeout(1)
        self._local = host.startswith("127.")
        self._table = _SocketTable(port) if self._local else None

    def room(self, fill: float) -> int:
        """Bytes until *fill* (0 … 1) of the buffer is used; PLENTY for a receiver elsewhere."""
        memory = self._memory()
        if memory is not None:
            used, size = memory
            return round(fill * size) - used
        if self._table is not None:
            return SMALL_BUFFER - self._table.waiting()
        return PLENTY

    def close(self) -> None:
        """Close what asks the kernel. May be called twice."""
        if self._netlink is not None:
            self._netlink.close()
            self._netlink = None
        if self._table is not None:
            self._table.close()

    def _memory(self) -> tuple[int, int] | None:
        """Used bytes and size of the buffer, or None where the kernel knows no such socket or does not tell."""
        if self._netlink is None:
            return None
        try:
            self._netlink.send(self._request)
            answer = self._netlink.recv(4096)
        except OSError:
            return None
        if int.from_bytes(answer[4:6], "little") != SOCK_DIAG_BY_FAMILY:
            return None
        at = ANSWER_HEADER
        while at + 4 <= len(answer):
            length, kind = struct.unpack_from("=HH", answer, at)
            if kind == INET_DIAG_SKMEMINFO and at + 12 <= len(answer):
                used, size = struct.unpack_from("=II", answer, at + 4)
                return int(used), int(size)
            at += max(4, (length + 3) & ~3)
        return None


def _question(host: str, port: int) -> bytes:
    """A request about one UDP socket: netlink header and struct inet_diag_req_v2."""
    to = socket.inet_aton(host)
    identity = struct.pack(">HH4s12x4s12x", 0, port, bytes(4), to) + struct.pack(
        "=III", 0, NO_COOKIE, NO_COOKIE
    )
    wanted = 1 << (INET_DIAG_SKMEMINFO - 1)
    body = struct.pack("=BBBBI", socket.AF_INET, socket.IPPROTO_UDP, wanted, 0, 0xFFFFFFFF) + identity
    return struct.pack("=IHHII", 16 + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0) + body


class _SocketTable:
    """The kernel's table of UDP sockets as text."""

    def __init__(self, port: int) -> None:
        self._line = re.compile(
            rb":\s[0-9A-F]{8}:%04X\s[0-9A-F]{8}:[0-9A-F]{4}\s\S\S\s[0-9A-F]{8}:([0-9A-F]{8})" % port
        )
        try:
            self._kernel = os.open(KERNEL_SOCKETS, os.O_RDONLY)
        except OSError:
            self._kernel = -1

    def waiting(self) -> int:
        """Bytes in the receiver's queue, as the kernel accounts them; 0 where there is no table."""
        if self._kernel < 0:
            return 0
        table = b""
        while part := os.pread(self._kernel, 1 << 16, len(table)):
            table += part
        return sum(int(found, 16) for found in self._line.findall(table))

    def close(self) -> None:
        if self._kernel >= 0:
            os.close(self._kernel)
            self._kernel = -1
