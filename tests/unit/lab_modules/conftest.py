"""A laboratory of two modules and a tabletop mainboard with clients at their consoles, for the tests of this folder."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio

from sim.degg.board_figures import BoardFigures
from sim.degg.module import Module
from sim.kernel import FaultBoard, Server, SimTime, Transcript
from sim.kernel.clock import SimClock
from sim.lab.figures import LabFigures
from sim.lab.modules import FAULTS, TABLETOP_FAULTS, ModulesTable, boards, servers
from sim.lab.site import Site
from sim.lab.wire_pairs import FAULTS as WIRE_PAIR_FAULTS
from sim.lab.wire_pairs import part_of
from sim.lab.world import World

PROMPT = b"\r\n> "
QUICK = BoardFigures(start_s=0.05, boot_s=0.0, configure_s=0.05, sensor_s=0.0)
TABLE = ModulesTable(count=2)


class Silence(TimeoutError):
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
