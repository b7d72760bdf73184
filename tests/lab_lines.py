"""Clients of a laboratory's lines that know no protocol: TCP, serial ports and ZeroMQ requests."""

from __future__ import annotations

import json
import os
import select
import socket
import time
import tty
from types import TracebackType
from typing import Any, Self

import zmq

PATIENCE_S = 10.0


class Line:
    """A byte line, closed at the end of a `with`."""

    def read(self, timeout_s: float) -> bytes | None:
        """What comes within a time; empty: nothing; None: the line has ended."""
        raise NotImplementedError

    def write(self, data: bytes) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def ask(
        self, command: bytes, end: bytes = b"\n", timeout_s: float = PATIENCE_S, begin: bytes = b""
    ) -> bytes:
        """Send a command and read up to *end* behind *begin*; less when the time is over or the line ends."""
        if command:
            self.write(command)
        got, until = b"", time.monotonic() + timeout_s
        while not (begin in got and got.endswith(end)) and (left := until - time.monotonic()) > 0:
            more = self.read(left)
            if more is None:
                break
            got += more
        return got

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Tcp(Line):
    """`tcp://host:port`. Raises ConnectionError when nobody listens."""

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        self._socket = socket.create_connection((host, int(port)), PATIENCE_S)

    def read(self, timeout_s: float) -> bytes | None:
        self._socket.settimeout(timeout_s)
        try:
            return self._socket.recv(65536) or None
        except TimeoutError:
            return b""
        except ConnectionError:
            return None

    def write(self, data: bytes) -> None:
        self._socket.sendall(data)

    def close(self) -> None:
        self._socket.close()


class Pty(Line):
    """The path of a serial port. Raises FileNotFoundError when it is not there."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd)

    def read(self, timeout_s: float) -> bytes | None:
        ready, _, _ = select.select([self._fd], [], [], timeout_s)
        try:
            return (os.read(self._fd, 65536) or None) if ready else b""
        except OSError:  # the other side has hung up
            return None

    def write(self, data: bytes) -> None:
        os.write(self._fd, data)

    def close(self) -> None:
        os.close(self._fd)


class Requests(Line):
    """A REQ socket; a request that is not answered in time is given up."""

    def __init__(self, address: str) -> None:
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._context.socket(zmq.REQ)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.REQ_RELAXED, 1)
        self._socket.setsockopt(zmq.REQ_CORRELATE, 1)
        self._socket.connect(address)

    def read(self, timeout_s: float) -> bytes | None:
        return self._socket.recv() if self._socket.poll(timeout_s * 1000) else b""

    def write(self, data: bytes) -> None:
        self._socket.send(data)

    def command(self, **fields: str) -> dict[str, Any]:
        """Send a command as clients do; the answer."""
        found: dict[str, Any] = json.loads(self.ask(json.dumps(fields).encode(), end=b"}"))
        return found

    def close(self) -> None:
        self._context.destroy(0)


def line(address: str) -> Line:
    """A client for an address of a laboratory: a TCP line, or a path."""
    return Tcp(address) if address.startswith("tcp://") else Pty(address)
