"""How answers travel: in order, each after the time that the instrument needs, unless a fault of the line acts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from sim.kernel import FaultBoard, FaultSpec, SimTime, Transcript
from sim.kernel.clock import SimClock
from sim.kernel.faults import ActiveFault
from sim.lab.lines.talk import Answer, Speaker, Talker

LINK_FAULTS: Final = (
    FaultSpec("stay_silent", "Takes commands and answers nothing.", "the client's time-out"),
    FaultSpec(
        "answer_late", "Answers after a while of wall time.", "the client's time-out", {"delay_s": 2.0}
    ),
    FaultSpec(
        "answer_garbage", "Answers other bytes, as many as are due.", "the client cannot read the answer"
    ),
    FaultSpec("answer_half", "Answers the first half of what is due.", "the client's time-out"),
    FaultSpec(
        "drop_connection",
        "Cuts the line at the next command, which is lost, or at the next word of an instrument that sends by itself. "
        "A serial port hangs up and is there again at once, under the same path.",
        "the client finds its line closed",
    ),
    FaultSpec(
        "refuse_connection",
        "Nobody listens; lines that are open are cut. A serial port hangs up and its path is gone until the fault is "
        "off.",
        "the client cannot connect; there is no such file",
    ),
)
"""Faults that every line has, whatever speaks over it."""

LONGEST_DELAY_S: Final = 3600.0


class LineCut(Exception):
    """A fault wants the line closed."""


class Link:
    """One device's way of answering, over any kind of line."""

    def __init__(self, clock: SimClock, faults: FaultBoard, transcript: Transcript, channel: str) -> None:
        self._clock, self._faults, self._transcript, self._channel = clock, faults, transcript, channel
        self._garbled = 0

    async def serve(
        self,
        talker: Talker,
        data: bytes,
        send: Callable[[bytes], Awaitable[None]],
        *,
        to: SimTime | None = None,
        coming: asyncio.Future[bytes] | None = None,
    ) -> None:
        """Hand bytes over and send what they cause. Raises LineCut, and what *send* raises.

        to      the moment at which the bytes arrived; by default now
        coming  what the client sends next: some waits end with it
        """
        self._transcript.received(self._channel, data)
        if self._faults.strike("drop_connection") is not None:
            raise LineCut
        now = await self._clock.read() if to is None else to
        await self.answer(talker.receive(data, now), send, coming)

    async def answer(
        self,
        answers: Sequence[Answer],
        send: Callable[[bytes], Awaitable[None]],
        coming: asyncio.Future[bytes] | None = None,
    ) -> None:
        """Send answers, as the faults of the line let them through; what is due at once goes in one piece."""
        due = bytearray()

        async def flush() -> None:
            if due:
                data = bytes(due)
                due.clear()
                await send(data)

        for answer in answers:
            if answer.after_s > 0 and (self._clock.follows_wall or answer.by_wall):
                await flush()
                if not await _worked(answer, coming):
                    continue
            if answer.then is not None:
                await flush()
                answer.then(await self._clock.read())
            if not answer.data:
                continue
            if (late := self._faults.strike("answer_late")) is not None:
                await flush()
                await asyncio.sleep(_delay_s(late))
            data = self._let_through(answer.data)
            if data:
                self._transcript.sent(self._channel, data)
                due += data
        await flush()

    async def utter(self, speaker: Speaker, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Send what an instrument says by itself. Raises LineCut, and what *send* raises.

        Not noted in the transcript: an instrument that speaks twice a second would fill it.
        """
        if self._faults.strike("drop_connection") is not None:
            raise LineCut
        data = speaker.speak(await self._clock.read())
        if not data:
            return
        if (late := self._faults.strike("answer_late")) is not None:
            await asyncio.sleep(_delay_s(late))
        if shown := self._let_through(data):
            await send(shown)

    def unasked(self, data: bytes) -> bytes:
        """What is left of bytes that a talker says by itself."""
        if self._faults.strike("stay_silent") is not None:
            return b""
        self._transcript.sent(self._channel, data)
        return data

    def _let_through(self, data: bytes) -> bytes:
        if self._faults.strike("stay_silent") is not None:
            return b""
        if self._faults.strike("answer_garbage") is not None:
            self._garbled += 1
            seed = f"{self._channel}:{self._garbled}".encode()
            return hashlib.shake_128(seed).digest(len(data))
        if self._faults.strike("answer_half") is not None:
            return data[: len(data) // 2]
        return data


def _delay_s(late: ActiveFault) -> float:
    return max(0.0, min(LONGEST_DELAY_S, float(late.parameters["delay_s"])))


async def _worked(answer: Answer, coming: asyncio.Future[bytes] | None) -> bool:
    """Let the instrument be at work; whether it came to an end of it."""
    if coming is None or not answer.until_input:
        await asyncio.sleep(answer.after_s)
        return True
    done, _ = await asyncio.wait({coming}, timeout=answer.after_s)
    return not done
