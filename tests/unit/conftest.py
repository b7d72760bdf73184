"""What unit tests share: an armed series with images that tests know, and the streams of a control unit, up."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import cbor2
import numpy as np
import pytest
import zmq

from sim.dectris.images.encode import encode
from sim.dectris.images.frames import Layout, Ring
from sim.dectris.images.packing import channel_of
from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.dectris.stream import STREAM_FAULTS, Policy, StreamOptions, StreamSink
from sim.kernel import FaultBoard, Transcript


@dataclass
class StreamKeys:
    """The keys of the stream module."""

    mode: str = "enabled"
    format: str = "legacy"
    header_detail: str = "basic"
    header_appendix: object = ""
    image_appendix: object = ""


@cache
def _ring(layout: Layout) -> Ring:
    rng = np.random.default_rng(5)
    channels = []
    for name in layout.channels:
        images = [rng.poisson(0.5, (layout.height, layout.width)).astype(layout.dtype) for _ in range(3)]
        blobs = [encode(image, layout.compression) for image in images]
        channels.append(channel_of(name, blobs, [int(image.sum()) for image in images], layout.compression))
    return Ring(layout, tuple(channels))


def _series(layout: Layout, number: int = 15614, expected: int = 1) -> ArmedSeries:
    shape = (layout.height, layout.width)
    return ArmedSeries(
        number=number,
        unique_id="01HBV3JPF9T4ZDPADX6EMK6XMZ",
        armed_unix_ns=1_696_348_068_329_000_000,
        nimages=expected,
        ntrigger=1,
        trigger_mode="ints",
        expected=expected,
        ring=_ring(layout),
        config={"nimages": expected, "x_pixels_in_detector": layout.width, "trigger_mode": "ints"},
        pixel_mask=tuple(np.eye(*shape, dtype=np.uint32) for _ in layout.channels),
        flatfield=tuple(np.ones(shape, np.float32) for _ in layout.channels),
        countrate_table=np.ones((2, 1000), np.float32),
    )


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
class StreamBench:
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
        pull.rcvtimeo = 60_000
        pull.connect(self.addresses[stream])
        assert self.heard.wait(60)
        return pull

    def begin(self, expected: int, number: int = 4) -> None:
        self.sink.begin(self.series(number=number, expected=expected))

    def take(self, images: int, *, first: int = 0) -> None:
        run = ImageRun(first, images, first * 1000, 1000, 900, 0)
        assert self.sink.images(run) == images

    @staticmethod
    def read(pull: zmq.Socket[bytes]) -> dict[str, Any]:
        """A message's first part, of either stream."""
        parts = pull.recv_multipart()
        if parts[0].startswith(b"{"):
            fields: dict[str, Any] = json.loads(parts[0])
            return {**fields, "parts": parts}
        if parts[0].startswith(b"\xd9\xd9\xf7"):
            return {**cbor2.loads(parts[0][3:]), "parts": parts}
        return {"htype": "?", "parts": parts}

    def whole(self, pull: zmq.Socket[bytes]) -> list[dict[str, Any]]:
        """Messages up to an end message."""
        got = [self.read(pull)]
        while "end" not in got[-1].get("htype", got[-1].get("type", "")):
            got.append(self.read(pull))
        return got


@pytest.fixture(scope="session")
def stream_keys() -> Callable[..., StreamKeys]:
    """Makes keys of the stream module, all of which can be set."""
    return StreamKeys


@pytest.fixture(scope="session")
def armed_series() -> Callable[..., ArmedSeries]:
    """Makes a series with three distinct images for a layout; number and expected images as wanted."""
    return _series


@pytest.fixture
def stream_bench(
    armed_series: Callable[..., ArmedSeries], stream_keys: Callable[..., Any]
) -> Iterator[Callable[..., StreamBench]]:
    built: list[StreamBench] = []

    def build(policy: Policy = Policy.BLOCK, queue: int = 1000, **keys: Any) -> StreamBench:
        settings, faults = stream_keys(**keys), FaultBoard("dcu", STREAM_FAULTS)
        room, heard, ended = threading.Event(), threading.Event(), threading.Event()
        notes: list[tuple[str, str]] = []

        def note(peer: str, what: str) -> None:
            notes.append((peer, what))
            heard.set()

        sink = StreamSink(
            "dcu", settings, faults, ToldEnds(ended),
            room_made=room.set, options=StreamOptions(policy, queue), note=note,
        )  # fmt: skip
        addresses = {name: asyncio.run(server.start()) for name, server in sink.servers().items()}
        assert all(isinstance(address, str) for address in addresses.values())
        series = partial(armed_series, LAYOUT)
        bench = StreamBench(
            sink, settings, faults, series, zmq.Context(), addresses, room, notes, heard, ended
        )  # type: ignore[arg-type]
        built.append(bench)
        return bench

    yield build
    for bench in built:
        for server in bench.sink.servers().values():
            asyncio.run(server.stop())
        bench.context.destroy(0)
        assert not bench.sink.problems()
