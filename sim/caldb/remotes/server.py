"""All remotes of a catalogue as one server with a list of addresses."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import zmq.asyncio
from sqlalchemy import Engine

from sim.caldb.remotes.budget import Budget
from sim.caldb.remotes.faults import KILL, MEMORY, RemoteFaults
from sim.caldb.remotes.log import RemoteLog
from sim.caldb.remotes.remote import Remote
from sim.caldb.remotes.work import Store
from sim.errors import AddressTaken
from sim.kernel import NS_PER_MS, Problem, Surroundings

LOG_FILE: Final = "remotes.log"
THREADS: Final = 2
"""HDF5 opens one file at a time; the second thread computes checksums meanwhile."""
MOST_PROBLEMS: Final = 100


@dataclass(frozen=True, slots=True)
class Limits:
    """What all this may take up."""

    waiting: int = 64
    """Requests that wait at one remote."""
    data_bytes: int = 512 << 20
    """The largest array in a message: an AGIPD constant of 352 cells has 277 MB in f4."""
    held_bytes: int = 2 << 30
    """Arrays that all remotes hold together."""


class RemotesServer:
    """Serves *count* remotes of the catalogue in *folder*.

    engine      the open database; None while the catalogue is closed
    first_port  port of the first remote, the others follow; 0: free ones
    """

    def __init__(
        self,
        surroundings: Surroundings,
        engine: Callable[[], Engine | None],
        folder: Path,
        count: int,
        *,
        host: str = "127.0.0.1",
        first_port: int = 0,
        limits: Limits | None = None,
    ) -> None:
        self._device, self._clock, self._board = surroundings.name, surroundings.clock, surroundings.faults
        self._host, self._first_port = host, first_port
        self._limits = limits or Limits()
        self._engine, self._folder = engine, folder
        self._seen_ns = 0
        self._log = RemoteLog(folder / LOG_FILE, surroundings.transcript, self._unix_ns)
        self._transcript = surroundings.transcript
        self._count = count
        self._problems: deque[Problem] = deque(maxlen=MOST_PROBLEMS)
        self._context: zmq.asyncio.Context | None = None
        self._threads: ThreadPoolExecutor | None = None
        self.remotes: list[Remote] = []

    async def start(self) -> list[str]:
        """Bind all; their addresses. Raises AddressTaken."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._context = context = zmq.asyncio.Context()
        self._threads = ThreadPoolExecutor(THREADS, "caldb remotes")
        store = Store(
            self._engine,
            self._folder,
            self._now_ms(),
            self._threads,
            Budget(self._limits.held_bytes),
            self._limits.data_bytes,
        )
        self.remotes = [self._remote(number, store) for number in range(1, self._count + 1)]
        try:
            addresses = [
                remote.start(
                    context, self._device, self._host, self._first_port + index if self._first_port else 0
                )
                for index, remote in enumerate(self.remotes)
            ]
        except AddressTaken:
            await self.stop()
            raise
        self._board.watch(self._switched)
        return addresses

    async def stop(self) -> None:
        """Close all; may be called twice, and before start."""
        for remote in self.remotes:
            await remote.stop()
        if self._context is not None:
            self._context.destroy(linger=0)
            self._context = None
        if self._threads is not None:
            self._threads.shutdown(wait=True, cancel_futures=True)
            self._threads = None
        self._log.close()

    def problems(self) -> Sequence[Problem]:
        """Remotes that were killed or ran out of memory; the newest hundred."""
        return tuple(self._problems)

    def _remote(self, number: int, store: Store) -> Remote:
        return Remote(
            number,
            store,
            RemoteFaults(self._board, number),
            self._log,
            self._transcript,
            most_waiting=self._limits.waiting,
            problem=self._note,
        )

    def _now_ms(self) -> Callable[[], Awaitable[int]]:
        async def now_ms() -> int:
            self._seen_ns = self._clock.unix_ns(await self._clock.read())
            return self._seen_ns // NS_PER_MS

        return now_ms

    def _unix_ns(self) -> int:
        """The latest time that is known: no device steps this clock, but each request asks for the time."""
        return max(self._clock.unix_ns(), self._seen_ns)

    def _note(self, text: str) -> None:
        self._problems.append(Problem(self._device, self._unix_ns() - self._clock.epoch_unix_ns, text))

    def _switched(self, fault: str) -> None:
        """Carry out at once what does not wait for a request."""
        if self._context is None:
            return
        if fault == KILL and self._board.is_on(KILL):
            for number, remote in enumerate(self.remotes, 1):
                parameters = RemoteFaults(self._board, number).strike(KILL)
                if parameters is not None:
                    remote.kill(self._context, parameters["seconds"])
            # A kill is a moment, no condition: the remotes come back by themselves.
            self._board.switch_off(KILL)
        if fault == MEMORY and not self._board.is_on(MEMORY):
            for remote in self.remotes:
                remote.recover()
