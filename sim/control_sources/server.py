"""The bridge's socket, and the small control address over which trains are ordered."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import zmq
import zmq.asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sim.control_sources.device import ControlSourcesDevice
from sim.errors import AddressTaken
from sim.kernel.device import Problem

MAX_TRAINS: Final = 1_000_000
_SOCKETS: Final = {"PUB": zmq.PUB, "REP": zmq.REP, "PUSH": zmq.PUSH}


class BridgeSocket:
    """Sends each message to whoever listens; keeps the newest for a client that asks."""

    def __init__(self, device: str, mode: str, port: int) -> None:
        self._device, self._mode, self._port = device, mode, port
        self._context = zmq.asyncio.Context()
        self._newest: asyncio.Queue[list[bytes]] = asyncio.Queue(1)
        self._answering: asyncio.Task[None] | None = None
        self._socket: zmq.asyncio.Socket | None = None

    async def start(self) -> str:
        """Bind; the address. Raises AddressTaken."""
        self._socket = self._context.socket(_SOCKETS[self._mode])
        self._socket.linger = 0
        self._socket.set_hwm(8)
        address = f"tcp://127.0.0.1:{self._port or '*'}"
        try:
            self._socket.bind(address)
        except zmq.ZMQError:
            raise AddressTaken(self._device, "127.0.0.1", self._port) from None
        if self._mode == "REP":
            self._answering = asyncio.create_task(self._answer(self._socket), name="bridge answers")
        return str(self._socket.getsockopt_string(zmq.LAST_ENDPOINT))

    def send(self, parts: list[bytes]) -> None:
        """Send a message, or keep it for the next request; a message that nobody takes is dropped."""
        if self._socket is None:
            return
        if self._mode == "REP":
            if self._newest.full():
                self._newest.get_nowait()
            self._newest.put_nowait(parts)
            return
        # Without a loop's help: sending never blocks, a full queue drops.
        with contextlib.suppress(zmq.Again):
            zmq.Socket.shadow(self._socket.underlying).send_multipart(parts, zmq.NOBLOCK)

    async def _answer(self, socket: zmq.asyncio.Socket) -> None:
        while True:
            request = await socket.recv_multipart()
            if request != [b"next"]:
                await socket.send(b"Error: bad request " + b" ".join(request)[:100])
                continue
            await socket.send_multipart(await self._newest.get())

    async def stop(self) -> None:
        """Close; may be called twice, and before start."""
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.gather(self._answering, return_exceptions=True)
            self._answering = None
        self._context.destroy(linger=0)

    def problems(self) -> Sequence[Problem]:
        """None."""
        return ()


def control_app(device: ControlSourcesDevice, poke: Callable[[], Awaitable[None]]) -> Starlette:
    """`GET /` tells what was sent; `POST /start {"trains": n}` orders trains."""

    async def show(_: Request) -> Response:
        return JSONResponse({"trains_sent": device.trains_sent})

    async def start(request: Request) -> Response:
        try:
            trains = json.loads((await request.body())[:4096])["trains"]
        except (ValueError, KeyError, TypeError):
            trains = None
        if not isinstance(trains, int) or isinstance(trains, bool) or not 1 <= trains <= MAX_TRAINS:
            return JSONResponse({"error": f'send {{"trains": n}} with n from 1 to {MAX_TRAINS}'}, 422)
        device.order(trains)
        await poke()
        return JSONResponse({"trains": trains})

    return Starlette(routes=[Route("/", show, methods=["GET"]), Route("/start", start, methods=["POST"])])
