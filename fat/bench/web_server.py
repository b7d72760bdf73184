"""Uvicorn inside the bench's own loop: bound before it serves, stopped within bounds, no signal handling."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from fat.errors import BenchError


class PortInUse(BenchError):
    """A port of the bench is in use."""

    exit_code = 2

    def __init__(self, what: str, host: str, port: int) -> None:
        super().__init__(
            f"{what}: port {port} on {host} is in use; stop its owner, or write port 0 for a free one"
        )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the bench process."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so."""
        await super().startup(sockets)
        self.ready.set()


class MadeWhenAsked:
    """An application that is made, and its modules imported, at its first request."""

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._make = make
        self._app: ASGIApp | None = None
        self._making = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the first waits until the application is there, and the loop goes on meanwhile."""
        async with self._making:
            if self._app is None:
                self._app = await asyncio.to_thread(self._make)
        await self._app(scope, receive, send)


class WebServer:
    """Serves one application at one address."""

    def __init__(self, what: str, app: ASGIApp, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self._what, self._host, self._port = what, host, port
        config = uvicorn.Config(
            app,
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
            ws_ping_interval=None,
        )
        self._server = _Server(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Bind and serve. Returns `http://host:port`. Raises PortInUse."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((self._host, self._port))
            sock.listen(128)
        except OSError as error:
            sock.close()
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(self._what, self._host, self._port) from None
            raise
        self._task = asyncio.create_task(self._server.serve(sockets=[sock]), name=self._what)
        await self._server.ready.wait()
        return f"http://{self._host}:{sock.getsockname()[1]}"

    async def stop(self) -> None:
        """Close within about a second. May be called twice, and before start."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task
            self._task = None
