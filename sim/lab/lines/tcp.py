"""An instrument at a TCP port."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from typing import Final

from sim.errors import SimError
from sim.kernel import FaultBoard, Problem, Transcript
from sim.kernel.clock import SimClock
from sim.kernel.http import bind
from sim.lab.lines.link import LineCut, Link
from sim.lab.lines.talk import Instrument, Unasked

CHUNK: Final = 1 << 12
"""Bytes that an instrument is given at once: a client that floods shall not have the loop for itself."""
MAX_CLIENTS: Final = 16
MAX_UNREAD: Final = 1 << 20
"""Bytes that a client leaves unread until what is said unasked is thrown away."""
UNREAD_S: Final = 20.0
"""A client that lets answers lie so long is cut off."""
ROOM_S: Final = 1.0
"""How long a further client waits for one that is just leaving."""
KEEP_ALIVE: Final = ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
MAX_PROBLEMS: Final = 20


class TcpLine:
    """Serves one instrument. Several clients may be connected at once, unless it takes one only.

    one_client  a further client waits a moment for the first to leave, and is cut off then
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
        unread_s: float = UNREAD_S,
    ) -> None:
        self._name, self._instrument, self._host, self._port = name, instrument, host, port
        self._clock, self._faults = clock, faults
        self._link = Link(clock, faults, transcript, name)
        self._max_clients = 1 if one_client else MAX_CLIENTS
        self._unread_s = unread_s
        self._up = False
        self._moving = asyncio.Lock()
        self._server: asyncio.Server | None = None
        self._kept: socket.socket | None = None
        self._clients: dict[asyncio.Task[None], asyncio.StreamReader] = {}
        self._waiting: set[asyncio.Task[None]] = set()
        self._moves: set[asyncio.Task[None]] = set()
        self._problems: list[Problem] = []
        faults.watch(self._switched)

    async def start(self) -> str:
        """Bind; returns `tcp://host:port`. Raises AddressTaken."""
        self._up = True
        await self._listen()
        await self._follow_refusal()
        return f"tcp://{self._host}:{self._port}"

    async def stop(self) -> None:
        """Close the port and every line."""
        self._up = False
        moves = list(self._moves)
        for move in moves:
            move.cancel()
        await asyncio.gather(*moves, return_exceptions=True)
        await self._close()
        self._give_up_the_port()

    def problems(self) -> Sequence[Problem]:
        """Errors of the instrument's own, which the line survived."""
        return tuple(self._problems)

    async def _listen(self) -> None:
        self._give_up_the_port()
        sock = bind(self._name, self._host, self._port)
        self._port = sock.getsockname()[1]
        # Inherited by what is accepted: a client whose machine went away is noticed within half a minute.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEP_ALIVE:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)
        self._server = await asyncio.start_server(self._connected, sock=sock, limit=CHUNK)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        clients = [*self._clients, *self._waiting]
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)

    def _keep_the_port(self) -> None:
        """Hold the port without listening: connections are refused, and nobody else is given it."""
        self._kept = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._kept.bind((self._host, self._port))

    def _give_up_the_port(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def _switched(self, fault: str) -> None:
        if fault == "refuse_connection" and self._up:
            move = asyncio.get_running_loop().create_task(
                self._follow_refusal(), name=f"{self._name} refuses"
            )
            self._moves.add(move)
            move.add_done_callback(self._moves.discard)

    async def _follow_refusal(self) -> None:
        """Make the port what the fault says now, however often it was switched meanwhile."""
        async with self._moving:
            if self._faults.is_on("refuse_connection") and self._server is not None:
                self._faults.strike("refuse_connection")
                await self._close()
                self._keep_the_port()
            # A refusal for one time is over now.
            if not self._faults.is_on("refuse_connection") and self._server is None:
                await self._listen()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            if not await self._room():
                writer.transport.abort()
                return
            self._clients[task] = reader
            await self._talk(reader, writer)
        except (LineCut, TimeoutError, asyncio.CancelledError):
            writer.transport.abort()
        except (ConnectionError, SimError):
            pass  # the client is gone, or the bench is
        except Exception as error:  # noqa: BLE001 - an instrument with a mistake must not take its port along
            self._complain(error)
            writer.transport.abort()
        finally:
            self._waiting.discard(task)
            self._clients.pop(task, None)
            writer.close()

    async def _room(self) -> bool:
        """Whether there is room for one more client, if need be after those who have hung up were let go."""
        deadline = asyncio.get_running_loop().time() + ROOM_S
        while len(self._clients) >= self._max_clients:
            for task, reader in self._clients.items():
                if reader.at_eof():
                    task.cancel()
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                return False
            # Somebody's hang-up may be a step of the loop behind us.
            await asyncio.wait(self._clients, timeout=min(left_s, 0.05), return_when=asyncio.FIRST_COMPLETED)
        return self._server is not None

    def _complain(self, error: Exception) -> None:
        if len(self._problems) < MAX_PROBLEMS:
            text = f"a command made the instrument fail: {type(error).__name__}: {error}"
            self._problems.append(Problem(self._name, self._clock.now, text))

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talker = self._instrument.connect()

        async def send(data: bytes) -> None:
            writer.write(data)
            # Where nothing waits, all of it is with the client's machine already.
            if writer.transport.get_write_buffer_size():
                async with asyncio.timeout(self._unread_s):
                    await writer.drain()

        if isinstance(talker, Unasked):
            talker.attach(lambda data: self._push(data, writer))
        coming = asyncio.create_task(reader.read(CHUNK), name=f"{self._name} reads")
        try:
            while data := await coming:
                # Read ahead of the answer: some waits end with it.
                coming = asyncio.create_task(reader.read(CHUNK), name=f"{self._name} reads")
                await self._link.serve(talker, data, send, coming=coming)
                await asyncio.sleep(0)
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
            if isinstance(talker, Unasked):
                talker.detach()

    def _push(self, data: bytes, writer: asyncio.StreamWriter) -> None:
        if writer.transport.get_write_buffer_size() < MAX_UNREAD and (data := self._link.unasked(data)):
            writer.write(data)
