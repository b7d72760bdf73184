"""An instrument at a TCP port."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

from sim.kernel import FaultBoard, Problem, Transcript
from sim.kernel.clock import SimClock
from sim.kernel.http import bind
from sim.lab.lines.link import LineCut, Link
from sim.lab.lines.talk import Instrument, Unasked

CHUNK: Final = 1 << 16
MAX_CLIENTS: Final = 16
MAX_UNREAD: Final = 1 << 20
"""Bytes that a client leaves unread until what is said unasked is thrown away."""


class TcpLine:
    """Serves one instrument. Several clients may be connected at once, unless it takes one only.

    one_client  a further client is told nothing and cut off, unless the one before it has ended its side
    """

    def __init__(
        self,
        name: str,
        instrument: Instrument,
        clock: SimClock,
        faults: FaultBoard,
        transcript: Transcript,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        one_client: bool = False,
    ) -> None:
        self._name, self._instrument, self._host, self._port = name, instrument, host, port
        self._faults = faults
        self._link = Link(clock, faults, transcript, name)
        self._max_clients = 1 if one_client else MAX_CLIENTS
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._moves: set[asyncio.Task[None]] = set()
        self._ended: set[asyncio.Task[None]] = set()
        """Clients that will send no more; what they asked for may still be on its way."""
        faults.watch(self._switched)

    async def start(self) -> str:
        """Bind; returns `tcp://host:port`. Raises AddressTaken."""
        sock = bind(self._name, self._host, self._port)
        self._port = sock.getsockname()[1]
        self._server = await asyncio.start_server(self._connected, sock=sock, limit=CHUNK)
        return f"tcp://{self._host}:{self._port}"

    async def stop(self) -> None:
        """Close the port and every line."""
        for move in list(self._moves):
            move.cancel()
        await self._close()

    def problems(self) -> Sequence[Problem]:
        """A line has none of its own."""
        return ()

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        clients = list(self._clients)
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    def _switched(self, fault: str) -> None:
        if fault == "refuse_connection":
            move = asyncio.get_running_loop().create_task(
                self._follow_refusal(), name=f"{self._name} refuses"
            )
            self._moves.add(move)
            move.add_done_callback(self._moves.discard)

    async def _follow_refusal(self) -> None:
        refuses = self._faults.is_on("refuse_connection")
        if refuses and self._server is not None:
            self._faults.strike("refuse_connection")
            await self._close()
        elif not refuses and self._server is None:
            await self.start()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._clients) >= self._max_clients:
            await self._dismiss_ended()
        if len(self._clients) >= self._max_clients:
            writer.transport.abort()
            return
        self._clients[task] = writer
        try:
            with contextlib.suppress(ConnectionError):
                await self._talk(reader, writer)
        except (LineCut, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            del self._clients[task]
            self._ended.discard(task)
            writer.close()

    async def _dismiss_ended(self) -> None:
        ended = list(self._ended)
        for task in ended:
            task.cancel()
        await asyncio.gather(*ended, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talker = self._instrument.connect()
        task = asyncio.current_task()
        assert task is not None

        async def send(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        async def read() -> bytes:
            data = await reader.read(CHUNK)
            if not data:
                self._ended.add(task)
            return data

        if isinstance(talker, Unasked):
            talker.attach(lambda data: self._push(data, writer))
        coming = asyncio.create_task(read(), name=f"{self._name} reads")
        try:
            while data := await coming:
                coming = asyncio.create_task(read(), name=f"{self._name} reads")
                await self._link.serve(talker, data, send, coming=coming)
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
            if isinstance(talker, Unasked):
                talker.detach()

    def _push(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        if writer.transport.get_write_buffer_size() < MAX_UNREAD and (data := self._link.unasked(data)):
            writer.write(data)
