"""The trigger input as an address: a plain TCP line socket, so that another device's program pulls the cable.

One command a line, one answer a line, ASCII, case ignored. `PULSE [width_s]`, `GATE width_s`,
`TRAIN count rate_hz [width_s]`: pulses from now on, answered `OK count`. `STATUS`: answered
`OK missed=M ignored=I`. Anything else is answered with a sentence that begins with `ERR`.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sim.dectris.unit.pulses import PulsesRefused, PulseTrain
from sim.kernel import NS_PER_S, Problem, Transcript
from sim.kernel.http import bind

MAX_LINE: Final = 256
"""Bytes of a command."""
MAX_CLIENTS: Final = 16
MAX_PULSES: Final = 1 << 40
MAX_RATE_HZ: Final = 1e7
MAX_WIDTH_S: Final = 3600.0


@dataclass(frozen=True, slots=True)
class PulsesWanted:
    """Pulses that somebody asks for, from now on."""

    count: int = 1
    rate_hz: float = 0.0
    """0 for a single pulse."""
    width_s: float = 0.0

    def train(self, now_ns: int) -> PulseTrain:
        """These pulses in simulated time."""
        period = round(NS_PER_S / self.rate_hz) if self.rate_hz else 1
        return PulseTrain(now_ns, max(period, 1), self.count, round(self.width_s * NS_PER_S))


Pull = Callable[[PulsesWanted], Awaitable[None]]
"""Puts pulses on the line now. Raises PulsesRefused."""


def checked(count: int, rate_hz: float, width_s: float) -> PulsesWanted:
    """Pulses within the limits. Raises PulsesRefused."""
    if not 1 <= count <= MAX_PULSES:
        raise PulsesRefused(f"a train has 1..{MAX_PULSES} pulses, not {count}")
    if not (math.isfinite(width_s) and 0 <= width_s <= MAX_WIDTH_S):
        raise PulsesRefused(f"a pulse lasts at most {MAX_WIDTH_S:g} s, not {width_s:g}")
    if count > 1 or rate_hz:
        if not (math.isfinite(rate_hz) and 1e-6 <= rate_hz <= MAX_RATE_HZ):
            raise PulsesRefused(f"pulses come at 1e-06..{MAX_RATE_HZ:g} Hz, not {rate_hz:g}")
        if width_s * rate_hz > 1:
            raise PulsesRefused(f"pulses of {width_s:g} s overlap at {rate_hz:g} Hz")
    return PulsesWanted(count, rate_hz, width_s)


def parsed(line: str) -> PulsesWanted:
    """What a command asks for. Raises PulsesRefused with a sentence."""
    word, *numbers = line.split() or [""]
    try:
        match word.upper(), numbers:
            case "PULSE", [] | [_]:
                return checked(1, 0.0, float(numbers[0]) if numbers else 0.0)
            case "GATE", [width]:
                if float(width) <= 0:
                    raise PulsesRefused("a gate is open for some time: GATE width_s")
                return checked(1, 0.0, float(width))
            case "TRAIN", [count, rate] | [count, rate, _]:
                return checked(int(count), float(rate), float(numbers[2]) if len(numbers) > 2 else 0.0)
    except ValueError:
        raise PulsesRefused("that is not a number") from None
    raise PulsesRefused("commands are: PULSE [width_s], GATE width_s, TRAIN count rate_hz [width_s], STATUS")


class TriggerServer:
    """Serves the line socket."""

    def __init__(
        self, device: str, pull: Pull, status: Callable[[], str], *, port: int, transcript: Transcript
    ) -> None:
        self._device, self._pull, self._status, self._port = device, pull, status, port
        self._transcript = transcript
        self._server: asyncio.Server | None = None
        self._clients: set[asyncio.Task[None]] = set()

    async def start(self) -> str:
        """Bind and serve. Returns `tcp://host:port`. Raises AddressTaken."""
        sock = bind(self._device, "127.0.0.1", self._port)
        self._server = await asyncio.start_server(self._greet, sock=sock, limit=MAX_LINE)
        return f"tcp://127.0.0.1:{sock.getsockname()[1]}"

    async def stop(self) -> None:
        """Close the address and every connection."""
        if self._server is None:
            return
        self._server.close()
        for client in list(self._clients):
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def problems(self) -> Sequence[Problem]:
        """Whatever goes wrong is answered to the client that caused it."""
        return ()

    def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._clients) >= MAX_CLIENTS:
            writer.write(b"ERR too many clients hold this trigger input\n")
            writer.close()
            return
        task = asyncio.create_task(self._serve(reader, writer), name=f"trigger {self._device}")
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self._transcript.received("trigger", line)
                answer = (await self._answer(line) + "\n").encode()
                self._transcript.sent("trigger", answer)
                writer.write(answer)
                await writer.drain()
        except ValueError:
            # The reader gives up on a line that is longer than its limit.
            writer.write(f"ERR a command is at most {MAX_LINE} bytes long\n".encode())
        except ConnectionError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, line: bytes) -> str:
        text = line.decode("ascii", "replace").strip()
        if text.upper() == "STATUS":
            return f"OK {self._status()}"
        try:
            wanted = parsed(text)
            await self._pull(wanted)
        except PulsesRefused as refused:
            return f"ERR {refused}"
        return f"OK {wanted.count}"
