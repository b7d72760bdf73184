"""The optical modules of a laboratory and its tabletop mainboard, each behind a port of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

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

FIRST_PORT: Final = 5000
MAX_MODULES: Final = 16
TABLETOP_PORT: Final = 10007
TABLETOP_SERIAL: Final = "Tabletop-10007"
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

Serial = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")]


class ModulesTable(BaseModel):
    """`[sim.devices.NAME.modules]`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    count: int = Field(
        MAX_MODULES, ge=0, le=MAX_MODULES, description="Optical modules, at ports 5000 and on."
    )
    serials: dict[Annotated[str, Field(pattern=r"^50(0[0-9]|1[0-5])$")], Serial] = Field(
        default_factory=dict,
        description="Serial numbers by nominal port; by default DEgg2021-3-100 at 5000 and so on.",
    )
    tabletop: bool = Field(True, description="Whether there is a tabletop mainboard, degg.10007.")
    nominal_ports: bool = Field(
        False, description="Listen at 5000 and on, and at 10007, rather than at free ports."
    )

    @model_validator(mode="after")
    def _one_module_each(self) -> ModulesTable:
        for port in self.serials:
            if int(port) not in self.ports():
                raise ValueError(f"there is no module at port {port}: count is {self.count}")
        serials = [self.serial(port) for port in self.ports()]
        if (twice := next((serial for serial in serials if serials.count(serial) > 1), None)) is not None:
            raise ValueError(f"two modules bear the serial number {twice}")
        return self

    def ports(self) -> list[int]:
        """Nominal ports of the optical modules."""
        return list(range(FIRST_PORT, FIRST_PORT + self.count))

    def all_ports(self) -> list[int]:
        """Of the tabletop mainboard as well: what the world gives power."""
        return [*self.ports(), *([TABLETOP_PORT] if self.tabletop else [])]

    def serial(self, port: int) -> str:
        """Serial number of the module at a nominal port."""
        if port == TABLETOP_PORT:
            return TABLETOP_SERIAL
        return self.serials.get(str(port), f"DEgg2021-3-{100 + port - FIRST_PORT}")


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
