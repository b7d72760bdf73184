"""The optical modules of a laboratory and its tabletop mainboard, each behind a port of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sim.degg.cameras import cameras
from sim.degg.channel import Channel, SyncChannel
from sim.degg.console.session import Console, Session
from sim.degg.console.vocabulary import WORDS
from sim.degg.faults import MODULE_FAULTS
from sim.degg.module import Identity, Module, no_supplies
from sim.degg.sensors import Sensors
from sim.degg.truth import ModuleTruth, write_truth
from sim.degg.warming import warm_up
from sim.kernel import FaultSpec, Server, SimTime
from sim.lab.lines import LINK_FAULTS, Answer, TcpLine
from sim.lab.papers import write_papers
from sim.lab.site import Site
from sim.lab.tables.modules import TABLETOP_PORT, ModulesTable

_OF_PHOTOMULTIPLIERS: Final = (
    "dead_fibre",
    "dead_led",
    "trip_hv",
    "noisy_hv",
    "high_dark_rate",
)

FAULTS: Final[Sequence[FaultSpec]] = (*MODULE_FAULTS, *LINK_FAULTS)
"""Of an optical module, `degg.5003`."""
TABLETOP_FAULTS: Final[Sequence[FaultSpec]] = tuple(
    spec for spec in FAULTS if spec.name not in _OF_PHOTOMULTIPLIERS
)
"""Of the tabletop mainboard, `degg.10007`."""


def boards(site: Site, table: ModulesTable) -> dict[int, Module]:
    """Mainboards by nominal port, powered as the world says. The laboratory's folder gets their papers and truths."""
    warm_up()
    made = {port: _board(site, table.serial(port), port) for port in table.all_ports()}
    write_papers(site.folder, [ModuleTruth.of(site.seed, table.serial(port)) for port in table.ports()])

    def switched(port: int, on: bool, now: SimTime) -> None:
        if port in made:
            made[port].power_switched(on, now)

    site.world.power.watch(switched)
    return made


def servers(site: Site, table: ModulesTable, modules: Mapping[int, Module]) -> dict[str, Server]:
    """A console for each mainboard, `degg.5000` and so on."""
    consoles: dict[str, Server] = {}
    for port, module in modules.items():
        name = f"degg.{port}"
        consoles[name] = TcpLine(
            name,
            ConsoleAtLine(Console(module, WORDS)),
            site.clock,
            site.faults(name),
            site.transcript,
            port=port if table.nominal_ports else 0,
            one_client=True,
        )
    return consoles


class ConsoleAtLine:
    """A console as a line's instrument."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def connect(self) -> SessionAtLine:
        """A new connection."""
        return SessionAtLine(self._console.connect())


class SessionAtLine:
    """A session as a line's talker, which also speaks unasked."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def receive(self, data: bytes, now: SimTime) -> list[Answer]:
        """Take bytes. Never raises."""
        return [
            Answer(said.data, said.after_s, by_wall=said.by_wall, until_input=said.until_input)
            for said in self._session.receive(data, now)
        ]

    def attach(self, push: Callable[[bytes], None]) -> None:
        """What the board says by itself goes there."""
        self._session.attach(push)

    def detach(self) -> None:
        """Nobody is connected."""
        self._session.detach()


def _board(site: Site, serial: str, port: int) -> Module:
    figures, faults = site.world.figures, site.faults(f"degg.{port}")
    truth = ModuleTruth.of(site.seed, serial)
    room, clock = site.world.room(port, truth.warmth_c), truth.clock()
    identity = Identity(serial, truth.icm_id, truth.mainboard_id, truth.flash_id, truth.fpga_chip_id)
    tabletop = port == TABLETOP_PORT
    if not tabletop:
        write_truth(site.folder, port, truth)
        channels: list[Channel] | list[SyncChannel] = [
            Channel(pmt, number, room, faults, site.seed, serial, figures.photomultiplier, clock)
            for number, pmt in enumerate(truth.channels)
        ]
    else:
        channels = [
            SyncChannel(number, room, site.seed, serial, figures.photomultiplier, clock) for number in (0, 1)
        ]
    supplies = no_supplies(channels) if tabletop else [c.hv for c in channels if isinstance(c, Channel)]
    return Module(
        port,
        site.seed,
        identity,
        channels,
        supplies,
        room,
        faults,
        clock,
        figures.board,
        Sensors(site.seed, serial, room, figures.sensors),
        cameras(site.seed, serial, room, figures.cameras),
        waits=site.clock.follows_wall,
        lit=lambda: site.world.cold.open,
    )
