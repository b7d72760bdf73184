"""An HTTP server for a simulated device: Starlette on uvicorn, with a byte transcript."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from sim.errors import AddressTaken
from sim.kernel.device import Problem
from sim.kernel.redaction import Redactor, redacted
from sim.kernel.transcript import Transcript

HEAD_TIMEOUT_S: Final = 10.0
"""How long the line and the headers of a request may take."""
COALESCED_BYTES: Final = 1 << 16
"""More than this is not held for the sake of one packet."""
Connections = dict[tuple[str, int], asyncio.Transport]
"""Open connections by the client's address and port."""


class _Server(uvicorn.Server):
    """Uvicorn without its own signal handling, and with an event for *ready*."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the process host."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self.ready.set()


def _recording_protocol(transcript: Transcript, channel: str, open_: Connections) -> type[H11Protocol]:
    class RecordingTransport:
        """Passes everything on, and notes what is written.

        What is written in one step of the loop, a head and its body, leaves in one packet: there are clients that
        read an answer with a single `recv`.
        """

        def __init__(self, transport: asyncio.Transport, flush: Callable[[], None]) -> None:
            self._transport, self._flush = transport, flush
            self._held = bytearray()

        def write(self, data: bytes) -> None:
            self._flush()
            transcript.sent(channel, redacted(data))
            if not self._held:
                asyncio.get_running_loop().call_soon(self._send)
            self._held += data
            if len(self._held) > COALESCED_BYTES:
                self._send()

        def close(self) -> None:
            self._send()
            self._transport.close()

        def _send(self) -> None:
            held, self._held = self._held, bytearray()
            if held:
                self._transport.write(held)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._transport, name)

    class RecordingProtocol(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            self._redactor = Redactor()
            self._head_timer: asyncio.TimerHandle | None = None
            super().connection_made(RecordingTransport(transport, self._flush))  # type: ignore[arg-type]
            if self.client is not None:
                open_[self.client] = transport
            self._watch_the_head()

        def data_received(self, data: bytes) -> None:
            self._note(self._redactor.feed(data))
            super().data_received(data)
            self._watch_the_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._flush()
            self._stop_watching()
            if self.client is not None:
                open_.pop(self.client, None)
            super().connection_lost(exc)

        def _watch_the_head(self) -> None:
            """Give a request's head only so long: a client that sends a byte now and then must not hold us."""
            if self.conn.their_state is not h11.IDLE:
                self._stop_watching()
            elif self._head_timer is None:
                self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

        def _stop_watching(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _flush(self) -> None:
            self._note(self._redactor.flush())

        def _note(self, data: bytes) -> None:
            if data:
                transcript.received(channel, data)

    return RecordingProtocol


def bind(device: str, host: str, port: int) -> socket.socket:
    """A TCP socket bound to *host* and *port* (0: a free one). Raises AddressTaken."""
    # With the protocol named, asyncio sets TCP_NODELAY on what is accepted; else each answer waits 40 ms for an ACK.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        # Listening at once makes a second bench on the same port fail here, with a clear sentence.
        sock.listen(128)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise AddressTaken(device, host, port) from None
        raise
    return sock


class HttpServer:
    """Serves an ASGI application at one address."""

    def __init__(
        self,
        device: str,
        app: ASGIApp,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        transcript: Transcript,
        channel: str = "http",
    ) -> None:
        self._device, self._host, self._port = device, host, port
        self._open: Connections = {}
        self._config = uvicorn.Config(
            app,
            http=_recording_protocol(transcript, channel, self._open),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            timeout_keep_alive=30,
        )
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Bind and serve. Returns `http://host:port`. Raises AddressTaken."""
        sock = bind(self._device, self._host, self._port)
        self._server = _Server(self._config)
        self._task = asyncio.create_task(self._server.serve(sockets=[sock]), name=f"http {self._device}")
        await self._server.ready.wait()
        return f"http://{self._host}:{sock.getsockname()[1]}"

    def drop(self, client: tuple[str, int]) -> None:
        """Cut a client's connection off, whatever it waits for."""
        transport = self._open.get(client)
        if transport is not None:
            transport.abort()

    async def stop(self) -> None:
        """Finish requests in progress for a second, then close."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task
            self._server = self._task = None

    def problems(self) -> Sequence[Problem]:
        """An HTTP server has no problems of its own; devices report theirs."""
        return ()
