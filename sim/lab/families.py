"""The families of parts that a laboratory is put together from: which parts each brings, and their servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sim.kernel import FaultSpec, Server
from sim.lab import freezer, modules, wire_pairs
from sim.lab.instruments import scpi_parts, serial_parts
from sim.lab.laser import LASER_FAULTS
from sim.lab.module_shown import shown_of
from sim.lab.site import Site
from sim.lab.table import LabTable
from sim.lab.tables.modules import TABLETOP_PORT

Parts = Mapping[str, Sequence[FaultSpec]]


@dataclass(frozen=True, slots=True)
class Family:
    """Parts that are built together."""

    parts: Callable[[LabTable], Parts]
    """What can be broken, by part: a suffix of the device's name, or a whole key such as `degg.5003`."""
    servers: Callable[[Site, LabTable], Mapping[str, Server]]
    """Addresses, by the same names."""


def _freezer_parts(table: LabTable) -> Parts:
    return {
        part: specs
        for part, specs in freezer.FAULTS.items()
        if part != "lake_shore" or table.freezer.lake_shore != "none"
    }


def _module_parts(table: LabTable) -> Parts:
    ports = table.modules.all_ports()
    boards = {
        f"degg.{port}": modules.TABLETOP_FAULTS if port == TABLETOP_PORT else modules.FAULTS for port in ports
    }
    return {**boards, **{wire_pairs.part_of(port): wire_pairs.FAULTS for port in ports}}


def _module_servers(site: Site, table: LabTable) -> Mapping[str, Server]:
    boards = modules.boards(site, table.modules)
    for port, board in boards.items():
        site.shown[f"degg.{port}"] = shown_of(board)
    return {
        **modules.servers(site, table.modules, boards),
        **wire_pairs.servers(site, table.wire_pairs, boards),
    }


FAMILIES: Final[Sequence[Family]] = (
    Family(lambda _: scpi_parts.FAULTS, lambda site, table: scpi_parts.servers(site, table.scpi)),
    Family(lambda _: {"laser": LASER_FAULTS}, lambda _site, _table: {}),
    Family(lambda _: serial_parts.FAULTS, lambda site, table: serial_parts.servers(site, table.serial)),
    Family(_freezer_parts, lambda site, table: freezer.servers(site, table.freezer)),
    Family(_module_parts, _module_servers),
)
"""In the order in which they start and are listed."""
