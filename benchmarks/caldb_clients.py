"""Lookups of the catalogue by many clients at once, over REST and over the remotes.

python benchmarks/caldb_clients.py [--versions 100000] [--database URL] [--seconds 5]

A server in a process of its own, filled with so many versions; then 1, 30 and 300 clients, each of which asks again as
soon as it has its answer: the Offset constants of sixteen AGIPD modules under one condition. Both doors are asked in
turn, in random order, after a warm-up; the table has the median of the rounds. The clients are one process, so they
take a core of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from urllib.parse import quote, urlsplit

import zmq
import zmq.asyncio

from pipeline.constants import AgipdConditions
from pipeline.constants.catalogue import parameter_list
from pipeline.constants.remotes.messages import read_answer, request_header

CLIENTS = (1, 30, 300)
ROUNDS = 3
DETECTOR = "SPB_DET_AGIPD1M-1"
CONDITIONS = AgipdConditions(memory_cells=352, acquisition_rate_mhz=1.1)
OFFSET = 1
EVENT = "2025-12-31T11:30:00+00:00"


class Rest:
    """A connection that is kept open."""

    def __init__(self, url: str) -> None:
        at = urlsplit(url)
        body = json.dumps(
            {"parameters_conditions_attributes": parameter_list(CONDITIONS.parameters("Offset"))}
        )
        query = (
            f"detector_identifier={DETECTOR}&calibration_id={quote(f'[{OFFSET}]')}&karabo_da=&event_at={quote(EVENT)}"
            f"&pdu_snapshot_at={quote(EVENT)}&begin_at_strategy=closest"
        )
        head = f"GET /api/calibration_constant_versions/get_by_detector_conditions?{query} HTTP/1.1\r\n"
        head += f"Host: {at.netloc}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._request, self._at = (head + body).encode(), at

    async def open(self) -> None:
        """Connect."""
        assert self._at.hostname is not None
        self._reader, self._writer = await asyncio.open_connection(self._at.hostname, self._at.port)

    async def ask(self) -> int:
        """One lookup; how many versions it found."""
        self._writer.write(self._request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        return (await self._reader.readexactly(length)).count(b'"calibration_constant":')

    async def close(self) -> None:
        """Close what is open."""
        self._writer.close()
        await self._writer.wait_closed()


class Remote:
    """Asks a remote at random each time, over a connection of its own to each."""

    def __init__(self, context: zmq.asyncio.Context, addresses: list[str]) -> None:
        self._context, self._addresses = context, addresses
        self._sockets: dict[str, zmq.asyncio.Socket] = {}
        self._number = 0
        self._fields = {
            "detector": DETECTOR,
            "calibrations": ["Offset"],
            "parameters": dict(CONDITIONS.parameters("Offset")),
            "event_at": EVENT,
            "snapshot_at": "",
            "strategy": "closest",
        }

    async def open(self) -> None:
        """Connections are made when they are needed."""

    async def ask(self) -> int:
        """One lookup; how many versions it found."""
        address = random.choice(self._addresses)
        if address not in self._sockets:
            socket = self._context.socket(zmq.DEALER)
            socket.linger = 0
            socket.connect(address)
            self._sockets[address] = socket
        socket = self._sockets[address]
        while True:
            self._number += 1
            await socket.send(request_header(self._number, "search", self._fields))
            frames = await socket.recv_multipart()
            answer = read_answer([memoryview(frame) for frame in frames], self._number)
            if answer.refused is None:
                return len(answer.content["versions"])
            await asyncio.sleep(random.uniform(0.01, 0.05))  # busy: as real clients do

    async def close(self) -> None:
        """Close what is open."""
        for socket in self._sockets.values():
            socket.close()


async def one_client(door: Rest | Remote, until: float, took: list[float]) -> None:
    """Ask again and again until a time."""
    while (begin := time.perf_counter()) < until:
        found = await door.ask()
        if found != 16:
            raise RuntimeError(f"{found} versions instead of 16")
        took.append(time.perf_counter() - begin)


async def measure(
    make: Callable[[], Rest | Remote], clients: int, seconds: float
) -> tuple[float, float, float]:
    """Lookups a second, and 50th and 99th percentile of their times in ms."""
    doors = [make() for _ in range(clients)]
    for door in doors:
        await door.open()
    took: list[float] = []
    begin = time.perf_counter()
    try:
        await asyncio.gather(*(one_client(door, begin + seconds, took) for door in doors))
    finally:
        for door in doors:
            await door.close()
    lasted = time.perf_counter() - begin
    ordered = sorted(took)
    return len(took) / lasted, 1e3 * median(ordered), 1e3 * ordered[int(0.99 * (len(ordered) - 1))]


async def compare(
    addresses: dict[str, object], seconds: float
) -> dict[tuple[str, int], list[tuple[float, ...]]]:
    """All rounds, by door and number of clients."""
    context = zmq.asyncio.Context()
    remotes = [str(address) for address in addresses["remotes"]]  # type: ignore[attr-defined]
    doors: dict[str, Callable[[], Rest | Remote]] = {
        "REST": lambda: Rest(str(addresses["rest"])),
        "remotes": lambda: Remote(context, remotes),
    }
    found: dict[tuple[str, int], list[tuple[float, ...]]] = {}
    for make in doors.values():
        await measure(make, 4, 1.0)
    for _ in range(ROUNDS):
        order = [(name, clients) for name in doors for clients in CLIENTS]
        random.shuffle(order)
        for name, clients in order:
            found.setdefault((name, clients), []).append(await measure(doors[name], clients, seconds))
    context.destroy(linger=0)
    return found


def main() -> None:
    """Fill, serve, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--versions", type=int, default=100_000)
    parser.add_argument("--database", default="", help="URL of a database; its own SQLite file when left out")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = [
            "--store",
            str(Path(folder) / "caldb"),
            *(["--database", given.database] if given.database else []),
        ]
        caldb = [sys.executable, "-m", "fat", "caldb"]
        subprocess.run([*caldb, "populate", *store, "--rows", str(given.versions)], check=True)
        with subprocess.Popen(
            [*caldb, "serve", *store, "--json"], stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            try:
                addresses = json.loads(server.stdout.readline())
                found = asyncio.run(compare(addresses, given.seconds))
            finally:
                server.terminate()
    print(f"{given.database.split(':')[0] or 'sqlite'}, {given.versions} versions, {os.cpu_count()} cores")
    print(f"{'door':<8} {'clients':>7} {'lookups/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'to 1 client':>12}")
    for (name, clients), rounds in sorted(found.items()):
        rate, p50, p99 = (median(values) for values in zip(*rounds, strict=True))
        alone = median(rate for rate, _, _ in found[name, 1])
        print(f"{name:<8} {clients:>7} {rate:>10.0f} {p50:>8.1f} {p99:>8.1f} {rate / alone:>12.2f}")


if __name__ == "__main__":
    main()
