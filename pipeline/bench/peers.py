"""Peers on the same machine: karabo-bridge's own simulator as the source of the same client."""

from __future__ import annotations

import socketserver
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import zmq

from pipeline.online.bridge import BridgeServer
from pipeline.online.bridge_messages import serialize, train_metadata

PULSES: Final = 64
"""Of the peer's AGIPD trains; it has no option for another number."""
TRAINS: Final = 3
OFFER_S: Final = 0.0005


@dataclass(frozen=True, slots=True)
class PeerResult:
    """How fast the same client takes trains of the same size from both servers, and what a plain socket gives."""

    ours_gb_per_s: float
    peer_gb_per_s: float | None
    """None where karabo-bridge is not installed."""

    @property
    def ratio(self) -> float | None:
        """Ours over the peer's."""
        return None if self.peer_gb_per_s is None else self.ours_gb_per_s / self.peer_gb_per_s


def measure(peer: Path | None, rounds: int = 5) -> PeerResult:
    """Take trains of 64 pulses of one megapixel from our server, and from the peer's if its command is given."""
    with ExitStack() as running:
        context = running.enter_context(zmq.Context())
        sources = {"ours": running.enter_context(_ours())}
        if peer is not None:
            sources["peer"] = running.enter_context(_theirs(peer))
        clients = {name: running.enter_context(_client(context, at)) for name, at in sources.items()}
        speeds: dict[str, list[float]] = {name: [] for name in clients}
        for number in range(rounds + 1):
            for name, client in clients.items():
                speed = _take(client)
                if number:  # the first round warms up
                    speeds[name].append(speed)
    median = {name: statistics.median(values) for name, values in speeds.items()}
    return PeerResult(median["ours"], median.get("peer"))


@contextmanager
def _client(context: zmq.Context[zmq.Socket[bytes]], address: str) -> Iterator[zmq.Socket[bytes]]:
    socket = context.socket(zmq.REQ)
    socket.connect(address)
    try:
        yield socket
    finally:
        socket.close(0)


def _take(client: zmq.Socket[bytes]) -> float:
    """Gigabytes in a second over some trains."""
    received, began = 0, time.perf_counter()
    for _ in range(TRAINS):
        client.send(b"next")
        received += sum(len(part.buffer) for part in client.recv_multipart(copy=False))
    return received / (time.perf_counter() - began) / 1e9


@contextmanager
def _ours() -> Iterator[str]:
    """Our server with a train always ready; its address."""
    server = BridgeServer("peer bench", "REP", 0)
    address = server.start()
    images = np.ones((PULSES, 16, 512, 128), np.float32)
    stop = threading.Event()

    def offer() -> None:
        train_id = 0
        while not stop.wait(OFFER_S):
            if server.wanted:
                train_id += 1
                metadata = {"detector": train_metadata("detector", train_id, 0)}
                server.publish(serialize({"detector": {"image.data": images}}, metadata))

    thread = threading.Thread(target=offer, name="peer bench offers")
    thread.start()
    try:
        yield address
    finally:
        stop.set()
        thread.join()
        server.stop()


@contextmanager
def _theirs(command: Path) -> Iterator[str]:
    """karabo-bridge-server-sim as a process; its address."""
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as free:
        port = free.server_address[1]
    options = [str(port), "-d", "AGIPD", "-g", "zeros", "--data-like", "file"]
    with subprocess.Popen(
        [command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield f"tcp://127.0.0.1:{port}"
        finally:
            process.terminate()
