"""Clients of the bridge that vanish in the middle, do not read or say nothing: the others get their trains."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import psutil
import pytest
import zmq

from pipeline.online.bridge import BACKLOG, MOST_ASKING, BridgeServer, Mode
from pipeline.online.bridge_messages import serialize, train_metadata

CLIENT = {"REP": zmq.REQ, "PUB": zmq.SUB, "PUSH": zmq.PULL}
NAMES = {"REP": b"REQ", "PUB": b"SUB", "PUSH": b"PULL"}
ASK = {"REP": b"\x01\x00\x00\x04next", "PUB": b"\x00\x01\x01", "PUSH": b""}
"""What each kind of client says first, as ZMTP 3.0 frames: an empty part and `next`; a subscription to all; nothing."""
VALUES = 1 << 20
PER_CLIENT = 4
"""Trains that ZeroMQ may hold for a client that does not read: one waits, some are on their way to the kernel."""


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, what
        threading.Event().wait(0.01)


class Trains:
    """Trains of 4 MiB for a bridge, and how many of them are still held."""

    def __init__(self, server: BridgeServer) -> None:
        self._server, self._made = server, list[Any]()

    def publish(self) -> None:
        train_id = len(self._made) + 1
        images = np.full(VALUES, train_id, np.float32)
        self._made.append(weakref.ref(images))
        self._server.publish(
            serialize({"D": {"image.data": images}}, {"D": train_metadata("D", train_id, 0)})
        )

    @property
    def held(self) -> int:
        return sum(made() is not None for made in self._made)


def by_hand(address: str, mode: Mode) -> socket.socket:
    """A client without ZeroMQ (ZMTP 3.0, rfc.zeromq.org/spec/23): it has shaken hands and asked."""
    host, port = address.removeprefix("tcp://").split(":")
    client = socket.create_connection((host, int(port)), timeout=30)
    client.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
    kind = NAMES[mode]
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    client.sendall(b"\x04" + bytes([len(ready)]) + ready)
    assert read(client, 64)[:1] == b"\xff"
    _, size = read(client, 2)
    assert read(client, size).startswith(b"\x05READY")
    client.sendall(ASK[mode])
    return client


def read(client: socket.socket, count: int) -> bytes:
    came = b""
    while len(came) < count:
        piece = client.recv(count - len(came))
        assert piece, "the server has closed the connection"
        came += piece
    return came


def cut(client: socket.socket) -> None:
    """Close without a word."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


@pytest.fixture(params=["REP", "PUB", "PUSH"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[BridgeServer, str, Mode]]:
    server = BridgeServer("chaos", request.param, 0)
    yield server, server.start(), request.param
    server.stop()


@pytest.fixture
def answering() -> Iterator[tuple[BridgeServer, str]]:
    server = BridgeServer("answering", "REP", 0)
    yield server, server.start()
    server.stop()


def take(server: BridgeServer, address: str, mode: Mode, trains: Trains, count: int) -> list[int]:
    """Trains that a good client gets, whole, while *trains* are published one at a time."""
    seen = list[int]()
    with zmq.Context() as context, context.socket(CLIENT[mode]) as client:
        client.linger = 0
        if mode == "PUB":
            client.subscribe(b"")
        client.connect(address)
        asked, tries = False, 0
        while len(seen) < count:
            tries += 1
            assert tries < 1000, dict(server.counters)
            if mode == "REP" and not asked:
                client.send(b"next")
                asked = True
            trains.publish()
            if client.poll(50):
                images = np.frombuffer(client.recv_multipart()[3], np.float32)
                assert images.size == VALUES
                assert np.unique(images).size == 1
                seen.append(int(images[0]))
                asked = False
    return seen


def test_a_train_that_was_taken_is_let_go_at_once(served: tuple[BridgeServer, str, Mode]) -> None:
    server, address, mode = served
    trains = Trains(server)
    with zmq.Context() as context, context.socket(CLIENT[mode]) as client:
        client.linger = 0
        if mode == "PUB":
            client.subscribe(b"")
        client.connect(address)
        if mode == "REP":
            client.send(b"next")
            until(lambda: server.counters["requests"] == 1, "the request does not come")
        trains.publish()
        while mode != "REP" and not client.poll(50):  # whoever connects late misses some
            trains.publish()
        client.recv_multipart()
        until(
            lambda: trains.held == 0 or (client.poll(10) > 0 and not client.recv_multipart()),
            "the train is kept",
        )


def test_clients_that_vanish_while_they_receive(served: tuple[BridgeServer, str, Mode]) -> None:
    server, address, mode = served
    trains, process = Trains(server), psutil.Process()
    take(server, address, mode, trains, 1)  # what ZeroMQ opens once for the process
    before = process.num_fds()
    for _ in range(40):
        client = by_hand(address, mode)
        client.settimeout(0.02)
        came = 0
        deadline = time.monotonic() + 120
        while came < 100_000:
            assert time.monotonic() < deadline, dict(server.counters)
            trains.publish()
            with contextlib.suppress(TimeoutError):
                came += len(client.recv(65536))
        cut(client)
    seen = take(server, address, mode, trains, 3)
    assert seen == sorted(set(seen))
    until(lambda: process.num_fds() <= before, "connections are left")
    until(lambda: trains.held <= BACKLOG, f"{trains.held} trains are still held")


def test_clients_that_do_not_read_cost_a_few_trains_and_nobody_else_waits(
    served: tuple[BridgeServer, str, Mode],
) -> None:
    server, address, mode = served
    trains, process = Trains(server), psutil.Process()
    take(server, address, mode, trains, 1)  # what ZeroMQ opens once for the process
    before = process.num_fds()
    slow = [by_hand(address, mode) for _ in range(5)]
    host, port = address.removeprefix("tcp://").split(":")
    slow.append(socket.create_connection((host, int(port))))  # never says what it is
    for _ in range(60):
        trains.publish()
    seen = take(server, address, mode, trains, 20)
    assert seen == sorted(set(seen))
    until(lambda: trains.held <= BACKLOG + PER_CLIENT * len(slow), f"{trains.held} trains are held")
    for client in slow:
        cut(client)
    until(lambda: trains.held <= BACKLOG, f"{trains.held} trains are held for clients that have gone")
    until(lambda: process.num_fds() <= before, "connections are left")


def test_stopping_waits_for_no_client(served: tuple[BridgeServer, str, Mode]) -> None:
    server, address, mode = served
    trains = Trains(server)
    slow = [by_hand(address, mode) for _ in range(3)]
    for _ in range(30):
        trains.publish()
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    stopping.join(20)
    assert not stopping.is_alive()
    until(lambda: trains.held <= BACKLOG, f"{trains.held} trains are held")
    for client in slow:
        cut(client)


ASKER = """
import sys, zmq
with zmq.Context() as context:
    for _ in range(int(sys.argv[2])):
        asking = [context.socket(zmq.REQ) for _ in range(50)]
        for one in asking:
            one.linger = 0
            one.connect(sys.argv[1])
            one.send(b"next")
        asking[-1].poll(30)
        for one in asking:
            one.close()
"""


def test_those_who_ask_and_vanish_before_there_is_a_train_cost_neither_memory_nor_trains(
    answering: tuple[BridgeServer, str],
) -> None:
    server, address = answering
    process = psutil.Process()

    def ask_and_vanish(times: int) -> None:
        subprocess.run([sys.executable, "-c", ASKER, address, str(times)], check=True)

    ask_and_vanish(10)
    before, descriptors = process.memory_info().rss, process.num_fds()
    ask_and_vanish(50)  # 11 KiB each, where they are not forgotten
    until(lambda: process.num_fds() <= descriptors, "connections are left")
    assert process.memory_info().rss - before < 8 << 20
    assert server.counters["requests"] > MOST_ASKING
    trains = Trains(server)
    with zmq.Context() as context, context.socket(zmq.REQ) as client:
        client.linger = 0
        client.connect(address)
        asked = server.counters["requests"]
        client.send(b"next")
        until(lambda: server.counters["requests"] > asked, "the request does not come")
        trains.publish()  # one train, and it is not for those who have gone
        assert client.poll(10_000), dict(server.counters)
        assert len(client.recv_multipart()) == 4


def test_a_train_that_finds_nobody_waits_for_the_next_who_asks(answering: tuple[BridgeServer, str]) -> None:
    server, address = answering
    trains = Trains(server)
    gone = by_hand(address, "REP")
    until(lambda: server.counters["requests"] == 1, "the request does not come")
    connected = psutil.Process().num_fds()
    cut(gone)
    until(lambda: psutil.Process().num_fds() <= connected - 2, "the connection is not closed")
    threading.Event().wait(0.05)  # for ZeroMQ to tell its socket
    trains.publish()
    until(lambda: server.counters["requests_gone"] == 1, "the train went nowhere")
    with zmq.Context() as context, context.socket(zmq.REQ) as client:
        client.linger = 0
        client.connect(address)
        client.send(b"next")
        assert client.poll(10_000)
        assert np.frombuffer(client.recv_multipart()[3], np.float32)[0] == 1


def test_too_many_requests_are_refused_the_oldest_first(answering: tuple[BridgeServer, str]) -> None:
    server, address = answering
    with zmq.Context() as context, context.socket(zmq.DEALER) as client:
        client.linger, client.rcvtimeo = 0, 60_000
        client.connect(address)
        for number in range(MOST_ASKING + 1):
            client.send_multipart([b"%d" % number, b"", b"next"])
        answer = client.recv_multipart()
        assert answer[:2] == [b"0", b""]
        assert answer[2].startswith(b"Error: too many requests")
        server.publish([b"train"])
        assert client.recv_multipart() == [b"1", b"", b"train"]
        client.send(b"no request at all")
        until(lambda: server.counters["bad_requests"] == 1, "it is not counted")
