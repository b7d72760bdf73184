"""The wire pairs of a laboratory at their command ports: one for each group of modules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from sim.degg.clock import DomClock
from sim.degg.icm import Mainboard, Wired
from sim.degg.icm_commands import MAX_BYTES, answer, encoded
from sim.degg.wire_pairs import WIRE_PAIR_FAULTS, WirePair
from sim.kernel import Server, SimTime
from sim.lab.lines import LINK_FAULTS, Answer
from sim.lab.lines.request_port import RequestPort
from sim.lab.site import Site
from sim.lab.tables.modules import WirePairTable
from sim.lab.world.power import group_of

COMMAND_PORT_OFFSET: Final = 1000
FIRST_TABLETOP_PORT: Final = 10_000
FAULTS: Final = (*LINK_FAULTS, *WIRE_PAIR_FAULTS)
"""Of a group, `icm.6000`."""


class Module(Mainboard, Protocol):
    """A module that hangs on a wire pair (`sim.degg.module.Module`)."""

    serial: str
    clock: DomClock

    def identity(self, name: str, /) -> str:
        """Number of its `icm` or `mainboard`, 0x and hex digits."""
        ...


def base_of(port: int) -> int:
    """First nominal port of the field hub that a module hangs on: groups of four, or of eight for a tabletop."""
    return port - port % (8 if port >= FIRST_TABLETOP_PORT else 4)


def part_of(port: int) -> str:
    """Name of the command port that answers for a module: `icm.6000`."""
    return f"icm.{base_of(port) + COMMAND_PORT_OFFSET}"


class _Instrument:
    """A wire pair behind its port."""

    def __init__(self, pair: WirePair) -> None:
        self._pair = pair

    def connect(self) -> _Instrument:
        """All clients talk to the same program, which keeps nothing of them."""
        return self

    def receive(self, data: bytes, now: SimTime, /) -> Sequence[Answer]:
        """Answer one request."""
        reply = answer(self._pair, data, now)
        return (Answer(encoded(reply), reply.after_s),)


def servers(site: Site, table: WirePairTable, modules: Mapping[int, Module]) -> dict[str, Server]:
    """A command port for each group that has modules, by endpoint key `icm.6000`.

    modules  by nominal port; the group's board and each module's (`degg.5003`) must be among the site's
    """
    made: dict[str, Server] = {}
    for base in sorted({base_of(port) for port in modules}):
        ports = sorted(port for port in modules if base_of(port) == base)
        key = part_of(base)
        pair = WirePair(
            base,
            group_of(ports[0]),
            [_wired(site, port, base, modules[port]) for port in ports],
            site.world.power,
            site.faults(key),
            site.clock.unix_ns,
            site.world.figures.wire_pairs,
            site.seed,
            waits=site.clock.follows_wall,
        )
        made[key] = RequestPort(
            key,
            _Instrument(pair),
            site.clock,
            site.faults(key),
            site.transcript,
            max_bytes=MAX_BYTES,
            port=base + COMMAND_PORT_OFFSET if table.nominal_ports else 0,
        )
    return made


def _wired(site: Site, port: int, base: int, module: Module) -> Wired:
    return Wired(
        port=port,
        address=port - base,
        serial=module.serial,
        icm_id=module.identity("icm").removeprefix("0x"),
        mainboard_id=module.identity("mainboard").removeprefix("0x"),
        clock=module.clock,
        board=module,
        faults=site.faults(f"degg.{port}"),
    )
