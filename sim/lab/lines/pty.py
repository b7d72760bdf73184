"""An instrument at a serial port: a pseudo terminal under a path that stays the same.

The line itself is simulated, for nobody's kernel does that for a pseudo terminal: bytes take their time in both
directions, by the wall on every clock, and what a client does not read is lost, as it is at a real port.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
import time
import tty
from collections import deque
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from sim.errors import ConfigurationRejected, SimError
from sim.kernel import FaultBoard, Problem, Transcript
from sim.kernel.clock import SimClock
from sim.lab.lines.link import LineCut, Link
from sim.lab.lines.pace import Wire
from sim.lab.lines.talk import Instrument, Speaker, Talker

HELD_BYTES: Final = 1024
"""Bytes under way to an instrument at most. There is no handshake: of more the oldest are lost, so that the command
that a flood ends with, or the next client's, is still heard."""
UNREAD_BYTES: Final = 2048
"""Answers that nobody reads: more of them are thrown away, the oldest first. Less than the terminal holds (4095)."""
READ_BYTES: Final = 4096
MAX_PROBLEMS: Final = 20


class PtyLine:
    """Serves one instrument to whoever opens the path, one client after another.

    at       the stable path, a symbolic link to the pseudo terminal of the moment
    baud     bytes take this long in each direction; `set_baud` changes it
    bits     of a byte with start and stop: 10 for 8N1, 11 for 8N2
    speaker  what sends by itself over this line
    """

    def __init__(
        self,
        name: str,
        instrument: Instrument,
        clock: SimClock,
        faults: FaultBoard,
        transcript: Transcript,
        *,
        at: Path,
        baud: int,
        bits: int = 10,
        speaker: Speaker | None = None,
    ) -> None:
        self._name, self._instrument, self._clock, self._faults = name, instrument, clock, faults
        self._at, self._bits, self._speaker = at, bits, speaker
        self._link = Link(clock, faults, transcript, name)
        self._talker: Talker = instrument.connect()
        self._to_us, self._to_client = Wire(baud, bits), Wire(baud, bits)
        self._sending = asyncio.Lock()
        self._coming: deque[tuple[float, bytes]] = deque()
        self._held = 0
        self._came = asyncio.Event()
        self._master: int | None = None
        self._slave = -1
        self._plugged = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._problems: list[Problem] = []
        faults.watch(self._switched)

    async def start(self) -> str:
        """Make the port; returns its path. Raises ConfigurationRejected where something else has that path."""
        if self._at.exists() and not self._at.is_symlink():
            raise ConfigurationRejected(
                self._name, f"{self._at} is to be a serial port, but is there already"
            )
        self._at.parent.mkdir(parents=True, exist_ok=True)
        self._tasks = [asyncio.create_task(self._take(), name=f"{self._name} takes")]
        if self._speaker is not None:
            self._tasks.append(asyncio.create_task(self._speak(self._speaker), name=f"{self._name} speaks"))
        self._switched("refuse_connection")
        return str(self._at)

    async def stop(self) -> None:
        """Hang up and remove the path."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._hang_up()

    def problems(self) -> Sequence[Problem]:
        """Errors of the instrument's own, which the line survived."""
        return tuple(self._problems)

    def set_baud(self, baud: int) -> None:
        """From now on bytes take another time."""
        self._to_us, self._to_client = Wire(baud, self._bits), Wire(baud, self._bits)

    def _switched(self, fault: str) -> None:
        if fault != "refuse_connection" or not self._tasks:
            return
        if self._faults.is_on(fault) and self._faults.strike(fault) is not None:
            self._hang_up()
        # A refusal for one time is over now.
        if not self._faults.is_on(fault) and self._master is None:
            self._plug_in()

    def _plug_in(self) -> None:
        self._master, self._slave = os.openpty()
        self._plugged += 1
        # Held open by us as well: a terminal without any client would be hung up, and reading it an error.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        asyncio.get_running_loop().add_reader(self._master, self._readable, self._master)
        fresh = self._at.with_name(f".{self._at.name}.new")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.replace(self._at)

    def _hang_up(self) -> None:
        if self._master is None:
            return
        with contextlib.suppress(OSError):
            if os.readlink(self._at) == os.ttyname(self._slave):
                self._at.unlink()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master, self._slave = None, -1
        self._coming.clear()
        self._held = 0
        self._talker = self._instrument.connect()

    def _readable(self, master: int) -> None:
        try:
            data = os.read(master, READ_BYTES)
        except BlockingIOError:
            return
        except OSError:  # somebody hung the terminal up
            self._replug()
            return
        now = time.monotonic()
        for piece in self._to_us.pieces(data):
            self._coming.append((now, piece))
            self._held += len(piece)
        while self._held > HELD_BYTES and len(self._coming) > 1:
            self._held -= len(self._coming.popleft()[1])
        self._came.set()

    async def _take(self) -> None:
        """Hand over what came, each piece when its last bit is here and the instrument is free."""
        while True:
            while not self._coming:
                self._came.clear()
                await self._came.wait()
            sent_at, piece = self._coming.popleft()
            self._held -= len(piece)
            plugged, here_at = self._plugged, self._to_us.through(len(piece), sent_at)
            await asyncio.sleep(max(0.0, here_at - time.monotonic()))
            if plugged == self._plugged:
                await self._handle(piece)

    async def _handle(self, piece: bytes) -> None:
        try:
            await self._link.serve(self._talker, piece, partial(self._send, self._plugged))
        except LineCut:
            self._replug()
        except SimError:
            raise  # the clock is gone, and the bench with it
        except Exception as error:  # noqa: BLE001 - an instrument with a mistake must not take its port along
            self._complain(error)
            self._talker = self._instrument.connect()

    async def _speak(self, speaker: Speaker) -> None:
        while True:
            await asyncio.sleep(speaker.period_s)
            if self._master is None:
                continue
            try:
                await self._link.utter(speaker, partial(self._send, self._plugged))
            except LineCut:
                self._replug()
            except SimError:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                self._complain(error)

    def _replug(self) -> None:
        self._hang_up()
        if not self._faults.is_on("refuse_connection"):
            self._plug_in()

    def _complain(self, error: Exception) -> None:
        if len(self._problems) < MAX_PROBLEMS:
            text = f"the instrument failed: {type(error).__name__}: {error}"
            self._problems.append(Problem(self._name, self._clock.now, text))

    async def _send(self, plugged: int, data: bytes) -> None:
        """Send to the client of one plug; what was due on a line that was cut since is lost with it."""
        async with self._sending:
            for piece in self._to_client.pieces(data):
                at = self._to_client.through(len(piece), time.monotonic())
                await asyncio.sleep(max(0.0, at - time.monotonic()))
                if plugged != self._plugged or self._master is None:
                    return
                self._put(self._master, piece)

    def _put(self, master: int, piece: bytes) -> None:
        (unread,) = struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, b"\0" * 4))
        if unread + len(piece) > UNREAD_BYTES:
            termios.tcflush(self._slave, termios.TCIFLUSH)
        # A terminal that takes no more, although there is room, loses what it was given.
        with contextlib.suppress(BlockingIOError):
            os.write(master, piece)
