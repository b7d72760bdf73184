"""A catalogue with its remotes in the test's own loop, on free ports, and clients of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.constants import AgipdConditions, ConstantVersion, Origin
from pipeline.constants.remotes import Patience, RemoteCatalogue, Remotes
from sim.caldb.kind import KIND
from sim.caldb.remotes.server import RemotesServer
from sim.kernel import FaultBoard, Surroundings, Transcript
from sim.kernel.clock import manual_clock


class InOrder:
    """Draws the first of all choices, and no jitter: who is asked is then known."""

    def choice(self, choices: list[str]) -> str:
        return choices[0]

    def uniform(self, low: float, high: float) -> float:
        return (low + high) / 2


@dataclass
class Bench:
    """What a test sees."""

    rest: str
    addresses: list[str]
    server: RemotesServer
    faults: FaultBoard
    store: Path
    transcript: Path
    clients: list[Remotes]
    conditions = AgipdConditions(memory_cells=1, acquisition_rate_mhz=1.1)
    begin = datetime(2026, 1, 15, 8, 0, tzinfo=UTC)
    detector = "SPB_DET_AGIPD1M-1"

    def client(
        self, *, carried_bytes: int = 64 << 20, addresses: list[str] | None = None, **patience: Any
    ) -> RemoteCatalogue:
        told = {"answer_timeout_s": 20.0, "deadline_s": 30.0, "first_pause_s": 0.01, "longest_pause_s": 0.1}
        remotes = Remotes(addresses or self.addresses, Patience(**{**told, **patience}), random=InOrder())
        self.clients.append(remotes)
        return RemoteCatalogue(remotes, self.store, self.detector, carried_bytes=carried_bytes)

    def origin(self, begin: datetime | None = None) -> Origin:
        return Origin(begin_at=begin or self.begin, raw_data_location="proposal:900001 runs:1 2 3")

    def offset(self, value: float = 1.0) -> np.ndarray:
        data = np.full((128, 512, 1, 3), value, np.float32)
        data[3, 5, 0, 2] = -7.5
        return data

    async def inject(self, value: float = 1.0, hours: float = 0) -> ConstantVersion:
        """An Offset of module 0 through the remotes; its version."""
        origin = self.origin(self.begin + timedelta(hours=hours))
        give = (0, "Offset", self.offset(value), self.conditions, origin)
        return await asyncio.to_thread(self.client().inject, *give)

    async def fetch(self, client: RemoteCatalogue, hours: float = 1.0, conditions: Any = None) -> np.ndarray:
        """The Offset of module 0 that is in force so long after the begin."""
        at = self.begin + timedelta(hours=hours)
        ask = (conditions or self.conditions, ["Offset"], [0], at)
        data = (await asyncio.to_thread(client.fetch, *ask)).get(0, "Offset")
        assert data is not None
        return np.asarray(data)

    def when(self, number: int, counted: str) -> asyncio.Event:
        """An event for the next time that a remote counts something: `came`, `took`."""
        counters, event = self.server.remotes[number - 1].counters, asyncio.Event()
        count = getattr(counters, counted)

        def noted(*what: Any) -> None:
            count(*what)
            event.set()

        setattr(counters, counted, noted)
        return event

    async def until_up(self, number: int, stated_s: float) -> None:
        """Wait for a killed remote; ten times the stated time, as a time-out only."""
        await asyncio.wait_for(self.server.remotes[number - 1].up.wait(), 10 * stated_s)

    @property
    def log(self) -> str:
        return (self.store / "remotes.log").read_text(encoding="utf-8")


@pytest.fixture
def open_remotes(tmp_path: Path) -> Callable[..., Any]:
    @asynccontextmanager
    async def opened(count: int = 2, **table: Any) -> AsyncIterator[Bench]:
        clock, faults = manual_clock(), FaultBoard("caldb", KIND.faults)
        transcript = tmp_path / "transcripts" / "caldb.txt"
        written = Transcript(transcript, lambda: 0)
        around = Surroundings("caldb", 1, tmp_path, clock, {}, faults, written)
        servers = KIND.build(around, KIND.config.model_validate({"remotes": count, **table}))
        clients: list[Remotes] = []
        try:
            addresses: dict[str, Any] = {name: await server.start() for name, server in servers.items()}
            server = servers["remotes"]
            assert isinstance(server, RemotesServer)
            store = Path(addresses["store"])
            yield Bench(addresses["rest"], addresses["remotes"], server, faults, store, transcript, clients)
        finally:
            for client in clients:
                client.close()
            for each in servers.values():
                await each.stop()
                await each.stop()
            written.close()

    return opened


@pytest.fixture
async def remotes(open_remotes: Callable[..., Any]) -> AsyncIterator[Bench]:
    async with open_remotes() as bench:
        yield bench
