"""Consoles of modules over real sockets, met by a client that does what the public one does."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import statistics
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import zmq
from pydantic import ValidationError

from sim.degg.board_figures import BoardFigures
from sim.degg.module import Module
from sim.degg.slow_adc import reading
from sim.kernel import NS_PER_S, FaultBoard, Server, SimTime, Transcript
from sim.kernel.clock import SimClock, manual_clock, wall_clock
from sim.lab.figures import LabFigures
from sim.lab.modules import FAULTS, TABLETOP_FAULTS, ModulesTable, boards, servers
from sim.lab.site import Site
from sim.lab.wire_pairs import FAULTS as WIRE_PAIR_FAULTS
from sim.lab.wire_pairs import WirePairTable, part_of
from sim.lab.wire_pairs import servers as wire_pair_servers
from sim.lab.world import Generator, World

PROMPT = b"\r\n> "
QUICK = BoardFigures(start_s=0.05, boot_s=0.0, configure_s=0.05, sensor_s=0.0)
TABLE = ModulesTable(count=2)


class Silence(Exception):
    """The public client's `Timeout!`."""


class PublicClient:
    """Sends a line, waits for the ending prompt in pieces of 128 bytes, cuts the echo off by its length."""

    def __init__(self, address: str) -> None:
        host, port = address.removeprefix("tcp://").split(":")
        self._socket = socket.create_connection((host, int(port)), timeout=10)

    def start(self) -> None:
        """In the probed order."""
        self.cmd("boot", 3)
        self.cmd("true setecho")
        self.cmd("disableLogOutput")
        self.cmd("sdrop")
        self.number("getBoardType .s drop")
        self.number("softwareVersion .s drop")
        self.cmd("printSoftwareId")

    def cmd(self, command: str, timeout: float = 5.0) -> str:
        line = command.encode() + b"\r\n"
        self._socket.sendall(line)
        reply = b""
        while not reply.endswith(PROMPT):
            reply += self.read_next(128, timeout)
        return reply[len(line) : -len(PROMPT)].decode()

    def number(self, command: str) -> int:
        return int(self.cmd(command).split()[1])

    def raw(self, command: str, n: int, timeout: float = 10.0) -> bytes:
        line = command.encode() + b"\r\n"
        self._socket.sendall(line)
        self._read(len(line), 10.0)
        data = self._read(n, timeout)
        prompt = b""
        while not prompt.endswith(b"> "):
            prompt += self.read_next(128, timeout)
        assert prompt == PROMPT
        return data

    def volts(self, ch: int) -> float:
        return float(self.cmd(f"{8 + 2 * ch} sloAdcReadChannel").split()[3])

    def _read(self, n: int, timeout: float) -> bytes:
        data = b""
        while len(data) < n:
            data += self.read_next(n - len(data), timeout)
        return data

    def read_next(self, n: int, timeout: float) -> bytes:
        self._socket.settimeout(timeout)
        try:
            data = self._socket.recv(n)
        except TimeoutError:
            raise Silence from None
        if not data:
            raise ConnectionResetError
        return data

    def close(self) -> None:
        self._socket.close()


@dataclass
class Lab:
    clock: SimClock
    world: World
    faults: dict[str, FaultBoard]
    modules: dict[int, Module]
    site: Site
    addresses: dict[str, str]
    clients: list[PublicClient]

    async def client(self, port: int = 5000, *, start: bool = True) -> PublicClient:
        client = await asyncio.to_thread(PublicClient, self.addresses[f"degg.{port}"])
        self.clients.append(client)
        if start:
            await asyncio.to_thread(client.start)
        return client

    def close_interlocks(self, port: int = 5000) -> None:
        interlocks = self.modules[port].interlocks
        interlocks.pmt_hv = interlocks.lid = True
        interlocks.changed(self.clock.now)


MakeLab = Callable[[SimClock], Any]


@pytest_asyncio.fixture
async def make_lab(tmp_path: Path) -> AsyncIterator[MakeLab]:
    started: list[Server] = []
    clocks: list[SimClock] = []
    clients: list[PublicClient] = []

    async def make(clock: SimClock) -> Lab:
        await clock.start()
        clocks.append(clock)
        world = World(LabFigures(board=QUICK), TABLE.all_ports())
        faults = {
            f"degg.{port}": FaultBoard(f"degg.{port}", FAULTS if port < 10_000 else TABLETOP_FAULTS)
            for port in TABLE.all_ports()
        }
        faults |= {part_of(port): FaultBoard(part_of(port), WIRE_PAIR_FAULTS) for port in TABLE.all_ports()}
        site = Site("lab", 11, tmp_path, clock, world, faults, Transcript(None, lambda: SimTime(0)), "")
        modules = boards(site, TABLE)
        consoles = servers(site, TABLE, modules)
        addresses = {}
        for name, server in consoles.items():
            addresses[name] = str(await server.start())
            started.append(server)
        return Lab(clock, world, faults, modules, site, addresses, clients)

    yield make
    for client in clients:
        client.close()
    for server in started:
        await server.stop()
    for clock in clocks:
        await clock.stop()


async def test_one_client_at_a_time_and_the_next_one_works(make_lab: MakeLab) -> None:
    lab = await make_lab(manual_clock())
    first = await lab.client()
    second = await lab.client(start=False)
    with pytest.raises(ConnectionError):
        await asyncio.to_thread(second.cmd, "boot")
    assert await asyncio.to_thread(first.number, "fpgaVersion .s drop") == 272
    other = await lab.client(5001)
    assert await asyncio.to_thread(other.cmd, "icmID") != await asyncio.to_thread(first.cmd, "icmID")
    first.close()
    third = await lab.client()
    assert await asyncio.to_thread(third.number, "fpgaVersion .s drop") == 272


async def test_a_client_that_leaves_while_the_board_is_at_work_does_not_block_the_next(
    make_lab: MakeLab,
) -> None:
    lab = await make_lab(wall_clock())
    client = await lab.client()
    with pytest.raises(Silence):
        await asyncio.to_thread(client.cmd, "300000000 usleep", 0.1)
    client.close()
    following = await lab.client()
    assert await asyncio.to_thread(following.number, "fpgaVersion .s drop") == 272


def check_status(client: PublicClient, recorded: int) -> int:
    """The version, after up to three attempts to flash it again."""
    for _ in range(3):
        if client.number("fpgaVersion .s drop") == recorded:
            break
        name = client.cmd("flashLS").splitlines()[-1].split()[0]
        client.cmd(f's" {name}" flashConfigureFPGA', 10)
    return client.number("fpgaVersion .s drop")


@pytest.mark.parametrize("clock", [wall_clock, manual_clock])
async def test_reboot_over_the_same_connection(make_lab: MakeLab, clock: Callable[[], SimClock]) -> None:
    lab = await make_lab(clock())
    client = await lab.client()

    def reboot() -> int:
        with pytest.raises(Silence):
            client.cmd("reboot", 0.2)
        client.start()
        assert client.number("fpgaVersion .s drop") == 65535
        assert client.cmd("sloAdcReadAll") == "sloAdcReadChannel: FAIL"
        return check_status(client, 272)

    assert await asyncio.to_thread(reboot) == 272


@pytest.mark.parametrize(
    ("fault", "mended"), [("wrong_fpga", 272), ("unconfigured_fpga", 272), ("refuse_configuration", 65535)]
)
async def test_a_status_check_flashes_again(make_lab: MakeLab, fault: str, mended: int) -> None:
    lab = await make_lab(manual_clock())
    client = await lab.client()
    if fault == "refuse_configuration":
        lab.faults["degg.5000"].switch_on("wrong_fpga")
    lab.faults["degg.5000"].switch_on(fault)
    assert await asyncio.to_thread(client.number, "fpgaVersion .s drop") != 272
    if fault == "refuse_configuration":
        await asyncio.to_thread(client.cmd, 's" degg_fw_v0x110.rbf" flashConfigureFPGA')
        lab.faults["degg.5000"].switch_off("wrong_fpga")
    assert await asyncio.to_thread(check_status, client, 272) == mended


async def test_a_power_cycle_and_one_that_hangs(make_lab: MakeLab) -> None:
    lab = await make_lab(manual_clock())
    client = await lab.client()

    def switch(on: bool) -> None:
        lab.world.power.set_wire_pair(lab.clock.now, 5000, on)

    lab.faults["degg.5000"].switch_on("hang_power_cycle")
    for starts in (False, True):
        switch(False)
        with pytest.raises(Silence):
            await asyncio.to_thread(client.cmd, "boot", 0.1)
        switch(True)
        if not starts:
            with pytest.raises(Silence):
                await asyncio.to_thread(client.cmd, "boot", 0.1)
    await asyncio.to_thread(client.start)
    assert await asyncio.to_thread(check_status, client, 272) == 272


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
        with pytest.raises(Silence):
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
        with pytest.raises(Silence):
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
        with pytest.raises(Silence):
            client.raw("1400 10 15 readDEggChargeBlock", 1400, 0.5)
        return client.number("fpgaVersion .s drop")

    assert await asyncio.to_thread(ask) == 272


async def test_rapcal_packets_come_unasked(make_lab: MakeLab) -> None:
    lab = await make_lab(manual_clock())
    client = await lab.client()
    lab.modules[5000].console_output(b"\x01\x00\x02\x00xy")
    assert await asyncio.to_thread(client.read_next, 6, 5.0) == b"\x01\x00\x02\x00xy"


@pytest.mark.parametrize("fault", ["time_out", "absent", "stay_silent"])
async def test_a_module_that_does_not_respond(make_lab: MakeLab, fault: str) -> None:
    lab = await make_lab(manual_clock())
    client = await lab.client()
    lab.faults["degg.5000"].switch_on(fault)
    with pytest.raises(Silence):
        await asyncio.to_thread(client.cmd, "boot", 0.1)
    lab.faults["degg.5000"].switch_off(fault)
    assert await asyncio.to_thread(client.number, "fpgaVersion .s drop") == 272


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
