"""A client of an instrument that speaks SCPI over a raw socket."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import Final, Self

from fat.degg.station.address import host_and_port
from fat.degg.station.errors import InstrumentRefused, InstrumentSilent

TIMEOUT_S: Final = 5.0
MAX_ANSWER: Final = 1 << 16


class ScpiInstrument:
    """Messages and answers, each ended by LF. Methods raise InstrumentSilent and InstrumentRefused."""

    def __init__(self, name: str, address: str, timeout_s: float = TIMEOUT_S) -> None:
        self.name, self.address = name, address
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None

    def ask(self, message: str) -> str:
        """The answer to a query."""
        sock = self._connected()
        got, deadline = bytearray(), time.monotonic() + self._timeout_s
        try:
            sock.sendall(message.encode("ascii") + b"\n")
            while not got.endswith(b"\n"):
                sock.settimeout(max(1e-3, deadline - time.monotonic()))
                more = sock.recv(4096)
                if not more:
                    raise self._gone("closed the connection")
                got += more
                if len(got) > MAX_ANSWER:
                    raise self._gone("answers without end")
        except TimeoutError:
            raise self._gone(f"does not answer {message!r}") from None
        except OSError as error:
            raise self._gone(f"cut the connection ({error.strerror or error})") from None
        return got.decode("latin-1").strip()

    def do(self, *messages: str) -> None:
        """Commands; then asks whether they were done, and for the instrument's error. Raises InstrumentRefused."""
        for message in messages:
            said = self.ask(f"*CLS;:{message};*OPC?;:SYST:ERR?")
            done, _, error = said.partition(";")
            if done.strip() != "1" or not error.lstrip("+").startswith("0"):
                raise InstrumentRefused(self.name, message, error or said)

    def number(self, query: str) -> float:
        """The number that a query is answered with."""
        said = self.ask(query)
        try:
            return float(said)
        except ValueError:
            raise InstrumentRefused(self.name, query, said) from None

    def identity(self) -> str:
        """Maker, model, serial number, version."""
        return self.ask("*IDN?")

    def close(self) -> None:
        """Leave; the next message connects anew."""
        sock, self._socket = self._socket, None
        if sock is not None:
            sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
