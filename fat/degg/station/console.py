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
from types import TracebackType
from typing import Final, Self

from fat.degg.station.address import host_and_port
from fat.degg.station.errors import AnswerMalformed, EventsMissing, ModuleRefused, ModuleSilent

PROMPT: Final = b"\r\n> "
TIMEOUT_S: Final = 5.0
"""Public clients give a console 1 s; ours are patient, because sixteen of them may share a busy machine."""
BOOT_TIMEOUT_S: Final = 3.0
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
            sock = self._connected()
            line = _line(command)
            self._send(sock, line)
            return self._block(sock, line, length, timeout_s)

    def say(self, command: str) -> None:
        """A command that has no answer (`reboot`); the next one opens the console anew."""
        with self._turn:
            self._send(self._connected(), _line(command))
            self.close()

    def unasked(self, length: int, timeout_s: float) -> bytes:
        """The next *length* bytes that the board sends unasked (RAPCal packets of its ICM)."""
        with self._turn:
            sock = self._connected()
            deadline = time.monotonic() + timeout_s
            while len(self._unasked) < length:
                self._unasked += self._receive(sock, deadline, "sends no packet of its ICM")
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
            self._begin(sock)
        return self._socket

    def _begin(self, sock: socket.socket) -> None:
        """The beginning of a session, as public clients do it; before it, it is not sure that there is an echo."""
        for command in ("boot", "true setecho disableLogOutput sdrop"):
            self._send(sock, _line(command))
            got, deadline = bytearray(), time.monotonic() + BOOT_TIMEOUT_S
            while not got.endswith(PROMPT):
                got += self._receive(sock, deadline, f"does not answer {command!r}")
                if len(got) > MAX_TEXT:
                    raise self._gone("answers without end")

    def _exchange(self, sock: socket.socket, command: str, timeout_s: float) -> str:
        line = _line(command)
        self._send(sock, line)
        got, deadline, at = bytearray(), time.monotonic() + timeout_s, -1
        while at < 0 or not got.endswith(PROMPT, at + len(line)):
            got += self._receive(sock, deadline, f"does not answer {command!r}")
            if at < 0:
                at = got.find(line)
            if len(got) > MAX_TEXT:
                raise self._gone("answers without end")
        self._keep(got[:at])
        return got[at + len(line) : -len(PROMPT)].decode("latin-1")

    def _block(self, sock: socket.socket, line: bytes, length: int, timeout_s: float) -> bytes:
        got, deadline, at = bytearray(), time.monotonic() + timeout_s, -1
        silent = f"does not answer {line.decode('latin-1').strip()!r}"
        while at < 0 or len(got) < at + len(line) + length + len(PROMPT):
            try:
                got += self._receive(sock, deadline, silent)
            except ModuleSilent:
                if at >= 0 and len(got) == at + len(line):
                    raise EventsMissing(self.name, timeout_s) from None
                raise
            if at < 0:
                at = got.find(line)
            if at >= 0 and len(got) < at + len(line) + length and got.endswith(PROMPT):
                self._refused(line, bytes(got[at + len(line) :]))
            if len(got) > MAX_BLOCK + MAX_TEXT:
                raise self._gone("answers without end")
        self._keep(got[:at])
        first = at + len(line)
        data, rest = bytes(got[first : first + length]), bytes(got[first + length :])
        if rest != PROMPT:
            self.close()
            raise AnswerMalformed(self.name, line.decode("latin-1").strip(), f"has more than {length} bytes")
        return data

    def _refused(self, line: bytes, said: bytes) -> None:
        """A refusal instead of raw bytes is a short line of printable text, such as `nonsense ?`."""
        command = line.decode("latin-1").strip()
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

    def _receive(self, sock: socket.socket, deadline: float, silent: str) -> bytes:
        left = deadline - time.monotonic()
        try:
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)
            data = sock.recv(CHUNK)
        except TimeoutError:
            raise self._gone(silent) from None
        except OSError as error:
            raise self._gone(f"cut the connection ({error.strerror or error})") from None
        if not data:
            raise self._gone("closed the connection")
        return data

    def _gone(self, what: str) -> ModuleSilent:
        """Leave, so that what comes too late is nobody's answer."""
        with contextlib.suppress(OSError):
            self.close()
        return ModuleSilent(self.name, self.address, what)


def _line(command: str) -> bytes:
    return command.encode("latin-1") + b"\r\n"
