"""Simulated time from the bench's clock, over one WebSocket (docs/architecture.md, The clock).

A clock that follows wall time says so in its answers. Then time is kept here, from the machine's monotonic clock, and
waits cost no message: a control unit that wakes 250 times a second would spend more on asking than on its images.

A clock that others move shows its time in memory. Looking there is asking, as long as the moment that is waited for
here has not come: from then on the answer to that wait is under way, and a question that follows it is answered after.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from itertools import count
from typing import Any
from urllib.parse import quote

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from sim.errors import SimError
from sim.kernel.shown_time import ShownTime
from sim.kernel.time import SimTime


class ClockLost(SimError):
    """The bench's clock went away: the bench is gone, so the simulator must stop."""


class BenchTime:
    """One participant of the bench's clock."""

    def __init__(self, clock_url: str, participant: str) -> None:
        self._url = f"{clock_url.replace('http', 'ws', 1)}/participate?name={quote(participant)}"
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._answers: dict[int, asyncio.Future[SimTime]] = {}
        self._ids = count(1)
        self._waiting: int | None = None
        self._until: SimTime | None = None
        """The end of the wait in progress."""
        self._shown: ShownTime | None = None
        self._interrupted = False
        self._zero_ns: int | None = None
        """The monotonic clock's reading at simulated time zero; None where time does not follow the wall."""
        self._sleeper: asyncio.Future[None] | None = None
        self._lost = False

    async def open(self) -> SimTime:
        """Join the clock; from now on this participant is busy until it waits."""
        self._socket = await connect(self._url, ping_interval=None, max_size=1 << 16, compression=None)
        self._reader = asyncio.create_task(self._read_answers(), name="bench clock")
        now = await self.read()
        if self._zero_ns is not None:
            # Whoever looks at the clock's participants shall not find this one busy for ever.
            await self._send({"id": next(self._ids), "wait": None})
        return now

    async def wait(self, until: SimTime | None) -> SimTime:
        """Be idle until then, or until interrupted."""
        if self._zero_ns is not None:
            return await self._sleep(self._zero_ns, until)
        if self._interrupted:
            self._interrupted = False
            return await self.read()
        number = next(self._ids)
        self._waiting, self._until = number, until
        try:
            return await self._ask(number, {"wait": until})
        finally:
            self._waiting, self._until, self._interrupted = None, None, False

    def interrupt(self) -> None:
        """Cancel the wait in progress; its answer then tells the time."""
        if self._zero_ns is not None:
            self._interrupted = True
            self._wake()
            return
        if self._waiting is None or self._interrupted:
            self._interrupted = True
            return
        self._interrupted = True
        waiting = self._waiting
        task = asyncio.ensure_future(self._send({"id": next(self._ids), "cancel": waiting}))
        task.add_done_callback(_retrieve)

    async def read(self) -> SimTime:
        """Ask the time without becoming idle."""
        if self._zero_ns is not None:
            return self._wall_now(self._zero_ns)
        seen = self._seen()
        return await self._ask(next(self._ids), {"now": True}) if seen is None else seen

    async def close(self) -> None:
        """Leave the clock."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()
        if self._shown is not None:
            self._shown.close()
            self._shown = None

    @property
    def follows_wall(self) -> bool:
        """Whether the bench's clock is in wall mode; known once it was joined."""
        return self._zero_ns is not None

    def _seen(self) -> SimTime | None:
        """The time that the clock shows; None when it has to be asked."""
        if self._shown is None or self._lost:
            return None
        now = self._shown.look()
        if now is None or (self._until is not None and now >= self._until):
            return None
        return SimTime(now)

    def _wall_now(self, zero_ns: int) -> SimTime:
        if self._lost:
            raise ClockLost("the bench's clock went away")
        return SimTime(time.monotonic_ns() - zero_ns)

    async def _sleep(self, zero_ns: int, until: SimTime | None) -> SimTime:
        """Wait on this machine's own clock."""
        left_ns = None if until is None else until - self._wall_now(zero_ns)
        if self._interrupted or self._lost or (left_ns is not None and left_ns <= 0):
            # A device that is behind its time must still let the others of this loop run.
            await asyncio.sleep(0)
        else:
            loop = asyncio.get_running_loop()
            self._sleeper = loop.create_future()
            alarm = None if left_ns is None else loop.call_later(left_ns / 1e9, self._wake)
            try:
                await self._sleeper
            finally:
                self._sleeper = None
                if alarm is not None:
                    alarm.cancel()
        self._interrupted = False
        return self._wall_now(zero_ns)

    def _wake(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)

    async def _ask(self, number: int, question: dict[str, Any]) -> SimTime:
        answer: asyncio.Future[SimTime] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            await self._send({"id": number, **question})
            return await answer
        finally:
            self._answers.pop(number, None)

    async def _send(self, message: dict[str, Any]) -> None:
        if self._socket is None:
            raise ClockLost("the bench's clock was not joined")
        try:
            await self._socket.send(json.dumps(message))
        except ConnectionClosed as error:
            raise ClockLost("the bench's clock went away") from error

    async def _read_answers(self) -> None:
        assert self._socket is not None
        try:
            async for message in self._socket:
                body = json.loads(message)
                if "at_monotonic_ns" in body:
                    self._zero_ns = int(body["at_monotonic_ns"]) - int(body["now"])
                if "shown_at" in body and self._shown is None:
                    with contextlib.suppress(OSError, ValueError):  # then it is asked
                        self._shown = ShownTime(body["shown_at"])
                answer = self._answers.get(body["id"])
                if answer is not None and not answer.done():
                    answer.set_result(SimTime(int(body["now"])))
        except ConnectionClosed:
            pass
        self._lost = True
        self._wake()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ClockLost("the bench's clock went away"))


def _retrieve(task: asyncio.Future[None]) -> None:
    """A cancel that could not be sent needs no report: the wait itself ends with ClockLost."""
    if not task.cancelled():
        task.exception()
