"""An instrument at a ZeroMQ port that answers requests, as a REP socket does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final

import zmq
import zmq.asyncio

from sim.errors import AddressTaken
from sim.kernel import FaultBoard, Problem, Transcript
from sim.kernel.clock import SimClock
from sim.lab.lines.link import LineCut, Link
from sim.lab.lines.talk import Instrument

MAX_WAITING: Final = 100
"""Requests of one client that wait their turn."""
PART_END: Final = b"\0"
REBIND_TRIES: Final = 100
REBIND_S: Final = 0.02


class RequestPort:
    """Serves one instrument, one request at a time, whoever asks. Parts of a request come with a zero byte between.

    The socket is a ROUTER that keeps the envelopes as a REP socket would: so a request may stay unanswered, and a
    client that went away, or that asked again before its answer (REQ_RELAXED), does not hold the others.

    max_bytes  longer messages end their connection, unread
    """

    def __init__(
        self,
        name: str,
        instrument: Instrument,
        clock: SimClock,
        faults: FaultBoard,
        transcript: Transcript,
        *,
        max_bytes: int,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._name, self._faults, self._max_bytes = name, faults, max_bytes
        self._host, self._port = host, port
        self._talker = instrument.connect()
        self._link = Link(clock, faults, transcript, name)
        self._context: zmq.asyncio.Context | None = None
        self._answering: asyncio.Task[None] | None = None
        self._moves: set[asyncio.Task[None]] = set()
        faults.watch(self._switched)

    async def start(self) -> str:
        """Bind; returns `tcp://host:port`. Raises AddressTaken."""
        self._context = zmq.asyncio.Context()
        self._open(self._context)
        return f"tcp://{self._host}:{self._port}"

    async def stop(self) -> None:
        """Close the port. May be called twice, and before start."""
        for move in list(self._moves):
            move.cancel()
        await asyncio.gather(*self._moves, return_exceptions=True)
        await self._close()
        if self._context is not None:
            self._context.destroy(linger=0)
            self._context = None

    def problems(self) -> Sequence[Problem]:
        """A port has none of its own."""
        return ()

    def _open(self, context: zmq.asyncio.Context) -> None:
        socket = context.socket(zmq.ROUTER)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.MAXMSGSIZE, self._max_bytes)
        socket.setsockopt(zmq.HANDSHAKE_IVL, 5000)
        socket.set_hwm(MAX_WAITING)
        try:
            socket.bind(f"tcp://{self._host}:{self._port or '*'}")
        except zmq.ZMQError:
            socket.close()
            raise AddressTaken(self._name, self._host, self._port) from None
        self._port = int(socket.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])
        self._answering = asyncio.create_task(self._answer(socket), name=f"{self._name} answers")

    async def _close(self) -> None:
        if self._answering is not None:
            self._answering.cancel()
            await asyncio.gather(self._answering, return_exceptions=True)
            self._answering = None

    async def _answer(self, socket: zmq.asyncio.Socket) -> None:
        try:
            while True:
                parts = await socket.recv_multipart()
                if b"" not in parts[1:]:
                    continue  # a REP socket drops what has no envelope
                end = parts.index(b"", 1) + 1
                await self._serve(socket, parts[:end], PART_END.join(parts[end:]))
        except LineCut:
            self._answering = None
            self._move(self._reopen())
        finally:
            socket.close()

    async def _serve(self, socket: zmq.asyncio.Socket, envelope: list[bytes], body: bytes) -> None:
        async def send(data: bytes) -> None:
            await socket.send_multipart([*envelope, data])

        await self._link.serve(self._talker, body, send)

    def _switched(self, fault: str) -> None:
        if fault == "refuse_connection":
            self._move(self._follow_refusal())

    def _move(self, work: Coroutine[Any, Any, None]) -> None:
        move = asyncio.get_running_loop().create_task(work, name=f"{self._name} moves")
        self._moves.add(move)
        move.add_done_callback(self._moves.discard)

    async def _follow_refusal(self) -> None:
        refuses = self._faults.is_on("refuse_connection")
        if refuses and self._answering is not None:
            self._faults.strike("refuse_connection")
            await self._close()
        elif not refuses and self._answering is None:
            await self._reopen()

    async def _reopen(self) -> None:
        """Bind again; ZeroMQ lets go of a port a little after its socket was closed."""
        for _ in range(REBIND_TRIES):
            if self._context is None or self._faults.is_on("refuse_connection"):
                return
            try:
                self._open(self._context)
                return
            except AddressTaken:
                await asyncio.sleep(REBIND_S)
