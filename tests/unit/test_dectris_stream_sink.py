"""The streams as a whole: real sockets, both formats, both policies, the gate, and every fault on the wire."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import cbor2
import numpy as np
import pytest
import zmq

from sim.dectris.images.encode import ChunkUnreadable, decode
from sim.dectris.images.frames import Layout
from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.dectris.stream import STREAM_FAULTS, Policy, StreamOptions, StreamSink
from sim.errors import AddressTaken
from sim.kernel import FaultBoard, Transcript

LAYOUT = Layout(24, 16, 16, "bslz4")


class ToldEnds(Transcript):
    """A transcript that tells when a series has been dealt with."""

    def __init__(self, ended: threading.Event) -> None:
        super().__init__(None, lambda: 0)
        self._ended = ended

    def sent(self, channel: str, data: bytes | memoryview) -> None:
        if bytes(data[:8]) == b"(images:":
            self._ended.set()


@dataclass
class Bench:
    """A sink with its sockets up, and a client of each stream."""

    sink: StreamSink
    settings: Any
    faults: FaultBoard
    series: Callable[..., ArmedSeries]
    context: zmq.Context[zmq.Socket[bytes]]
    addresses: dict[str, str]
    room: threading.Event
    notes: list[tuple[str, str]]
    heard: threading.Event
    ended: threading.Event
    clients: list[zmq.Socket[bytes]] = field(default_factory=list)

    def client(self, stream: str = "stream") -> zmq.Socket[bytes]:
        self.heard.clear()
        pull = self.context.socket(zmq.PULL)
        self.clients.append(pull)
        pull.rcvtimeo = 10_000
        pull.connect(self.addresses[stream])
        assert self.heard.wait(10)
        return pull

    def begin(self, expected: int, number: int = 4) -> None:
        self.sink.begin(self.series(number=number, expected=expected))

    def take(self, images: int, *, first: int = 0) -> None:
        run = ImageRun(first, images, first * 1000, 1000, 900, 0)
        assert self.sink.images(run) == images


@pytest.fixture
def made(
    armed_series: Callable[..., ArmedSeries], stream_keys: Callable[..., Any]
) -> Iterator[Callable[..., Bench]]:
    built: list[Bench] = []

    def build(policy: Policy = Policy.BLOCK, queue: int = 1000, **keys: Any) -> Bench:
        settings, faults = stream_keys(**keys), FaultBoard("dcu", STREAM_FAULTS)
        room, heard, ended = threading.Event(), threading.Event(), threading.Event()
        notes: list[tuple[str, str]] = []

        def note(stream: str, sentence: str) -> None:
            notes.append((stream, sentence))
            heard.set()

        sink = StreamSink(
            "dcu", settings, faults, ToldEnds(ended),
            room_made=room.set, options=StreamOptions(policy, queue), note=note,
        )  # fmt: skip
        addresses = {name: asyncio.run(server.start()) for name, server in sink.servers().items()}
        assert all(isinstance(address, str) for address in addresses.values())
        series = partial(armed_series, LAYOUT)
        bench = Bench(sink, settings, faults, series, zmq.Context(), addresses, room, notes, heard, ended)  # type: ignore[arg-type]
        built.append(bench)
        return bench

    yield build
    for bench in built:
        for server in bench.sink.servers().values():
            asyncio.run(server.stop())
        bench.context.destroy(0)
        assert not bench.sink.problems()


def read(pull: zmq.Socket[bytes]) -> dict[str, Any]:
    """A message's first part, of either stream."""
    parts = pull.recv_multipart()
    if parts[0].startswith(b"{"):
        fields: dict[str, Any] = json.loads(parts[0])
        return {**fields, "parts": parts}
    if parts[0].startswith(b"\xd9\xd9\xf7"):
        return {**cbor2.loads(parts[0][3:]), "parts": parts}
    return {"htype": "?", "parts": parts}


def whole(pull: zmq.Socket[bytes]) -> list[dict[str, Any]]:
    """Messages up to an end message."""
    got = [read(pull)]
    while "end" not in got[-1].get("htype", got[-1].get("type", "")):
        got.append(read(pull))
    return got


def numbers(messages: list[dict[str, Any]]) -> list[int]:
    found = (message.get("frame", message.get("image_id")) for message in messages)
    return [number for number in found if number is not None]


def test_a_series_of_stream_1_begins_with_its_start_and_ends_with_its_end(made: Callable[..., Bench]) -> None:
    bench = made()
    pull = bench.client()
    bench.begin(5)
    bench.take(3)
    bench.take(2, first=3)
    bench.sink.end()
    got = whole(pull)
    assert [message["htype"] for message in got] == ["dheader-1.0", *["dimage-1.0"] * 5, "dseries_end-1.0"]
    assert numbers(got) == [0, 1, 2, 3, 4]
    assert {message["series"] for message in got} == {4}
    assert json.loads(got[5]["parts"][3])["start_time"] == 4000


def test_only_the_stream_that_the_format_names_is_fed(made: Callable[..., Bench]) -> None:
    bench = made(format="cbor")
    legacy, cbor = bench.client("stream"), bench.client("stream2")
    bench.begin(600)
    bench.take(600)
    bench.sink.end()
    got = whole(cbor)
    assert [message["type"] for message in got] == ["start", *["image"] * 600, "end"]
    assert numbers(got) == list(range(600))
    assert not legacy.poll(0)


def test_what_is_held_while_disabled_goes_out_when_enabled(made: Callable[..., Bench]) -> None:
    bench = made(Policy.DROP, mode="disabled", header_detail="none")
    pull = bench.client()
    assert bench.sink.state == "disabled"
    bench.begin(5)
    bench.take(5)
    bench.sink.end()
    assert not pull.poll(50)
    bench.settings.mode, bench.settings.header_detail = "enabled", "basic"
    bench.sink.configured()
    got = whole(pull)
    assert len(got[0]["parts"]) == 2
    assert numbers(got) == [0, 1, 2, 3, 4]
    assert bench.sink.dropped == 0


def test_what_is_held_of_an_older_series_is_lost_with_the_next_arm(made: Callable[..., Bench]) -> None:
    bench = made(mode="disabled")
    pull = bench.client()
    for number in (4, 5):
        bench.begin(2, number)
        bench.take(2)
    bench.sink.end()
    bench.settings.mode = "enabled"
    bench.sink.configured()
    assert {message["series"] for message in whole(pull)} == {5}


def test_with_policy_drop_images_are_lost_and_counted_when_nobody_is_there(
    made: Callable[..., Bench],
) -> None:
    bench = made(Policy.DROP)
    bench.begin(100)
    bench.take(100)
    bench.sink.end()
    assert bench.ended.wait(10)
    assert bench.sink.dropped == 100
    pull = bench.client()
    bench.begin(1, 5)
    assert bench.sink.dropped == 0
    bench.take(1)
    bench.sink.end()
    assert [message["series"] for message in whole(pull)] == [5, 5, 5]


def test_with_policy_drop_what_came_and_what_was_dropped_is_all(made: Callable[..., Bench]) -> None:
    bench = made(Policy.DROP, queue=50)
    pull = bench.client()
    bench.begin(40_000)
    for first in range(0, 40_000, 4000):
        bench.take(4000, first=first)
    bench.sink.end()
    came = numbers(whole(pull))
    assert came == sorted(set(came))
    assert len(came) + bench.sink.dropped == 40_000


def test_with_policy_block_a_full_stream_refuses_and_tells_of_room(made: Callable[..., Bench]) -> None:
    bench = made(queue=10)
    bench.begin(10_000)
    taken = bench.sink.images(ImageRun(0, 10_000, 0, 1000, 900, 0))
    assert taken == 10
    pull = bench.client()
    got: list[dict[str, Any]] = []
    while taken < 3000:
        if bench.sink.images(ImageRun(taken, 0, 0, 0, 0, 0)) == 0:
            bench.room.clear()
        more = bench.sink.images(ImageRun(taken, 3000 - taken, taken * 1000, 1000, 900, 0))
        taken += more
        while not more and not bench.room.is_set():
            if pull.poll(1):
                got.append(read(pull))
    bench.sink.end()
    assert numbers(got + whole(pull)) == list(range(3000))
    assert bench.sink.dropped == 0


def test_an_abort_acts_though_nobody_receives(made: Callable[..., Bench]) -> None:
    bench = made(queue=10)
    bench.begin(10_000)
    assert bench.sink.images(ImageRun(0, 10_000, 0, 1000, 900, 0)) == 10
    bench.sink.abort()
    assert bench.sink.state == "ready"
    assert bench.sink.dropped == 10
    got = whole(bench.client())
    assert [message["htype"] for message in got] == ["dheader-1.0", "dseries_end-1.0"]


def test_a_port_that_is_taken_is_told(made: Callable[..., Bench], stream_keys: Callable[..., Any]) -> None:
    port = int(made().addresses["stream"].rsplit(":", 1)[1])
    other = StreamSink(
        "dcu", stream_keys(), FaultBoard("dcu"), Transcript(None, lambda: 0),
        room_made=lambda: None, options=StreamOptions(legacy_port=port),
    )  # fmt: skip
    with pytest.raises(AddressTaken):
        asyncio.run(other.servers()["stream"].start())
    other.close()


def test_who_comes_and_goes_is_noted(made: Callable[..., Bench]) -> None:
    bench = made()
    pull = bench.client()
    bench.heard.clear()
    pull.close()
    assert bench.heard.wait(10)
    assert [stream for stream, _ in bench.notes] == ["legacy", "legacy"]
    assert "gone" in bench.notes[1][1]


Seen = list[dict[str, Any]]
ONE: dict[str, Callable[[Seen], bool]] = {
    "drop_frame": lambda seen: numbers(seen) == [0, 1, 3],
    "duplicate_frame": lambda seen: numbers(seen) == [0, 1, 2, 2, 3],
    "reorder_frames": lambda seen: numbers(seen) == [0, 1, 3, 2],
    "wrong_series": lambda seen: [m.get("series", m.get("series_id")) for m in seen] == [4, 4, 4, 5, 4, 4],
    "corrupt_blob": lambda seen: decoded_sum(seen[3]) is None or not hash_is_right(seen[3]),
    "wrong_size": lambda seen: told_size(seen[3]) == told_size(seen[2]) + 1,
    "truncated_blob": lambda seen: decoded_sum(seen[3]) is None and len(blob_of(seen[2])) > 100,
    "wrong_hash": lambda seen: "type" in seen[0] or seen[3]["hash"] == "0" * 32,
    "missing_part": lambda seen: not seen[3]["data"] if "type" in seen[0] else len(seen[3]["parts"]) == 3,
    "extra_part": lambda seen: len(seen[3]["parts"]) == len(seen[2]["parts"]) + 1,
    "garbage": lambda seen: seen[3]["htype"] == "?" and numbers(seen) == [0, 1, 2, 3],
    "silent_stream": lambda seen: numbers(seen) == [0, 1, 2, 3],
    "missing_header": lambda seen: "frame" in seen[0] or "image_id" in seen[0],
    "stale_end": lambda seen: seen[0].get("series", seen[0].get("series_id")) == 3,
    "missing_end": lambda seen: len(seen) == 5,
    "late_end": lambda seen: len(seen) == 6,
}
PARAMETERS: dict[str, dict[str, float]] = {"silent_stream": {"delay_s": 0.02}, "late_end": {"delay_s": 0.02}}


def blob_of(message: dict[str, Any]) -> bytes:
    if "type" not in message:
        return bytes(message["parts"][2])
    blob: bytes = message["data"]["threshold_1"].value[1].value.value[2]
    return blob


def decoded_sum(message: dict[str, Any]) -> int | None:
    """Sum of the image, or None for one that cannot be unpacked."""
    try:
        return int(decode(blob_of(message), "bslz4", (16, 24), np.dtype("u2")).sum())
    except ChunkUnreadable:
        return None


def hash_is_right(message: dict[str, Any]) -> bool:
    """Stream 1's hash; stream 2 has none."""
    return "type" in message or hashlib.md5(message["parts"][2]).hexdigest() == message["hash"]


def told_size(message: dict[str, Any]) -> int:
    """Stream 1: the told size less the sent one, so that images compare. Stream 2: the height."""
    if "type" in message:
        return int(message["data"]["threshold_1"].value[0][0])
    return int(json.loads(message["parts"][1])["size"]) - len(message["parts"][2])


def test_each_fault_of_the_streams_has_its_row() -> None:
    assert [spec.name for spec in STREAM_FAULTS] == list(ONE)


@pytest.mark.parametrize("form", ["legacy", "cbor"])
def test_a_fault_shows_on_the_wire_once_and_at_its_frame(made: Callable[..., Bench], form: str) -> None:
    bench = made(format=form)
    pull = bench.client("stream" if form == "legacy" else "stream2")
    for fault, shows in ONE.items():
        of_image = "from_frame" in bench.faults.specs[fault].parameters
        frames = {"from_frame": 2} if of_image else {}
        bench.faults.switch_on(fault, times=1, **PARAMETERS.get(fault, {}), **frames)
        bench.begin(4)
        bench.take(4)
        bench.sink.end()
        seen = [read(pull) for _ in range(5)] if fault == "missing_end" else whole(pull)
        if fault == "stale_end":
            assert shows(seen), (fault, seen)
            seen = whole(pull)
        else:
            assert shows(seen), (fault, seen)
        assert not bench.faults.active()
        assert bench.faults.struck()[fault] == 1
    assert not pull.poll(0)


def test_the_hash_tells_of_inverted_bytes(made: Callable[..., Bench]) -> None:
    bench = made()
    pull = bench.client()
    bench.faults.switch_on("corrupt_blob", times=3, from_frame=1)
    bench.begin(6)
    bench.take(6)
    bench.sink.end()
    images = whole(pull)[1:-1]
    wrong = [m["frame"] for m in images if not hash_is_right(m)]
    assert wrong == [1, 2, 3]
