"""What generator and supply do to the light, and their faults, over the sockets of a laboratory on a manual clock."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from pydantic import ValidationError

from sim.degg.surroundings import Light
from sim.kernel import NS_PER_S, FaultBoard, SimTime, Transcript
from sim.kernel.clock import ManualClock, manual_clock
from sim.lab.figures import LabFigures
from sim.lab.instruments.scpi_parts import FAULTS, ScpiTable, servers
from sim.lab.site import Site
from sim.lab.world import Generator, World

ON = ("FREQ 100;:VOLT 3VPP;:OUTP ON", "INST P25V;:VOLT 12;:OUTP ON")
"""For generator and supply: light."""


@dataclass
class Laboratory:
    site: Site
    clock: ManualClock
    addresses: dict[str, str]

    @property
    def world(self) -> World:
        return self.site.world

    async def ask(self, part: str, *lines: str, answers: int) -> list[str]:
        """Send lines on a connection of their own and read as many answers."""
        address = urlparse(self.addresses[part])
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write("".join(f"{line}\n" for line in lines).encode())
            return [
                (await asyncio.wait_for(reader.readline(), 20)).decode().rstrip("\r\n")
                for _ in range(answers)
            ]
        finally:
            writer.close()
            await writer.wait_closed()

    async def obey(self, part: str, *lines: str) -> None:
        assert await self.ask(part, *lines, "*OPC?", answers=1) == ["1"]

    async def switch(self, part: str, fault: str, on: bool = True, **parameters: Any) -> None:
        """Returns when a fault that acts at once has acted."""
        board = self.site.faults(part)
        board.switch_on(fault, **parameters) if on else board.switch_off(fault)
        while acting := [task for task in asyncio.all_tasks() if task.get_name().endswith(" acts")]:
            await asyncio.wait(acting)

    def light(self) -> Light | None:
        return self.world.light.light(self.clock.now)


@asynccontextmanager
async def laboratory(folder: Path, **table: Any) -> AsyncIterator[Laboratory]:
    clock = manual_clock()
    boards = {f"lab.{part}": FaultBoard(part, faults) for part, faults in FAULTS.items()}
    world = World(LabFigures(), [])
    site = Site("lab", 1, folder, clock, world, boards, Transcript(None, lambda: 0), "")
    built = servers(site, ScpiTable(**table))
    try:
        yield Laboratory(site, clock, {part: str(await server.start()) for part, server in built.items()})
    finally:
        for server in built.values():
            await server.stop()


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Laboratory]:
    async with laboratory(tmp_path) as lab:
        yield lab


@pytest.fixture
async def lit(lab: Laboratory) -> Laboratory:
    await lab.clock.advance(5 * NS_PER_S)
    await lab.obey("function_generator", ON[0])
    await lab.obey("power_supply", ON[1])
    return lab


async def test_there_is_light_only_with_both(lab: Laboratory) -> None:
    assert lab.light() is None
    await lab.obey("function_generator", ON[0])
    assert lab.light() is None
    await lab.clock.advance(5 * NS_PER_S)
    await lab.obey("power_supply", ON[1])
    assert lab.light() == Light(SimTime(5 * NS_PER_S), 100.0, 1.0)
    await lab.obey("function_generator", "OUTP OFF")
    assert lab.light() is None


@pytest.mark.parametrize(
    ("volts", "fires"), [(11.3, False), (11.4, True), (12.6, True), (12.7, False), (0, False)]
)
async def test_the_supply_has_a_window(lit: Laboratory, volts: float, fires: bool) -> None:
    await lit.obey("power_supply", f"VOLT {volts}")
    assert (lit.light() is not None) is fires


async def test_a_supply_whose_current_is_limited_gives_less(lit: Laboratory) -> None:
    await lit.obey("power_supply", "CURR 0.2")
    assert await lit.ask("power_supply", "VOLT?;:MEAS:VOLT?;CURR?", answers=1) == [
        "+1.20000000E+01;+8.00000000E+00;+2.00000000E-01"
    ]
    assert lit.light() is None


@pytest.mark.parametrize(
    ("command", "fires"),
    [
        ("VOLT 1.9VPP", False),
        ("VOLT 2VPP", True),
        ("FUNC DC", False),
        ("FUNC PRN", False),
        ("FUNC RAMP", True),
        ("OUTP:IMP INF", True),
        ("*RST", False),
        ("FREQ 1e12", True),
    ],
)
async def test_what_the_generator_sends_must_trigger_the_head(
    lit: Laboratory, command: str, fires: bool
) -> None:
    await lit.obey("function_generator", command)
    assert (lit.light() is not None) is fires


async def test_bursts_come_with_the_timer(lit: Laboratory) -> None:
    await lit.obey("function_generator", "BURS:STAT ON;NCYC 2;:FREQ 50MHZ;:TRIG:TIM 10ms")
    assert lit.world.light.generator == Generator(True, 100.0, 3.0, 2, 20.0)
    await lit.obey("function_generator", "BURS:NCYC INF;:FREQ 500")
    assert lit.world.light.generator == Generator(True, 500.0, 3.0)


async def test_one_burst_for_each_trigger_command(lit: Laboratory) -> None:
    await lit.obey("function_generator", "BURS:STAT ON;NCYC 2;:TRIG:SOUR EXT")
    assert lit.light() is None
    await lit.clock.advance(NS_PER_S)
    await lit.obey("function_generator", "*TRG")
    first = lit.light()
    assert first is not None
    assert (first.since, first.pulses, first.spacing_ns) == (6 * NS_PER_S, 2, 1e7)
    assert first.frequency_hz < 1e-5, "the next would come in days"
    await lit.clock.advance(NS_PER_S)
    await lit.obey("function_generator", "*TRG")
    assert lit.light() == Light(SimTime(7 * NS_PER_S), first.frequency_hz, 1.0, 2, 1e7)


async def test_another_make_at_the_same_place(tmp_path: Path) -> None:
    async with laboratory(tmp_path, function_generator="33220A") as lab:
        assert await lab.ask("gpib", "++auto 1", "*IDN?", answers=1) == [
            lab.world.figures.scpi.agilent_identity
        ]
        await lab.obey("power_supply", ON[1])
        await lab.obey("function_generator", "APPL:SQU 100,3")
        assert lab.light() == Light(SimTime(0), 100.0, 1.0)
        await lab.obey("function_generator", "BURS:STAT ON;NCYC 2;:FREQ 10e6;:BURS:INT:PER 2e-3")
        assert lab.world.light.generator == Generator(True, 500.0, 3.0, 2, 100.0)


async def test_a_supply_that_somebody_has_switched_on(tmp_path: Path) -> None:
    async with laboratory(tmp_path, laser_output="N25V", laser_volts=-12.0, laser_on=True) as lab:
        await lab.obey("function_generator", ON[0])
        assert lab.light() is not None
        assert await lab.ask("power_supply", "OUTP?;:APPL? N25V", answers=1) == ['1;"-12.000000,1.000000"']


@pytest.mark.parametrize(
    "table",
    [{"laser_volts": -1.0}, {"laser_output": "P6V", "laser_volts": 12.0}, {"power_supply_address": 10}],
)
def test_tables_that_cannot_be(table: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ScpiTable(**table)


@pytest.mark.parametrize(
    ("part", "asked", "off", "none"),
    [
        ("function_generator", "OUTP?", "0", "0"),
        ("power_supply", "OUTP?;:MEAS:VOLT?", "0;+0.00000000E+00", "+0"),
    ],
)
async def test_an_output_that_trips_does_so_at_once_and_again(
    lit: Laboratory, part: str, asked: str, off: str, none: str
) -> None:
    await lit.switch(part, "trip_output")
    assert lit.light() is None
    trip = '-300,"Device-specific error"'
    assert await lit.ask(part, asked, "SYST:ERR?", "*ESR?", answers=3) == [off, trip, "8"]
    assert await lit.ask(part, "OUTP ON;:OUTP?", "SYST:ERR?", answers=2) == ["0", trip]
    await lit.switch(part, "trip_output", on=False)
    assert await lit.ask(part, "OUTP ON;:OUTP?", "SYST:ERR?", answers=2) == ["1", f'{none},"No error"']
    assert lit.light() is not None


async def test_a_shifted_frequency_is_not_read_back(lit: Laboratory) -> None:
    await lit.switch("function_generator", "shift_frequency", relative=0.05)
    light = lit.light()
    assert light is not None
    assert light.frequency_hz == pytest.approx(105.0)
    assert await lit.ask("function_generator", "FREQ?", answers=1) == ["1.0000000000E+02"]
    await lit.switch("function_generator", "shift_frequency", on=False)
    assert lit.world.light.generator.frequency_hz == 100.0


async def test_a_sagging_supply_is_measured_and_takes_the_light(lit: Laboratory) -> None:
    await lit.switch("power_supply", "sag_output", relative=0.25)
    assert lit.light() is None
    assert await lit.ask("power_supply", "VOLT?;:MEAS:VOLT?", answers=1) == [
        "+1.20000000E+01;+9.00000000E+00"
    ]
    await lit.switch("power_supply", "sag_output", on=False)
    assert lit.light() is not None


async def test_readings_freeze_and_drift(lit: Laboratory) -> None:
    board = lit.site.faults("power_supply")
    board.switch_on("freeze_value")
    frozen = await lit.ask("power_supply", "MEAS:VOLT?;:VOLT 11;:MEAS:VOLT?", answers=1)
    assert frozen == ["+1.20000000E+01;+1.20000000E+01"]
    board.switch_off("freeze_value")
    board.switch_on("drift_value", per_hour=0.5)
    assert await lit.ask("power_supply", "MEAS:VOLT?", answers=1) == ["+1.10000000E+01"]
    await lit.clock.advance(3600 * NS_PER_S)
    assert await lit.ask("power_supply", "MEAS:VOLT?", answers=1) == ["+1.15000000E+01"]


@pytest.mark.parametrize("part", ["function_generator", "gpib", "power_supply"])
async def test_faults_of_the_line(lab: Laboratory, part: str) -> None:
    query = ("++ver",) if part == "gpib" else ("*IDN?",)
    (good,) = await lab.ask(part, *query, answers=1)
    board = lab.site.faults(part)
    board.switch_on("stay_silent", times=1)
    assert await lab.ask(part, *query, *query, answers=1) == [good]
    board.switch_on("drop_connection", times=1)
    with contextlib.suppress(ConnectionError):
        assert await lab.ask(part, *query, answers=1) == [""], "the end of the stream"
    assert await lab.ask(part, *query, answers=1) == [good]


async def test_the_cable_of_the_bus(lab: Laboratory) -> None:
    lab.site.faults("gpib").switch_on("lose_bus")
    assert await lab.ask("gpib", "++auto 1", "*IDN?", "++auto", answers=1) == ["1"]
    lab.site.faults("gpib").switch_off("lose_bus")
    assert await lab.ask("gpib", "++auto 1", "*IDN?", answers=1) == [lab.world.figures.scpi.afg_identity]
