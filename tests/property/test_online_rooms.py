"""Memory of messages: what anybody can still read is never handed out again; what nobody can is."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline.model import CorrectedModule, MatchedTrain
from pipeline.online.bridge import BridgeServer, Mode
from pipeline.online.bridge_messages import combined_source, serialize, train_metadata
from pipeline.online.rooms import Rooms

SHAPE = (2, 16, 4, 3)
WAYS: list[Callable[[NDArray[Any]], Any]] = [
    lambda room: room,
    lambda room: room[1:],
    lambda room: room.transpose(1, 3, 2, 0),
    lambda room: room.reshape(-1)[::2][:5],
    lambda room: room.view(np.uint32),
    lambda room: memoryview(room.reshape(-1)),
    lambda room: np.asarray(memoryview(room))[0, 0],
    lambda room: zmq.Frame(room, copy=False),
]
"""How a room may be held: by itself, by parts of it, by a buffer, by a message."""


def address(held: Any) -> tuple[int, int]:
    """First and last byte that a room's holder can reach."""
    array = np.frombuffer(held, np.uint8) if isinstance(held, zmq.Frame) else np.asarray(held)
    low, high = np.lib.array_utils.byte_bounds(array)
    return low, high


@pytest.mark.parametrize("way", WAYS)
def test_a_room_that_is_held_in_any_way_is_not_handed_out_again(way: Callable[[NDArray[Any]], Any]) -> None:
    rooms = Rooms(most=9)
    held = way(rooms.take(SHAPE))
    low, high = address(held)
    others = [rooms.take(SHAPE) for _ in range(8)]
    gc.collect()
    assert all(end <= low or begin >= high for begin, end in map(address, others))
    del held, others
    gc.collect()
    assert any(begin <= low < end for begin, end in map(address, [rooms.take(SHAPE) for _ in range(9)]))


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("take"),
            st.integers(0, len(WAYS) - 1),
            st.sampled_from([(2, 3, 4, 5), (5, 4, 3, 2), (3, 1, 7, 1)]),
        ),
        st.tuples(st.just("drop"), st.integers(0, 20), st.just(())),
    ),
    max_size=60,
)


@given(STEPS, st.integers(1, 4))
@settings(deadline=None, max_examples=200)
def test_whatever_is_taken_and_let_go_nobody_shares(
    steps: list[tuple[str, int, tuple[int, ...]]], most: int
) -> None:
    rooms, held = Rooms(most), list[Any]()
    for what, number, shape in steps:
        if what == "take":
            fresh = rooms.take(shape)
            begin, end = address(fresh)
            assert all(end <= low or begin >= high for low, high in map(address, held))
            assert fresh.shape == shape
            assert fresh.flags.c_contiguous
            held.append(WAYS[number](fresh))
            del fresh
        elif held:
            held.pop(number % len(held))
        assert len(rooms._free) <= most


def test_a_room_that_nobody_holds_is_used_again() -> None:
    rooms = Rooms()
    first = address(rooms.take(SHAPE))
    assert address(rooms.take(SHAPE)) == first
    assert address(rooms.take((*SHAPE[::-1],), np.int32)) == first  # as many bytes
    assert address(rooms.take((5,)))[1] - address(rooms.take((5,)))[0] == 20
    assert rooms.take((0, 3)).shape == (0, 3)


def train(train_id: int, pulses: int = 2) -> MatchedTrain[CorrectedModule]:
    module = CorrectedModule(
        0, train_id, np.full((pulses, 512, 128), train_id, np.float32), np.zeros((pulses, 512, 128), np.uint8),
        np.zeros((pulses, 512, 128), np.uint32), np.zeros(pulses, np.uint16), np.zeros(pulses, np.uint64),
    )  # fmt: skip
    return MatchedTrain(train_id, {0: module}, 0)


def message(rooms: Rooms, train_id: int, online: bool) -> list[Any]:
    name, content = combined_source(
        "D", train(train_id), 1, online_axes=online, keys=["image.data"], room=rooms.take((2, 1, 512, 128))
    )
    return list(serialize({name: content}, {name: train_metadata(name, train_id, 0)}))


@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("mode", ["REP", "PUB", "PUSH"])
def test_what_a_client_has_not_read_yet_stays_as_it_was_sent(mode: Mode, online: bool) -> None:
    """Trains wait in the server, in the kernel and in the client while the rooms go on being used."""
    rooms, server = Rooms(), BridgeServer("rooms", mode, 0)
    address = server.start()
    kinds = {"REP": zmq.REQ, "PUB": zmq.SUB, "PUSH": zmq.PULL}
    try:
        with zmq.Context() as context, context.socket(kinds[mode]) as client:
            client.linger, client.rcvtimeo = 0, 60_000
            client.set_hwm(1)
            if mode == "PUB":
                client.subscribe(b"")
            client.connect(address)
            pause, seen = threading.Event(), list[int]()
            for train_id in range(1, 61):
                if mode == "REP" and train_id % 10 == 1:
                    client.send(b"next")
                server.publish(message(rooms, train_id, online))
                pause.wait(0.005)
                if train_id % 10 == 0 and (mode != "PUB" or client.poll(200)):
                    parts = client.recv_multipart(copy=False)
                    images = np.frombuffer(parts[3], np.float32)
                    assert np.unique(images).size == 1
                    seen.append(int(images[0]))
        assert len(seen) > 2
        assert sorted(set(seen)) == seen
    finally:
        server.stop()
