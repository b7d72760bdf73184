"""The command port of a group over real sockets: clients of every manner, and the faults of its line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import zmq
import zmq.asyncio

from sim.degg.clock import DomClock
from sim.degg.faults import MODULE_FAULTS
from sim.errors import AddressTaken
from sim.kernel import FaultBoard, Transcript
from sim.kernel.clock import manual_clock
from sim.lab.figures import LabFigures
from sim.lab.site import Site
from sim.lab.wire_pairs import FAULTS, WirePairTable, base_of, part_of, servers
from sim.lab.world import World

PORTS = (5000, 5001, 5002, 5003, 5004, 10007)


class Switches:
    pmt_hv = lid = mcu_flash = False
    fpga_config = True

    def changed(self, now: int) -> None:
        """Nobody looks."""


class Module:
    serial, clock = "DEgg2021-3-100", DomClock(1_000_000, 2.0)

    def __init__(self) -> None:
        self.interlocks, self.sent = Switches(), bytearray()

    def identity(self, name: str) -> str:
        return {"icm": "0xa400000f18a1722d", "mainboard": "0x" + "12" * 16}[name]

    def reboot(self, now: int) -> None:
        """It has no processor."""

    def console_output(self, data: bytes) -> None:
        self.sent += data


class Lab:
    """Three groups that are up."""

    def __init__(self, folder: Path) -> None:
        boards = {f"degg.{port}": FaultBoard(f"degg.{port}", MODULE_FAULTS) for port in PORTS}
        boards |= {part_of(port): FaultBoard(part_of(port), FAULTS) for port in PORTS}
        transcript = Transcript(None, lambda: 0)
        world = World(LabFigures(), PORTS)
        self.site = Site("lab", 3, folder, manual_clock(), world, boards, transcript, "")
        self.modules = {port: Module() for port in PORTS}
        self.servers = servers(self.site, WirePairTable(), self.modules)
        self.addresses: dict[str, str] = {}
        self.context = zmq.asyncio.Context()

    @property
    def board(self) -> FaultBoard:
        return self.site.boards["icm.6000"]

    def client(self, kind: int = zmq.REQ, key: str = "icm.6000", **options: int) -> zmq.asyncio.Socket:
        socket = self.context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, 10_000)
        for name, value in options.items():
            socket.setsockopt(getattr(zmq, name), value)
        socket.connect(self.addresses[key])
        return socket

    async def ask(self, command: str = "devlist", key: str = "icm.6000") -> Any:
        with self.client(key=key) as client:
            await client.send_json({"command": command})
            return await client.recv_json()


@pytest.fixture
async def up(tmp_path: Path, nothing_left_behind: None) -> AsyncIterator[Lab]:
    lab = Lab(tmp_path)
    for key, server in lab.servers.items():
        address = await server.start()
        assert isinstance(address, str)
        lab.addresses[key] = address
    yield lab
    for server in lab.servers.values():
        await server.stop()
        await server.stop()
    lab.context.destroy(linger=0)


def test_bases_of_groups() -> None:
    assert [base_of(port) for port in (5000, 5003, 5011, 5015, 10007)] == [5000, 5000, 5008, 5012, 10000]
    assert part_of(10007) == "icm.11000"


async def test_each_group_has_a_port_of_its_own(up: Lab) -> None:
    assert sorted(up.addresses) == ["icm.11000", "icm.6000", "icm.6004"]
    assert (await up.ask())["value"] == [0, 1, 2, 3, 8]
    assert (await up.ask(key="icm.6004"))["value"] == [0, 8]
    assert (await up.ask(key="icm.11000"))["value"] == [7, 8]
    await up.ask("wp_off")
    assert (await up.ask("wp_voltage"))["value"] == "0.000"
    assert (await up.ask("wp_voltage", "icm.6004"))["value"] != "0.000"
    assert up.site.world.power.powered_since(5000) is None


async def test_modules_are_what_they_say(up: Lab) -> None:
    with up.client() as client:
        for register, text in (("ICM_ID", "0xa400000f18a1722d"), ("MB_ID", "0x" + "12" * 16)):
            await client.send_json({"command": "read", "device": "0", "register": register})
            assert await client.recv_json() == {"status": "OK", "value": text}


async def test_rapcal_arrives_at_the_consoles(up: Lab) -> None:
    assert await up.ask("rapcal_all") == {"status": "OK"}
    assert [len(up.modules[port].sent) for port in PORTS] == [284, 284, 284, 284, 0, 0]


async def test_a_request_in_parts_is_refused_and_the_next_one_served(up: Lab) -> None:
    with up.client() as client:
        await client.send_multipart([b'{"command":', b'"devlist"}'])
        assert await client.recv_json() == {"status": "?BADREQ"}
        await client.send(b"")
        assert await client.recv_json() == {"status": "?BADREQ"}
        await client.send_json({"command": "devlist"})
        assert (await client.recv_json())["status"] == "OK"


async def test_a_message_that_is_too_long_ends_its_connection_only(up: Lab) -> None:
    with up.client() as giant:
        await giant.send(b"x" * 1_000_000)
        assert (await up.ask())["status"] == "OK"
        assert not await giant.poll(0)


async def test_clients_that_vanish_or_send_no_envelope_hold_nobody(up: Lab) -> None:
    for _ in range(5):
        with up.client() as vanishing:
            await vanishing.send_json({"command": "devlist"})
    with up.client(zmq.DEALER) as bare:
        await bare.send(b"no envelope")
        await bare.send_multipart([b"", b"nonsense"])
        assert json.loads((await bare.recv_multipart())[1]) == {"status": "?BADREQ"}
    assert (await up.ask())["status"] == "OK"


async def test_a_client_that_asks_again_gets_the_answer_to_its_last_question(up: Lab) -> None:
    up.board.switch_on("stay_silent", times=1)
    with up.client(REQ_RELAXED=1, REQ_CORRELATE=1) as client:
        await client.send_json({"command": "devlist"})
        await client.send_json({"command": "version"})
        assert (await client.recv_json())["value"].startswith("domnet")


async def test_silence(up: Lab) -> None:
    up.board.switch_on("stay_silent", times=1)
    with up.client() as client:
        await client.send_json({"command": "devlist"})
        await up.ask()
        assert not await client.poll(0)
    assert up.board.struck()["stay_silent"] == 1


async def test_garbage_and_half_answers(up: Lab) -> None:
    up.board.switch_on("answer_garbage", times=1)
    with up.client() as client:
        await client.send_json({"command": "devlist"})
        with pytest.raises(ValueError, match=r"codec can't decode|Expecting|Extra data"):
            json.loads(await client.recv())
        up.board.switch_on("answer_half", times=1)
        await client.send_json({"command": "devlist"})
        half = await client.recv()
    assert b'{"status": "OK", "value": [0, 1, 2, 3, 8]}'.startswith(half)


async def test_late_answer_comes_after_its_time(up: Lab) -> None:
    up.board.switch_on("answer_late", times=1, delay_s=0.05)
    assert (await up.ask())["status"] == "OK"
    assert up.board.struck()["answer_late"] == 1


async def test_a_cut_line_loses_the_command_and_is_there_again(up: Lab) -> None:
    up.board.switch_on("drop_connection", times=1)
    with up.client(RCVTIMEO=300, REQ_RELAXED=1, REQ_CORRELATE=1) as client:
        await client.send_json({"command": "wp_off"})
        with pytest.raises(zmq.Again):
            await client.recv()
        client.setsockopt(zmq.RCVTIMEO, 10_000)
        await client.send_json({"command": "wp_voltage"})
        # The command is lost with its line, never half done: the wire pair is still on.
        assert float((await client.recv_json())["value"]) > 80.0
    assert up.board.struck()["drop_connection"] == 1


async def test_refusal_closes_the_port_until_it_is_over(up: Lab) -> None:
    host, port = up.addresses["icm.6000"].removeprefix("tcp://").split(":")
    up.board.switch_on("refuse_connection")
    for _ in range(500):
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            break
        writer.close()
        await asyncio.sleep(0.01)
    else:
        pytest.fail("the port still accepts connections")
    up.board.switch_off("refuse_connection")
    assert (await up.ask())["status"] == "OK"
    assert up.board.struck()["refuse_connection"] == 1


async def test_a_taken_port_is_told(up: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(up.addresses["icm.6000"].rpartition(":")[2])
    monkeypatch.setattr("sim.lab.wire_pairs.COMMAND_PORT_OFFSET", port - 5000)
    made = servers(_renamed(up.site, port), WirePairTable(nominal_ports=True), {5000: Module()})
    with pytest.raises(AddressTaken, match=str(port)):
        await next(iter(made.values())).start()
    await next(iter(made.values())).stop()


def _renamed(site: Site, port: int) -> Site:
    boards = {**site.boards, f"icm.{port}": FaultBoard(f"icm.{port}", FAULTS)}
    return Site(
        site.name, site.seed, site.folder, site.clock, site.world, boards, site.transcript, site.token
    )
