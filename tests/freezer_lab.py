"""A laboratory with a freezer alone, in the test's own process, and clients that talk to it over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

from sim.kernel import NS_PER_S, FaultBoard, Server, Transcript
from sim.kernel.clock import ManualClock, SimClock, manual_clock
from sim.lab.figures import LabFigures
from sim.lab.freezer import FAULTS, servers
from sim.lab.site import Site
from sim.lab.tables.freezer import FreezerTable
from sim.lab.world import World

PORTS = range(5000, 5016)
ANSWER_S = 20
"""How long a test waits for an answer that must come."""


@dataclass
class FreezerLab:
    """What a test holds."""

    site: Site
    servers: dict[str, Server]
    addresses: dict[str, str]

    @property
    def clock(self) -> ManualClock:
        assert isinstance(self.site.clock, ManualClock)
        return self.site.clock

    @property
    def world(self) -> World:
        return self.site.world

    def faults(self, part: str) -> FaultBoard:
        return self.site.faults(part)

    async def pass_s(self, seconds: float) -> None:
        await self.clock.advance(round(seconds * NS_PER_S))

    async def switch(self, part: str, fault: str, on: bool = True) -> None:
        """Switch a fault, and let what acts at once act before time goes on."""
        board = self.faults(part)
        board.switch_on(fault) if on else board.switch_off(fault)
        await asyncio.sleep(0)

    async def client(self, part: str) -> LineClient:
        url = urlparse(self.addresses[part])
        return LineClient(*await asyncio.open_connection(url.hostname, url.port))


@dataclass
class LineClient:
    """A client of a line socket."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def tell(self, data: bytes) -> None:
        self.writer.write(data)

    async def ask(self, data: bytes, ending: bytes = b"\n") -> bytes:
        self.tell(data)
        return await asyncio.wait_for(self.reader.readuntil(ending), ANSWER_S)

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


def make_site(folder: Path, clock: SimClock | None = None, figures: LabFigures | None = None) -> Site:
    """A site whose parts are the freezer's."""
    return Site(
        name="lab",
        seed=1,
        folder=folder,
        clock=manual_clock() if clock is None else clock,
        world=World(figures or LabFigures(), PORTS),
        boards={f"lab.{part}": FaultBoard(f"lab.{part}", specs) for part, specs in FAULTS.items()},
        transcript=Transcript(None, lambda: 0),
        token="",
    )


@asynccontextmanager
async def freezer_lab(
    site: Site, table: FreezerTable | None = None, *, camera: bool = False
) -> AsyncIterator[FreezerLab]:
    """Everything up, and down again; the camera takes longest and comes on request."""
    made = servers(site, table or FreezerTable())
    if not camera:
        del made["freezer_camera"]
    addresses: dict[str, str] = {}
    try:
        for part, server in made.items():
            address = await server.start()
            assert isinstance(address, str)
            addresses[part] = address
        yield FreezerLab(site, made, addresses)
    finally:
        for server in made.values():
            await server.stop()
