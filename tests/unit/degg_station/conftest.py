"""An instrument that says by heart what a page of peripherals.md says it does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

Exchange = tuple[bytes, bytes]
"""What has to be received next, and what is answered."""
TIMEOUT_S = 20.0


class Scripted:
    """One client at a time; what is received must be the script, byte by byte, in packets of any size."""

    def __init__(self, script: Sequence[Exchange]) -> None:
        self._script = list(script)
        self.wrong: list[str] = []
        self.received = b""
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(TIMEOUT_S)
        self.address = f"tcp://127.0.0.1:{self._server.getsockname()[1]}"
        self._ended = False
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while self._script and not self._ended:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client:
                client.settimeout(TIMEOUT_S)
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        got = b""
        while self._script:
            wanted, answer = self._script[0]
            if got.startswith(wanted):
                got = got[len(wanted) :]
                self._script.pop(0)
                # In two pieces, as networks do it.
                client.sendall(answer[: len(answer) // 2])
                client.sendall(answer[len(answer) // 2 :])
                continue
            if not wanted.startswith(got):
                self.wrong.append(f"{got!r} and not {wanted!r}")
                return
            try:
                more = client.recv(4096)
            except OSError:
                return
            if not more:
                return
            self.received += more
            got += more

    @property
    def done(self) -> bool:
        """Whether all of the script was played."""
        return not self._script and not self.wrong

    def close(self) -> None:
        """End it."""
        self._ended = True
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes who waits for a client
        self._server.close()
        self._thread.join(TIMEOUT_S)


@pytest.fixture
def scripted() -> Iterator[Callable[[Sequence[Exchange]], Scripted]]:
    made: list[Scripted] = []

    def make(script: Sequence[Exchange]) -> Scripted:
        made.append(Scripted(script))
        return made[-1]

    yield make
    for one in made:
        one.close()
    assert [wrong for one in made for wrong in one.wrong] == []
