"""A wire pair with modules that record what was done to them, for the tests of this folder."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from sim.degg.clock import DomClock
from sim.degg.faults import MODULE_FAULTS
from sim.degg.icm import Wired
from sim.degg.icm_commands import answer, encoded
from sim.degg.icm_figures import WirePairFigures
from sim.degg.wire_pairs import WIRE_PAIR_FAULTS, WirePair
from sim.kernel import FaultBoard, SimTime
from sim.lab.lines import LINK_FAULTS
from sim.lab.world import PowerPath
from sim.lab.world.power import group_of

EPOCH_UNIX_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z


@dataclass
class Switches:
    """Interlocks that remember when they changed."""

    pmt_hv: bool = False
    lid: bool = False
    mcu_flash: bool = False
    fpga_config: bool = True
    changes: list[SimTime] = field(default_factory=list)

    def changed(self, now: SimTime) -> None:
        self.changes.append(now)


@dataclass
class Board:
    """A module's side of its ICM."""

    interlocks: Switches = field(default_factory=Switches)
    sent: bytearray = field(default_factory=bytearray)
    starts: list[SimTime] = field(default_factory=list)

    def reboot(self, now: SimTime) -> None:
        self.starts.append(now)

    def console_output(self, data: bytes) -> None:
        self.sent += data


class WiredLab:
    """One wire pair whose time the test sets."""

    def __init__(
        self,
        ports: tuple[int, ...] = (5000, 5001, 5002, 5003),
        *,
        base: int | None = None,
        waits: bool = False,
        figures: WirePairFigures | None = None,
    ) -> None:
        self.now = SimTime(0)
        self.power = PowerPath(ports, 0.5)
        self.boards = {port: Board() for port in ports}
        self.clocks = {port: DomClock(7_000_003 + 1_234_567 * (port % 8), 1.5 + port % 8) for port in ports}
        self.module_faults = {port: FaultBoard(f"degg.{port}", MODULE_FAULTS) for port in ports}
        self.faults = FaultBoard("icm.6000", (*LINK_FAULTS, *WIRE_PAIR_FAULTS))
        first = ports[0] if base is None else base
        wired = [
            Wired(
                port=port,
                address=port - first,
                serial=f"DEgg2021-3-{port - 4900}",
                icm_id=f"a400000f18a1{port:04x}",
                mainboard_id=f"{port:032x}",
                clock=self.clocks[port],
                board=self.boards[port],
                faults=self.module_faults[port],
            )
            for port in ports
        ]
        self.pair = WirePair(
            first,
            group_of(ports[0]),
            wired,
            self.power,
            self.faults,
            lambda now: EPOCH_UNIX_NS + now,
            figures or WirePairFigures(),
            seed=11,
            waits=waits,
        )

    def ask_bytes(self, body: bytes) -> dict[str, Any]:
        """What a body is answered with."""
        fields: dict[str, Any] = json.loads(encoded(answer(self.pair, body, self.now)))
        return fields

    def ask(self, line: str) -> dict[str, Any]:
        """Ask as the public client's text form does: command, device, then register for read and write, then value."""
        words = line.lower().split()
        names = ["command", "device"]
        names += ["register", "value"] if words[0] in ("read", "write") else ["value"]
        return self.ask_bytes(json.dumps(dict(zip(names, words, strict=False))).encode())


@pytest.fixture
def lab() -> WiredLab:
    """The group at 5000, everything on, on a clock that the test holds."""
    return WiredLab()


@pytest.fixture(scope="session")
def make_lab() -> type[WiredLab]:
    """To make others."""
    return WiredLab
