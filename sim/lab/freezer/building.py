"""From the table to the freezer's servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sim.kernel import FaultBoard, FaultSpec, Problem, Server, SimTime
from sim.lab.figures import FreezerFigures
from sim.lab.freezer.camera import CAMERA_FAULTS, FreezerCamera
from sim.lab.freezer.espec import Espec
from sim.lab.freezer.freezer import FREEZER_FAULTS, Freezer, FreezerFaults
from sim.lab.freezer.julabo import Julabo
from sim.lab.freezer.lake_shore import LakeShore
from sim.lab.freezer.pace import HASTY_FAULT
from sim.lab.freezer.panel import PANEL_FAULTS, Panel
from sim.lab.freezer.pins import FreezerPins, PinLog
from sim.lab.freezer.thermotron import Thermotron
from sim.lab.lines import LINK_FAULTS, READING_FAULTS, Instrument, PtyLine, TcpLine
from sim.lab.site import Site
from sim.lab.tables.freezer import FreezerTable

FAULTS: Final[Mapping[str, Sequence[FaultSpec]]] = {
    "chamber": (*LINK_FAULTS, *READING_FAULTS, HASTY_FAULT),
    "lake_shore": (*LINK_FAULTS, *READING_FAULTS),
    "freezer_pins": (*LINK_FAULTS, *PANEL_FAULTS),
    "freezer_camera": CAMERA_FAULTS,
    "freezer": FREEZER_FAULTS,
}
"""What can be broken, by part."""

PIN_LOG: Final = "freezer_pins.log"
CHAMBERS: Final[Mapping[str, Callable[[Freezer, FreezerFigures, FaultBoard], Instrument]]] = {
    "thermotron": Thermotron,
    "julabo": Julabo,
    "espec": Espec,
}


class PinsServer:
    """The pins' line, their log, and the freezer's own faults, which have no address."""

    def __init__(self, line: TcpLine, log: PinLog, faults: FreezerFaults) -> None:
        self._line, self._log, self._faults = line, log, faults

    async def start(self) -> str:
        """Bind and make the log; returns `tcp://host:port`. Raises AddressTaken."""
        address = await self._line.start()
        self._log.open()
        for spec in FREEZER_FAULTS:
            await self._faults.follow(spec.name)
        return address

    async def stop(self) -> None:
        """Close the address and the log."""
        await self._line.stop()
        self._faults.close()
        self._log.close()

    def problems(self) -> Sequence[Problem]:
        """The line's."""
        return self._line.problems()


def servers(site: Site, table: FreezerTable) -> dict[str, Server]:
    """Everything that controls or watches the freezer, by endpoint suffix."""
    world, figures = site.world, site.world.figures.freezer
    if table.set_point_c is not None:
        world.cold.set_freezer(SimTime(0), table.set_point_c)
    freezer = Freezer(world.cold, world.figures.cold)
    panel = Panel(freezer, figures, site.faults("freezer_pins"))
    made: dict[str, Server] = {
        "chamber": _chamber(site, table, freezer, figures),
        "freezer_pins": _pins(site, table, freezer, panel),
        "freezer_camera": FreezerCamera(
            "freezer_camera",
            panel,
            site.clock,
            site.faults("freezer_camera"),
            site.transcript,
            port=table.freezer_camera_port,
        ),
    }
    if table.lake_shore != "none":
        monitor = LakeShore(world.cold, table.lake_shore, figures, site.faults("lake_shore"))
        made["lake_shore"] = _line(site, "lake_shore", monitor, port=table.lake_shore_port)
    return made


def _chamber(site: Site, table: FreezerTable, freezer: Freezer, figures: FreezerFigures) -> Server:
    faults = site.faults("chamber")
    chamber = CHAMBERS[table.chamber](freezer, figures, faults)
    if table.chamber_line == "tcp":
        return _line(site, "chamber", chamber, port=table.chamber_port)
    at = site.folder / "dev/chamber"
    return PtyLine("chamber", chamber, site.clock, faults, site.transcript, at=at, baud=table.chamber_baud)


def _pins(site: Site, table: FreezerTable, freezer: Freezer, panel: Panel) -> PinsServer:
    log = PinLog(site.folder / PIN_LOG)
    pins = FreezerPins(panel, site.world.power, log)
    faults = FreezerFaults(freezer, site.clock, site.faults("freezer"))
    return PinsServer(_line(site, "freezer_pins", pins, port=table.freezer_pins_port), log, faults)


def _line(site: Site, part: str, instrument: Instrument, *, port: int) -> TcpLine:
    return TcpLine(part, instrument, site.clock, site.faults(part), site.transcript, port=port)
