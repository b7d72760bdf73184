"""One remote: a ROUTER socket, a bounded line of waiting requests, and one request in work."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import zmq
import zmq.asyncio

from sim.caldb.remotes.counters import Counters
from sim.caldb.remotes.faults import BUSY, HANG, MEMORY, SLOW, RemoteFaults
from sim.caldb.remotes.fields import Refusal
from sim.caldb.remotes.log import RemoteLog
from sim.caldb.remotes.messages import (
    MOST_HEADER_BYTES,
    Answer,
    Inject,
    Request,
    Status,
    answer_frames,
    read_request,
    refusal_frames,
)
from sim.caldb.remotes.work import BUSY_WORDS, Store, carry_out
from sim.errors import AddressTaken
from sim.kernel.transcript import Transcript

MEMORY_WORDS: Final = "Cannot allocate memory"
REBIND_PAUSE_S: Final = 0.5
Frames = list[bytes | memoryview]


@dataclass(frozen=True, slots=True)
class Job:
    """A request that waits, and to whom its answer goes."""

    sender: Frames
    request: Request
    came_s: float
    brought_bytes: int


class Remote:
    """One access point, named `MAX_WEB_DATA/DM/CAL_REMOTE_{number}`.

    most_waiting  requests beyond that are answered with 'Resource temporarily unavailable' at once
    problem       told what a person should know of
    """

    def __init__(
        self,
        number: int,
        store: Store,
        faults: RemoteFaults,
        log: RemoteLog,
        transcript: Transcript,
        *,
        most_waiting: int,
        problem: Callable[[str], None],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = f"MAX_WEB_DATA/DM/CAL_REMOTE_{number}"
        self._channel = f"remote {number}"
        self._store, self._faults, self._log, self._transcript = store, faults, log, transcript
        self._most_waiting, self._problem, self._monotonic_s = most_waiting, problem, monotonic_s
        self.counters = Counters(monotonic_s)
        self.address = ""
        self._socket: zmq.asyncio.Socket | None = None
        self._waiting: deque[Job] = deque()
        self._something_waits = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._death: asyncio.Task[None] | None = None
        self._unresponsive = False
        self._working = False
        self.up = asyncio.Event()
        """Set while the remote can be reached."""

    def start(self, context: zmq.asyncio.Context, device: str, host: str, port: int) -> str:
        """Bind (0: a free port) and serve; the address. Raises AddressTaken."""
        try:
            self._bind(context, f"tcp://{host}:{port or '*'}")
        except zmq.ZMQError as error:
            if error.errno != zmq.EADDRINUSE:
                raise
            raise AddressTaken(device, host, port) from None
        return self.address

    async def stop(self) -> None:
        """Close, with whatever waits. May be called twice."""
        if self._death is not None:
            self._death.cancel()
            await asyncio.gather(self._death, return_exceptions=True)
            self._death = None
        await self._end()

    def kill(self, context: zmq.asyncio.Context, seconds: float) -> None:
        """Be gone at once, with all requests, and come back after so long."""
        if self._death is None or self._death.done():
            self.counters.kills += 1
            self.up.clear()
            self._death = asyncio.create_task(
                self._die_and_return(context, seconds), name=f"{self.name} dead"
            )

    def recover(self) -> None:
        """Respond again after running out of memory."""
        self._unresponsive = False

    @property
    def state(self) -> str:
        """down, unresponsive, working, or waiting on data."""
        if not self.up.is_set():
            return "down"
        if self._unresponsive:
            return "unresponsive"
        return "working" if self._working else "waiting on data"

    def status(self) -> dict[str, Any]:
        """State and counters."""
        return {"state": self.state, **self.counters.content()}

    def _bind(self, context: zmq.asyncio.Context, address: str) -> None:
        socket = context.socket(zmq.ROUTER)
        socket.linger = 0
        # A client has one request in flight; one that sends without end meets TCP's own bound.
        socket.rcvhwm, socket.sndhwm = 4, 100
        socket.setsockopt(zmq.MAXMSGSIZE, max(self._store.most_data_bytes, MOST_HEADER_BYTES))
        # Peers that stopped reading are given up, so that what is kept for them is free again.
        socket.setsockopt(zmq.HEARTBEAT_IVL, 10_000)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, 30_000)
        try:
            socket.bind(address)
        except zmq.ZMQError:
            socket.close()
            raise
        self._socket, self.address = socket, socket.getsockopt_string(zmq.LAST_ENDPOINT)
        self._tasks = [
            asyncio.create_task(self._receive(socket), name=f"{self.name} receives"),
            asyncio.create_task(self._work(socket), name=f"{self.name} works"),
        ]
        self.up.set()

    async def _end(self) -> None:
        self.up.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        while self._waiting:
            self._store.budget.give(self._waiting.popleft().brought_bytes)
        self.counters.waits(0)
        if self._socket is not None:
            self._socket.close(linger=0)
            self._socket = None

    async def _die_and_return(self, context: zmq.asyncio.Context, seconds: float) -> None:
        self._warn(f"killed; comes back in {seconds:g} s")
        await self._end()
        await asyncio.sleep(seconds)
        self.recover()
        while not self.up.is_set():
            try:
                self._bind(context, self.address)
            except zmq.ZMQError as error:
                # Closing goes on in ZeroMQ's thread, or somebody took the port meanwhile.
                self._warn(f"cannot come back yet: {error}")
                await asyncio.sleep(REBIND_PAUSE_S)

    async def _receive(self, socket: zmq.asyncio.Socket) -> None:
        while True:
            frames: Frames = [frame.buffer for frame in await socket.recv_multipart(copy=False)]
            # A REQ socket puts an empty frame before its message, and wants it back.
            head = 2 if len(frames) > 1 and not len(frames[1]) else 1
            with self._going_on():
                await self._take(socket, frames[:head], frames[head:])

    @contextlib.contextmanager
    def _going_on(self) -> Iterator[None]:
        """Whatever a request brings about, a full disk under the log included, the next one is served."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - see above
            self._problem(f"{self.name} failed on a request: {error!r}")

    async def _take(self, socket: zmq.asyncio.Socket, sender: Frames, frames: Frames) -> None:
        self._transcript.received(self._channel, b" | ".join(bytes(frame[:256]) for frame in frames[:2]))
        if self._unresponsive:
            self.counters.came()
            return
        try:
            request = read_request(frames)
        except Refusal as refusal:
            self.counters.came()
            await self._refuse(socket, sender, refusal)
            return
        if isinstance(request.body, Status):
            if not self._faults.is_on(HANG):
                await self._send(
                    socket, sender, answer_frames(self.name, request.number, Answer(self.status()))
                )
            return
        # Who only looks is not counted: a look must not change what it shows.
        self.counters.came()
        brought = len(request.body.data) if isinstance(request.body, Inject) else 0
        if len(self._waiting) >= self._most_waiting or not self._store.budget.take(brought):
            await self._refuse(socket, sender, _for(request, Refusal("busy", BUSY_WORDS)))
            return
        self._waiting.append(Job(sender, request, self._monotonic_s(), brought))
        self.counters.waits(len(self._waiting))
        self._something_waits.set()

    async def _work(self, socket: zmq.asyncio.Socket) -> None:
        while True:
            if not self._waiting:
                self._working = False
                self._log.note("INFO", self.name, "Waiting on data")
                self._something_waits.clear()
                await self._something_waits.wait()
            self._working = True
            job = self._waiting.popleft()
            self.counters.waits(len(self._waiting))
            try:
                with self._going_on():
                    await self._serve(socket, job)
            finally:
                self._store.budget.give(job.brought_bytes)
            del job

    async def _serve(self, socket: zmq.asyncio.Socket, job: Job) -> None:
        if self._unresponsive or self._faults.strike(HANG) is not None:
            return
        slow = self._faults.strike(SLOW)
        if slow is not None:
            await asyncio.sleep(slow["seconds"])
        try:
            answer = await self._answer(job.request)
        except Refusal as refusal:
            await self._refuse(socket, job.sender, _for(job.request, refusal))
        else:
            self.counters.answered += 1
            await self._send(socket, job.sender, answer_frames(self.name, job.request.number, answer))
        self.counters.took(self._monotonic_s() - job.came_s)

    async def _answer(self, request: Request) -> Answer:
        if self._faults.strike(MEMORY) is not None:
            self._unresponsive = True
            raise Refusal("out_of_memory", MEMORY_WORDS)
        if self._faults.strike(BUSY) is not None:
            raise Refusal("busy", BUSY_WORDS)
        try:
            return await carry_out(request.body, self._store, self._faults, self._say)
        except Refusal:
            raise
        except MemoryError:
            raise Refusal("out_of_memory", MEMORY_WORDS) from None
        except Exception as error:  # noqa: BLE001 - whatever a request brings about, the remote goes on
            self._warn(f"failed on a request: {error!r}")
            raise Refusal("failed", f"the remote failed on this request ({type(error).__name__})") from None

    async def _refuse(self, socket: zmq.asyncio.Socket, sender: Frames, refusal: Refusal) -> None:
        self.counters.refused[refusal.kind] += 1
        self._log.note("WARN", self.name, refusal.message)
        if refusal.kind == "out_of_memory":
            self._problem(f"{self.name}: {refusal.message}; {self.state}")
        await self._send(socket, sender, refusal_frames(self.name, refusal))

    async def _send(
        self, socket: zmq.asyncio.Socket, sender: Frames, frames: Sequence[bytes | memoryview]
    ) -> None:
        self._transcript.sent(self._channel, frames[0])
        # A client that has gone meanwhile is no failure: a ROUTER drops what it cannot deliver.
        with contextlib.suppress(zmq.ZMQError):
            await socket.send_multipart([*sender, *frames], copy=False)

    def _say(self, text: str) -> None:
        self._log.note("INFO", self.name, text)

    def _warn(self, text: str) -> None:
        self._log.note("WARN", self.name, text)
        self._problem(f"{self.name}: {text}")


def _for(request: Request, refusal: Refusal) -> Refusal:
    refusal.number = request.number
    return refusal
