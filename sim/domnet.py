"""A stand-in for `domnet`, the program that leads from a field hub's USB port to TCP ports.

It finds the wire pair of a group in a laboratory that is up, says what it found in the words that set-up scripts wait
for, and leads the ports that those scripts know to the simulated ones.
"""

from __future__ import annotations

import asyncio
import configparser
import contextlib
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import zmq

from sim.errors import AddressTaken, SimError

HUB: Final = 8
COMMAND_PORT_OFFSET: Final = 1000
CHUNK: Final = 1 << 16
TIMEOUT_MS: Final = 11_000
SETTINGS: Final = ("dac_amp", "adc_thresh")
Address = tuple[str, int]


class DomnetRefused(SimError):
    """It was asked for something that is not there: a group, a configuration."""

    exit_code = 2


class NoAnswer(SimError):
    """The wire pair does not answer, or with an error."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Group:
    """What a bench has of a group."""

    base: int
    command: Address
    consoles: Mapping[int, Address]
    """By nominal port."""

    @classmethod
    def of(cls, endpoints: Mapping[str, Any], base: int, modules: int) -> Group:
        """The group at *base*, with up to so many modules. Raises DomnetRefused."""
        key = f"icm.{base + COMMAND_PORT_OFFSET}"
        if key not in endpoints:
            known = sorted(int(k[4:]) - COMMAND_PORT_OFFSET for k in endpoints if k.startswith("icm."))
            listed = ", ".join(map(str, known)) or "none"
            raise DomnetRefused(f"this bench has no wire pair at base port {base}; it has: {listed}")
        consoles = {
            port: _address(str(endpoints[f"degg.{port}"]))
            for port in range(base, base + modules)
            if f"degg.{port}" in endpoints
        }
        return cls(base, _address(str(endpoints[key])), consoles)

    def routes(self) -> dict[int, Address]:
        """Where each nominal port leads."""
        return {**self.consoles, self.base + COMMAND_PORT_OFFSET: self.command}


def settings(config: Path) -> dict[str, int]:
    """Registers that `[fieldhub]` of domnet's own configuration sets on the hub. Raises SimError."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(config.read_text(encoding="utf-8"))
        return {key: int(parser["fieldhub"][key], 0) for key in SETTINGS if key in parser["fieldhub"]}
    except (OSError, ValueError, KeyError, configparser.Error) as error:
        raise DomnetRefused(f"{config} is no configuration with a section [fieldhub]: {error}") from None


def detect(group: Group, registers: Mapping[str, int]) -> list[int]:
    """Set the hub's registers, probe, and return the addresses of the ICMs. Raises NoAnswer."""
    with zmq.Context() as context, context.socket(zmq.REQ) as client:
        client.setsockopt(zmq.LINGER, 0)
        client.setsockopt(zmq.RCVTIMEO, TIMEOUT_MS)
        client.connect(f"tcp://{group.command[0]}:{group.command[1]}")
        for name, value in registers.items():
            _ask(client, command="write", device=str(HUB), register=name, value=str(value))
        _ask(client, command="probe")
        addresses: list[int] = _ask(client, command="devlist")["value"]
        return addresses


def _ask(client: zmq.Socket[bytes], **request: str) -> dict[str, Any]:
    client.send_json(request)
    try:
        reply = client.recv_json()
    except (zmq.Again, ValueError) as error:
        raise NoAnswer(f"the wire pair does not answer {request['command']} ({error})") from None
    if not isinstance(reply, dict) or reply.get("status") != "OK":
        raise NoAnswer(f"the wire pair answers {request['command']} with {reply}")
    return reply


def bind(routes: Mapping[int, Address], host: str = "127.0.0.1") -> list[tuple[socket.socket, Address]]:
    """Take the nominal ports, with where each leads. Raises AddressTaken, holding none."""
    taken: list[tuple[socket.socket, Address]] = []
    try:
        for port, to in routes.items():
            if to != (host, port):  # a laboratory at its nominal ports needs no way there
                taken.append((_bound(host, port), to))
    except AddressTaken:
        close(taken)
        raise
    return taken


def close(taken: Sequence[tuple[socket.socket, Address]]) -> None:
    """Let ports go."""
    for sock, _ in taken:
        sock.close()


async def forward(taken: Sequence[tuple[socket.socket, Address]], ready: Callable[[], None]) -> None:
    """Lead each port to its address until cancelled.

    ready  called once connections are accepted
    """
    servers = [await asyncio.start_server(_Way(to).carry, sock=sock) for sock, to in taken]
    try:
        ready()
        await asyncio.Event().wait()
    finally:
        for server in servers:
            server.close()


class _Way:
    """Carries one connection's bytes both ways."""

    def __init__(self, to: Address) -> None:
        self._to = to

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """From a client to the simulator and back, until either closes."""
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._to)
        except OSError:
            writer.transport.abort()
            return
        ways = [
            asyncio.create_task(_pump(reader, far_writer)),
            asyncio.create_task(_pump(far_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.close()
            far_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()


def _bound(host: str, port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise AddressTaken("domnet", host, port) from None
    return sock


def _address(url: str) -> Address:
    parts = urlsplit(url)
    if parts.scheme != "tcp" or not parts.hostname or not parts.port:
        raise DomnetRefused(f"{url} is no TCP address")
    return parts.hostname, parts.port


def lines(usb: str, group: Group, addresses: Sequence[int]) -> tuple[str, str, str]:
    """What a start says. Readers split the addresses at blanks, so that there is one behind the last, too."""
    ports = f"{group.base}-{group.base + len(group.consoles) - 1}"
    listed = "".join(f"{address} " for address in addresses)
    return (
        f"domnet (simulated) on {usb}: device ports {ports}, command port {group.base + COMMAND_PORT_OFFSET}",
        f"ICMs detected at address: {listed}",
        "Running; Ctrl-C ends it.",
    )
