"""A client of an instrument that takes lines and answers lines, over a socket."""

from __future__ import annotations

import socket
import time
from typing import Final

from fat.degg.station.address import host_and_port
from fat.degg.station.errors import InstrumentSilent

TIMEOUT_S: Final = 5.0
MAX_ANSWER: Final = 4096


class TextLine:
    """Lines ended by LF, both ways. Methods raise InstrumentSilent."""

    def __init__(self, name: str, address: str, timeout_s: float = TIMEOUT_S) -> None:
        self.name, self.address = name, address
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None

    def connect(self) -> None:
        """Connect, unless it is connected."""
        self._connected()

    def say(self, line: str) -> None:
        """Send a line that is not answered."""
        sock = self._connected()
        try:
            sock.settimeout(self._timeout_s)
            sock.sendall(line.encode("ascii") + b"\n")
        except OSError as error:
            raise self._gone(f"cut the connection ({error.strerror or error})") from None

    def ask(self, line: str) -> str:
        """Send a line; its answer without the end."""
        self.say(line)
        sock = self._connected()
        got, deadline = bytearray(), time.monotonic() + self._timeout_s
        try:
            while not got.endswith(b"\n"):
                sock.settimeout(max(1e-3, deadline - time.monotonic()))
                more = sock.recv(MAX_ANSWER)
                if not more:
                    raise self._gone("closed the connection")
                got += more
                if len(got) > MAX_ANSWER:
                    raise self._gone("answers without end")
        except TimeoutError:
            raise self._gone(f"does not answer {line!r}") from None
        except OSError as error:
            raise self._gone(f"cut the connection ({error.strerror or error})") from None
        return got.decode("latin-1").strip()

    def close(self) -> None:
        """Leave; the next line connects anew."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    def _connected(self) -> socket.socket:
        if self._socket is None:
            try:
                self._socket = socket.create_connection(
                    host_and_port(self.name, self.address), self._timeout_s
                )
            except OSError as error:
                raise InstrumentSilent(self.name, self.address, f"does not connect ({error})") from None
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._socket

    def _gone(self, what: str) -> InstrumentSilent:
        self.close()
        return InstrumentSilent(self.name, self.address, what)
