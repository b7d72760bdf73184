"""From a laboratory's table to one world, and everything that stands in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sim.kernel import FaultSpec, Problem, Server, Surroundings
from sim.kernel.http import HttpServer
from sim.lab.families import FAMILIES
from sim.lab.laser import follow_the_sync_cable
from sim.lab.page import State, page_app
from sim.lab.site import Site
from sim.lab.table import LabTable
from sim.lab.world import World

PAGE: Final = "page"


class Noted:
    """A server whose address the laboratory remembers, for its page."""

    def __init__(self, site: Site, part: str, server: Server) -> None:
        self._site, self._part, self._server = site, part, server

    async def start(self) -> str | list[str]:
        """Start it and note where. Raises what it raises."""
        address = await self._server.start()
        self._site.addresses[self._site.full_name(self._part)] = (
            address if isinstance(address, str) else ", ".join(address)
        )
        return address

    async def stop(self) -> None:
        """Stop it."""
        await self._server.stop()

    def problems(self) -> Sequence[Problem]:
        """Its own."""
        return self._server.problems()


def parts(table: LabTable) -> dict[str, Sequence[FaultSpec]]:
    """Everything that can be broken, by part."""
    found: dict[str, Sequence[FaultSpec]] = {}
    for family in FAMILIES:
        found |= family.parts(table)
    return found


def build_laboratory(around: Surroundings, table: LabTable) -> dict[str, Server]:
    """One world, and everything that stands in it."""
    table = table.with_nominal_ports()
    site = Site(
        name=around.name,
        seed=around.seed,
        folder=around.data_dir / around.name,
        clock=around.clock,
        world=World(table.figures, table.modules.all_ports()),
        boards=around.parts,
        transcript=around.transcript,
        token=around.token,
    )
    follow_the_sync_cable(site)
    made: dict[str, Server] = {}
    for family in FAMILIES:
        made |= {part: Noted(site, part, server) for part, server in family.servers(site, table).items()}
    app = page_app(site, State(site, table))
    made[PAGE] = HttpServer(
        f"{around.name}.{PAGE}",
        app,
        port=table.page_port,
        transcript=around.transcript,
        channel=PAGE,
    )
    return made
