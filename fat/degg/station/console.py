"""A client of one Iceboot console: a command, its echo, the output, the prompt.

The board echoes a line exactly, answers, and ends with CR LF and `> `. Blocks of events are so many raw bytes between
echo and prompt. One connection serves a whole task; it is opened by the first command, and anew after a time-out, so
that an answer which comes too late is never taken for another command's.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from fat.degg.station.address import host_and_port
from fat.degg.station.errors import AnswerMalformed, EventsMissing, ModuleRefused, ModuleSilent

PROMPT: Final = b"\r\n> "
TIMEOUT_S: Final = 5.0
"""Public clients give a console 1 s; ours are patient, because sixteen of them may share a busy machine."""
BOOT_TIMEOUT_S: Final = 3.0
BOOT_TRY_S: Final = 1.0
BOOT_TRIES: Final = 15
"""A board starts in 2 s and hears nothing meanwhile."""
CONNECT_TIMEOUT_S: Final = 5.0
MAX_TEXT: Final = 1 << 20
"""Bytes of an answer in words."""
MAX_BLOCK: Final = 4 << 20
MAX_UNASKED: Final = 1 << 16
CHUNK: Final = 1 << 18
_STACK: Final = re.compile(r"<\d+>((?:\s+\S+)*)\s*$")
_COMPLAINT: Final = re.compile(rb"[ -~]{1,200}\r\n> $")


class Console:
    """One module's console. Methods raise ModuleSilent and ModuleRefused; one thread at a time is served."""

    def __init__(self, name: str, address: str, timeout_s: float = TIMEOUT_S) -> None:
        self.name, self.address = name, address
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None
        self._turn = threading.RLock()
        self._unasked = bytearray()

    def ask(self, command: str, timeout_s: float | None = None) -> str:
        """What the board prints to a command, without echo and prompt."""
        with self._turn:
            return self._exchange(self._connected(), command, timeout_s or self._timeout_s)

    def do(self, *commands: str, timeout_s: float | None = None) -> None:
        """Commands that print nothing, on one line; raises ModuleRefused when one prints something."""
        line = " ".join(commands)
        said = self.ask(line, timeout_s).strip()
        if said:
            raise ModuleRefused(self.name, line, said)

    def number(self, command: str, timeout_s: float | None = None) -> int:
        """The number that a command leaves on the stack (`fpgaVersion .s drop`)."""
        return self.numbers(command, 1, timeout_s)[0]

    def numbers(self, command: str, count: int, timeout_s: float | None = None) -> list[int]:
        """The last *count* numbers that commands leave on the stack."""
        line = f"{command} .s" + " drop" * count
        said = self.ask(line, timeout_s)
        found = _STACK.search(said)
        if found is None:
            raise ModuleRefused(self.name, command, said.strip())
        try:
            numbers = [int(item, 0) for item in found[1].split()][-count:]
        except ValueError:
            numbers = []
        if len(numbers) != count:
            raise AnswerMalformed(self.name, line, f"is {said.strip()[:80]!r} and not {count} numbers")
        return numbers

    def block(self, command: str, length: int, timeout_s: float) -> bytes:
        """Exactly *length* raw bytes. Raises EventsMissing when the board echoes and then stays silent."""
        if not 0 <= length <= MAX_BLOCK:
            raise ValueError(f"a block has at most {MAX_BLOCK} bytes, not {length}")
        with self._turn:
            return self._block(self._connected(), command, length, timeout_s)

    def restart(self, between: Callable[[], None] = lambda: None) -> None:
        """`reboot`, which has no answer, and `boot` on the same connection until the board is there again.

        between  what to do between two tries
        """
        with self._turn:
            sock = self._connected()
            self._send(sock, _line("reboot"))
            for left in reversed(range(BOOT_TRIES)):
                try:
                    self._begin(sock, BOOT_TRY_S)
                    return
                except _Quiet:
                    if not left:
                        raise self._gone("does not come back after `reboot`") from None
                    between()

    def unasked(self, length: int, timeout_s: float) -> bytes:
        """The next *length* bytes that the board sends unasked (RAPCal packets of its ICM)."""
        with self._turn:
            sock = self._connected()
            deadline = time.monotonic() + timeout_s
            while len(self._unasked) < length:
                try:
                    self._receive(sock, self._unasked, deadline, MAX_UNASKED)
                except _Quiet:
                    raise self._gone("sends no packet of its ICM") from None
            data = bytes(self._unasked[:length])
            del self._unasked[:length]
            return data

    def listen(self) -> None:
        """Be connected, so that what is sent unasked is not lost."""
        with self._turn:
            self._connected()

    def close(self) -> None:
        """Leave the console; the next command opens it again."""
        with self._turn:
            sock, self._socket = self._socket, None
            self._unasked.clear()
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
            where = host_and_port(self.name, self.address)
            try:
                sock = socket.create_connection(where, CONNECT_TIMEOUT_S)
            except OSError as error:
                raise ModuleSilent(self.name, self.address, f"does not connect ({error})") from None
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = sock
            try:
                self._begin(sock, BOOT_TIMEOUT_S)
            except _Quiet:
                raise self._gone("connects, but does not answer `boot`") from None
        return self._socket

    def _begin(self, sock: socket.socket, timeout_s: float) -> None:
        """The beginning of a session, as public clients do it; before it, it is not sure that there is an echo."""
        for command in ("boot", "true setecho disableLogOutput sdrop"):
            self._send(sock, _line(command))
            got, deadline = bytearray(), time.monotonic() + timeout_s
            while not got.endswith(PROMPT):
                self._receive(sock, got, deadline, MAX_TEXT)

    def _exchange(self, sock: socket.socket, command: str, timeout_s: float) -> str:
        line = _line(command)
        self._send(sock, line)
        got, deadline, at = bytearray(), time.monotonic() + timeout_s, -1
        while at < 0 or not got.endswith(PROMPT, at + len(line)):
            try:
                self._receive(sock, got, deadline, MAX_TEXT)
            except _Quiet:
                raise self._gone(f"does not answer {command!r}") from None
            if at < 0:
                at = got.find(line)
        self._keep(got[:at])
        return got[at + len(line) : -len(PROMPT)].decode("latin-1")

    def _block(self, sock: socket.socket, command: str, length: int, timeout_s: float) -> bytes:
        line = _line(command)
        self._send(sock, line)
        got, deadline, at = bytearray(), time.monotonic() + max(timeout_s, self._timeout_s), -1
        while at < 0 or len(got) < at + len(line) + length + len(PROMPT):
            try:
                self._receive(sock, got, deadline, MAX_BLOCK + MAX_TEXT)
            except _Quiet:
                silent = self._gone(f"does not answer {command!r}")
                if at >= 0 and len(got) == at + len(line):
                    raise EventsMissing(self.name, timeout_s) from None
                raise silent from None
            if at < 0 and (at := got.find(line)) >= 0:
                deadline = (
                    time.monotonic() + timeout_s
                )  # the board has heard us: from now on it waits for events
            if at >= 0 and got.endswith(PROMPT):
                self._refused(command, bytes(got[at + len(line) :]))
        self._keep(got[:at])
        first = at + len(line)
        data, rest = bytes(got[first : first + length]), bytes(got[first + length :])
        if rest != PROMPT:
            self.close()
            raise AnswerMalformed(self.name, command, f"has more than {length} bytes")
        return data

    def _refused(self, command: str, said: bytes) -> None:
        """A refusal instead of raw bytes is a short line of printable text, such as `nonsense ?`."""
        word = command.split()[-1].encode()
        if _COMPLAINT.match(said) and said.startswith((word + b":", word + b" ?")):
            raise ModuleRefused(self.name, command, said[: -len(PROMPT)].decode("latin-1"))

    def _keep(self, data: bytes | bytearray) -> None:
        if data:
            self._unasked += data
            del self._unasked[:-MAX_UNASKED]

    def _send(self, sock: socket.socket, line: bytes) -> None:
        sock.settimeout(self._timeout_s)
        try:
            sock.sendall(line)
        except OSError as error:
            raise self._gone(f"closed the connection ({error})") from None

    def _receive(self, sock: socket.socket, got: bytearray, deadline: float, most: int) -> None:
        """Add what comes. Raises _Quiet when nothing does, ModuleSilent when the connection is gone, or talks on."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise _Quiet
        try:
            sock.settimeout(left)
            data = sock.recv(CHUNK)
        except TimeoutError:
            raise _Quiet from None
        except OSError as error:
            raise self._gone(f"cut the connection ({error.strerror or error})") from None
        if not data:
            raise self._gone("closed the connection")
        got += data
        if len(got) > most:
            raise self._gone("answers without end")

    def _gone(self, what: str) -> ModuleSilent:
        """Leave, so that what comes too late is nobody's answer."""
        with contextlib.suppress(OSError):
            self.close()
        return ModuleSilent(self.name, self.address, what)


class _Quiet(Exception):  # what happened
    """Nothing came in time."""


def _line(command: str) -> bytes:
    return command.encode("latin-1") + b"\r\n"
