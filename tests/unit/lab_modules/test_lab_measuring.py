"""What a client measures over consoles: high voltage, the laser, blocks that come late or never, readings."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq
from pydantic import ValidationError

from sim.degg.slow_adc import reading
from sim.kernel import NS_PER_S, FaultBoard, SimTime, Transcript
from sim.kernel.clock import SimClock, manual_clock, wall_clock
from sim.lab.figures import LabFigures
from sim.lab.modules import FAULTS, ModulesTable, boards
from sim.lab.site import Site
from sim.lab.wire_pairs import WirePairTable
from sim.lab.wire_pairs import servers as wire_pair_servers
from sim.lab.world import Generator, World

MakeLab = Callable[[SimClock], Any]


async def test_high_voltage_ramps_trips_and_fluctuates(make_lab: MakeLab) -> None:
    clock = manual_clock()
    lab = await make_lab(clock)
    faults = lab.faults["degg.5000"]
    client = await lab.client()

    def ask(command: str) -> str:
        return client.cmd(command)

    assert await asyncio.to_thread(ask, "0 enableHV") == "enableHV: FAIL, PMT HV interlock not set"
    lab.close_interlocks()
    for ch in (0, 1):
        assert await asyncio.to_thread(ask, f"{ch} enableHV {ch} 1500 setDEggHV") == ""
    await clock.advance(10 * NS_PER_S)
    assert await asyncio.to_thread(client.volts, 0) == pytest.approx(500, abs=20)  # 50 V/s
    await clock.advance(30 * NS_PER_S)
    reads = [await asyncio.to_thread(client.volts, 0) for _ in range(20)]
    assert statistics.mean(reads) == pytest.approx(1500, abs=20)
    assert statistics.stdev(reads) < 3

    faults.switch_on("noisy_hv")
    reads = [await asyncio.to_thread(client.volts, 0) for _ in range(20)]
    assert statistics.stdev(reads) / statistics.mean(reads) > 0.02
    faults.switch_off("noisy_hv")

    faults.switch_on("trip_hv", times=1, channel=1)
    assert await asyncio.to_thread(client.volts, 1) < 10
    assert await asyncio.to_thread(client.number, "1 DEggHVEnabled .s drop") == 0
    assert await asyncio.to_thread(client.volts, 0) > 1400

    lab.world.cold.open_door(clock.now, True)
    assert await asyncio.to_thread(client.number, "readLightSensorPmtHvEnable .s drop") == 0
    assert await asyncio.to_thread(client.volts, 0) < 10


async def test_the_icm_closes_interlocks_and_switches_power(make_lab: MakeLab) -> None:
    lab = await make_lab(manual_clock())
    command_port = wire_pair_servers(lab.site, WirePairTable(), lab.modules)["icm.6000"]
    address = str(await command_port.start())
    client = await lab.client()
    context = zmq.Context()
    request = context.socket(zmq.REQ)
    request.setsockopt(zmq.LINGER, 0)
    request.setsockopt(zmq.RCVTIMEO, 10_000)
    request.connect(address)

    def icm(command: str) -> str:
        request.send(json.dumps({"command": command, "device": "0"}).encode())
        return str(json.loads(request.recv())["status"])

    try:
        assert await asyncio.to_thread(client.number, "readHVInterlock .s drop") == 0
        assert await asyncio.to_thread(icm, "pmt_hv_enable") == "OK"
        assert await asyncio.to_thread(client.number, "readHVInterlock .s drop") == 1
        assert await asyncio.to_thread(client.cmd, "0 enableHV") == ""
        assert await asyncio.to_thread(icm, "pmt_hv_disable") == "OK"
        assert await asyncio.to_thread(client.number, "0 DEggHVEnabled .s drop") == 0
        assert await asyncio.to_thread(icm, "mb_off") == "OK"
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(client.cmd, "boot", 0.1)
        assert await asyncio.to_thread(icm, "mb_on") == "OK"
        await asyncio.to_thread(client.start)
    finally:
        request.close()
        context.term()
        await command_port.stop()


async def test_the_tabletop_board_times_the_laser_and_has_no_high_voltage(make_lab: MakeLab) -> None:
    clock = manual_clock()
    lab = await make_lab(clock)
    lab.world.light.set_supply(clock.now, 12.0, True)
    lab.world.light.set_generator(clock.now, Generator(True, 100.0, 3.0))
    lab.close_interlocks(10007)
    client = await lab.client(10007)

    def times() -> list[int]:
        client.cmd("65 30000 setDAC 0 1 128 setDEggConstReadout 0 10000 0 startDEggWfmStream")
        block = client.raw("14000 10 15 readDEggChargeBlock", 14000)
        return [int.from_bytes(block[at + 4 : at + 10], "little") for at in range(0, 14000, 14)]

    ticks = await asyncio.to_thread(times)
    spacings = [(later - earlier) / 240e6 for earlier, later in itertools.pairwise(ticks)]
    assert (
        sum(0.0099 <= spacing <= 0.0101 for spacing in spacings) == 999
    )  # check_laser_freq, fat.md section 2
    assert "no high voltage" in await asyncio.to_thread(client.cmd, "0 enableHV")
    assert await asyncio.to_thread(client.volts, 0) == 0.0


async def test_a_module_sees_the_laser(make_lab: MakeLab) -> None:
    clock = manual_clock()
    lab = await make_lab(clock)
    lab.world.light.set_supply(clock.now, 12.0, True)
    lab.world.light.set_generator(clock.now, Generator(True, 100.0, 3.0))
    lab.close_interlocks()
    client = await lab.client()

    def stream(command: str) -> None:
        client.cmd("65 30000 setDAC 66 30000 setDAC 0 1 128 setDEggConstReadout 1 1 128 setDEggConstReadout")
        client.cmd("0 enableHV 0 1450 setDEggHV 1 enableHV 1 1450 setDEggHV")
        client.cmd(command)

    await asyncio.to_thread(stream, "8300 8300 3 startDEggWfmStream")
    await clock.advance(40 * NS_PER_S)
    block = await asyncio.to_thread(client.raw, "5600 10 15 readDEggChargeBlock", 5600)
    stamps = [block[at : at + 14] for at in range(0, 5600, 14)]
    assert {stamp[1] & 1 for stamp in stamps} == {0, 1}
    ticks = [int.from_bytes(stamp[4:10], "little") for stamp in stamps]
    assert ticks == sorted(ticks)
    charges = [struct.unpack("<f", stamp[10:])[0] for stamp in stamps]
    assert statistics.median(charges) > 1e-11

    waveforms = await asyncio.to_thread(client.raw, "66000 readDEggWfmBlock", 66000)
    assert int.from_bytes(waveforms[:4], "little") > 128
    words = int.from_bytes(await asyncio.to_thread(client.raw, "readDEggWfmStream", 4), "little")
    record = await asyncio.to_thread(client.raw, "readDEggWfmStream", 2 * words)
    assert len(record) == 2 * words


async def test_a_client_that_loses_patience_can_go_on(make_lab: MakeLab) -> None:
    lab = await make_lab(wall_clock())
    client = await lab.client()

    def impatient() -> int:
        client.cmd("0 1000 1 startDEggWfmStream")  # a record each second
        with pytest.raises(TimeoutError):
            client.raw("140 10 15 readDEggChargeBlock", 140, 0.2)
        return client.number("fpgaVersion .s drop")

    assert await asyncio.to_thread(impatient) == 272
    # a block that comes in time is whole
    assert await asyncio.to_thread(client.cmd, "0 1 1 startDEggWfmStream") == ""
    assert len(await asyncio.to_thread(client.raw, "140 10 15 readDEggChargeBlock", 140)) == 140


async def test_without_events_there_is_silence(make_lab: MakeLab) -> None:
    lab = await make_lab(manual_clock())
    client = await lab.client()

    def ask() -> int:
        client.cmd("0 16000 0 startDEggWfmStream")
        with pytest.raises(TimeoutError):
            client.raw("1400 10 15 readDEggChargeBlock", 1400, 0.5)
        return client.number("fpgaVersion .s drop")

    assert await asyncio.to_thread(ask) == 272


def test_readings_of_a_healthy_module_are_inside_the_limits(tmp_path: Path) -> None:
    # fat.md section 8, and rails within 5 %
    clock = manual_clock()
    table = ModulesTable()
    world = World(LabFigures(), table.all_ports())
    faults = {f"degg.{port}": FaultBoard(f"degg.{port}", FAULTS) for port in table.all_ports()}
    site = Site("lab", 3, tmp_path, clock, world, faults, Transcript(None, lambda: SimTime(0)), "")
    limits = (1000, 400, 400, 500, 300)
    rails = {5: 1.8, 12: 1.1, 13: 1.35, 14: 2.5, 15: 3.3}
    for module in boards(site, table).values():
        values = [float(reading(module, number, SimTime(0)).split()[3]) for number in range(16)]
        assert all(0 < value < limit for value, limit in zip(values[:5], limits, strict=True))
        assert all(values[number] == pytest.approx(volts, rel=0.05) for number, volts in rails.items())
        assert 28 < values[7] < 37  # glass at 20 C, boards run 10..15 C warmer


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"serials": {"5001": "DEgg2021-3-100"}}, "two modules bear the serial number DEgg2021-3-100"),
        ({"count": 1, "serials": {"5001": "DEgg2021-3-7"}}, "there is no module at port 5001"),
        ({"count": 17}, "less than or equal to 16"),
        ({"serials": {"6000": "X"}}, "should match pattern"),
    ],
)
def test_tables_that_cannot_be(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        ModulesTable(**options)
