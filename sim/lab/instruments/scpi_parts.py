"""Function generator, laser supply and GPIB box as parts of a laboratory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from sim.kernel import FaultBoard, FaultSpec, Problem, SimTime
from sim.kernel.clock import SimClock
from sim.kernel.device import Server
from sim.lab.instruments.arbitrary_generator import Agilent33220A
from sim.lab.instruments.function_generator import Afg3101C
from sim.lab.instruments.power_supply import E3631A, SUPPLY_FAULTS, OverSerial
from sim.lab.instruments.prologix import BOX_FAULTS, OnBus, PrologixBox
from sim.lab.instruments.waveform import GENERATOR_FAULTS
from sim.lab.lines import LINK_FAULTS, READING_FAULTS, TcpLine
from sim.lab.site import Site
from sim.lab.tables.scpi import ScpiTable

FAULTS: Final[Mapping[str, tuple[FaultSpec, ...]]] = {
    "function_generator": (*LINK_FAULTS, *GENERATOR_FAULTS),
    "gpib": (*LINK_FAULTS, *BOX_FAULTS),
    "power_supply": (*LINK_FAULTS, *READING_FAULTS, *SUPPLY_FAULTS),
    "power_supply_serial": LINK_FAULTS,
}
"""By part."""
AT_ONCE: Final = frozenset(spec.name for spec in (*GENERATOR_FAULTS, *SUPPLY_FAULTS))
"""Faults that change the light without waiting for a command."""


class ActsAtOnce:
    """A server whose instrument follows some of its faults when they are switched, not at the next command."""

    def __init__(
        self,
        server: Server,
        clock: SimClock,
        faults: FaultBoard,
        names: Collection[str],
        struck: Callable[[SimTime], None],
    ) -> None:
        self._server, self._clock, self._names, self._struck = server, clock, names, struck
        self._tasks: set[asyncio.Task[None]] = set()
        faults.watch(self._switched)

    async def start(self) -> str | list[str]:
        """Bind."""
        return await self._server.start()

    async def stop(self) -> None:
        """Close."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.stop()

    def problems(self) -> Sequence[Problem]:
        """Those of the server."""
        return self._server.problems()

    def _switched(self, fault: str) -> None:
        if fault in self._names:
            task = asyncio.get_running_loop().create_task(self._act(), name=f"{fault} acts")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _act(self) -> None:
        self._struck(await self._clock.read())


def servers(site: Site, table: ScpiTable) -> dict[str, Server]:
    """Build the parts. Endpoint suffixes: `function_generator`, `gpib`, `power_supply`, `power_supply_serial`."""
    from sim.lab.lines.pty import PtyLine  # the table is read where no line is opened

    figures = site.world.figures.scpi
    generator_faults, supply_faults = site.faults("function_generator"), site.faults("power_supply")
    model = Afg3101C if table.function_generator == "AFG3101C" else Agilent33220A
    generator = model(figures, site.world, generator_faults)
    supply = E3631A(figures, site.world, supply_faults, table.laser_output, table.laser_volts, table.laser_on)
    box = PrologixBox(
        {
            table.function_generator_address: OnBus(generator, generator_faults),
            table.power_supply_address: OnBus(supply, supply_faults),
        },
        site.faults("gpib"),
        figures.box_reset_s,
    )

    def line(part: str, instrument: Afg3101C | Agilent33220A | E3631A | PrologixBox, port: int) -> TcpLine:
        return TcpLine(part, instrument, site.clock, site.faults(part), site.transcript, port=port)

    def followed(server: Server, faults: FaultBoard, struck: Callable[[SimTime], None]) -> Server:
        return ActsAtOnce(server, site.clock, faults, AT_ONCE, struck)

    part = "power_supply_serial"
    return {
        "function_generator": followed(
            line("function_generator", generator, table.function_generator_port),
            generator_faults,
            generator.struck,
        ),
        "gpib": line("gpib", box, table.gpib_port),
        "power_supply": followed(
            line("power_supply", supply, table.power_supply_port), supply_faults, supply.struck
        ),
        part: PtyLine(
            part,
            OverSerial(supply),
            site.clock,
            site.faults(part),
            site.transcript,
            at=site.folder / "dev" / part,
            baud=table.power_supply_baud,
            bits=11,  # 8N2
        ),
    }
