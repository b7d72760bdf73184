"""Serve the control interface: uvicorn in a thread of its own, on a socket that is bound before."""

from __future__ import annotations

import socket
import threading
from typing import Final

import uvicorn
from starlette.applications import Starlette

from pipeline.errors import AddressInUse

STOP_TIMEOUT_S: Final = 2.0


class _Server(uvicorn.Server):
    """A uvicorn server that tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening: Final = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()


class ControlServer:
    """The control interface at one address.

    Raises AddressInUse when the address is taken.
    """

    def __init__(self, app: Starlette, host: str = "127.0.0.1", port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise AddressInUse(
                "the control interface", f"http://{host}:{port}", str(error.strerror)
            ) from error
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
            timeout_keep_alive=30,
        )
        self._server = _Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name="control", daemon=True
        )

    def start(self) -> str:
        """Serve; the address once it accepts connections."""
        self._thread.start()
        self._server.listening.wait()
        host, port = self._socket.getsockname()
        return f"http://{host}:{port}"

    def stop(self) -> None:
        """Stop serving and close the socket; may be called twice, and before start."""
        if self._thread.is_alive():
            self._server.should_exit = True
            self._thread.join(STOP_TIMEOUT_S)
        self._socket.close()
