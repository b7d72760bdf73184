"""The stream's socket: ZeroMQ PUSH, bound, fed from the outbox."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence

import zmq
import zmq.asyncio

from sim.dectris.messages import Parts
from sim.dectris.outbox import Outbox, Policy
from sim.errors import AddressTaken
from sim.kernel import Problem, Transcript


class StreamServer:
    """Sends the outbox's messages to whoever pulls.

    With policy block a task sends and waits for receivers. With policy drop a message that nobody can take at once
    is lost: an image counts as dropped, a start or end message vanishes, as on hardware.
    """

    def __init__(
        self,
        device: str,
        outbox: Outbox,
        *,
        port: int,
        transcript: Transcript,
        room_made: Callable[[], Awaitable[None]],
    ) -> None:
        self._device, self._outbox, self._port = device, outbox, port
        self._transcript, self._room_made = transcript, room_made
        self._context: zmq.asyncio.Context | None = None
        self._sender: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    async def start(self) -> str:
        """Bind and send. Returns `tcp://host:port`. Raises AddressTaken."""
        self._context = zmq.asyncio.Context(io_threads=1)
        socket = self._context.socket(zmq.PUSH)
        # The high-water mark counts messages, and has no effect after bind.
        socket.set_hwm(self._outbox.limit)
        socket.setsockopt(zmq.LINGER, 0)
        try:
            socket.bind(f"tcp://127.0.0.1:{self._port or '*'}")
        except zmq.ZMQError as error:
            socket.close()
            self._context.term()
            if error.errno == zmq.EADDRINUSE:
                raise AddressTaken(self._device, "127.0.0.1", self._port) from None
            raise
        if self._outbox.policy is Policy.BLOCK:
            self._outbox.on_put = self._ready.set
            self._sender = asyncio.create_task(self._send_all(socket), name=f"stream {self._device}")
        else:
            plain: zmq.Socket[bytes] = zmq.Socket.shadow(socket.underlying)
            self._outbox.on_put = lambda: self._send_or_drop(plain)
        return str(socket.getsockopt_string(zmq.LAST_ENDPOINT))

    async def stop(self) -> None:
        """Close the socket; messages that nobody took are lost."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
            self._sender = None
        if self._context is not None:
            self._context.destroy(linger=0)
            self._context = None

    def problems(self) -> Sequence[Problem]:
        """The stream counts what it drops; it has no other problems."""
        return ()

    async def _send_all(self, socket: zmq.asyncio.Socket) -> None:
        while True:
            self._ready.clear()
            while (taken := self._outbox.take()) is not None:
                await socket.send_multipart(taken[0], copy=False)
                self._note(taken[0])
                await self._room_made()
            await self._ready.wait()

    def _send_or_drop(self, socket: zmq.Socket[bytes]) -> None:
        while (taken := self._outbox.take()) is not None:
            parts, is_image = taken
            with contextlib.suppress(zmq.Again):
                socket.send_multipart(parts, zmq.NOBLOCK, copy=False)
                self._note(parts)
                continue
            self._outbox.dropped += is_image

    def _note(self, parts: Parts) -> None:
        for part in parts:
            self._transcript.sent("stream", part)
