"""What sending the streams of a control unit costs: `python benchmarks/dectris_stream.py [--quick]`.

The streams' sender goes into a process that only takes messages from its socket, beside a plain pyzmq loop that
does the same. First as fast as it goes, lossless; then paced as hardware sends (a run every 4 ms, policy drop): what a
simulator costs beside a receiver. Costs are user and system time of the sending process, libzmq's own thread included.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import multiprocessing
import resource
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import zmq
import zmq.backend.cython._zmq as pyzmq
from numba import njit

from sim.dectris.images.encode import encode
from sim.dectris.images.frames import Layout, Ring
from sim.dectris.images.packing import channel_of
from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.dectris.stream import Policy, StreamOptions, StreamSink, legacy
from sim.dectris.stream.kernels import _send as _call
from sim.kernel import FaultBoard, Transcript

DISTINCT = 64
TICK_S = 0.004
CASES = ((96, 0.5, 120_000), (512, 0.2, 4_500))
"""Pixels along a side, mean counts, images/s of the hardware (ARINA, QUADRO)."""
SMALL = 128
"""Bytes of a part that the drain looks at."""


@dataclass
class Keys:
    """The keys of the stream module."""

    format: str
    mode: str = "enabled"
    header_detail: str = "basic"
    header_appendix: str = ""
    image_appendix: str = ""


@njit
def drain(receive, socket, buffer):  # type: ignore[no-untyped-def]
    """Take parts until one of one byte comes; how many came before it."""
    parts = 0
    while _call(receive, socket, buffer.ctypes.data, buffer.size, 0) != 1:
        parts += 1
    return parts


def receiver(pipe: Any) -> None:
    """The other process: connect where told, take everything, say how many parts came."""
    library = ctypes.CDLL(pyzmq.__file__)
    receive = ctypes.cast(library.zmq_recv, ctypes.c_void_p).value
    with zmq.Context() as context:
        while (address := pipe.recv()) is not None:
            with context.socket(zmq.PULL) as pull:
                pull.rcvhwm = 4096
                pull.connect(address)
                pipe.send(drain(receive, pull.underlying, np.empty(SMALL, np.uint8)))


def made_ring(side: int, mean: float) -> Ring:
    """64 Poisson images, 16 bit, bslz4."""
    rng = np.random.default_rng(1)
    images = [rng.poisson(mean, (side, side)).astype(np.uint16) for _ in range(DISTINCT)]
    blobs = [encode(image, "bslz4") for image in images]
    channel = channel_of("threshold_1", blobs, [int(image.sum()) for image in images], "bslz4")
    return Ring(Layout(side, side, 16, "bslz4"), (channel,))


def made_series(ring: Ring, images: int) -> ArmedSeries:
    """A series of so many images."""
    shape = (ring.layout.height, ring.layout.width)
    mask, flat = np.zeros(shape, np.uint32), np.ones(shape, np.float32)
    table = np.ones((2, 1000), np.float32)
    return ArmedSeries(
        1, "01HBV3JPF9T4ZDPADX6EMK6XMZ", 0, images, 1, "ints", images, ring, {}, (mask,), (flat,), table
    )


class Ended(Transcript):
    """Tells when a series is out."""

    def __init__(self) -> None:
        super().__init__(None, lambda: 0)
        self.event = threading.Event()

    def sent(self, _: str, data: bytes | memoryview) -> None:
        """Look for the line after the end message."""
        if bytes(data[:8]) == b"(images:":
            self.event.set()


@dataclass(frozen=True)
class Cost:
    """What one measurement gave."""

    images: int
    seconds: float
    user_s: float
    system_s: float
    dropped: int = 0

    def line(self, name: str) -> str:
        """One line of the table."""
        each = (self.user_s + self.system_s) / self.images * 1e6
        share = (self.user_s + self.system_s) / self.seconds
        return (
            f"{name:<34}{self.images / self.seconds:>10.0f}{each:>10.2f}"
            f"{self.user_s / self.images * 1e6:>8.2f}{self.system_s / self.images * 1e6:>8.2f}"
            f"{share * 100:>8.0f} %{self.dropped:>9}"
        )


def measured(images: int, work: Callable[[], int]) -> Cost:
    """Time and processor time of *work*, which returns how many images were dropped."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    dropped = work()
    after, ended = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    return Cost(
        images, ended - began, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime, dropped
    )


class SinkUnderTest:
    """A StreamSink with its sockets bound and the drain connected."""

    def __init__(self, form: str, policy: Policy, pipe: Any) -> None:
        self.room, self.there, self.ended = threading.Event(), threading.Event(), Ended()
        self.sink = StreamSink(
            "dcu", Keys(form), FaultBoard("dcu"), self.ended,
            room_made=self.room.set, options=StreamOptions(policy, 2000), note=lambda *_: self.there.set(),
        )  # fmt: skip
        addresses = {name: asyncio.run(server.start()) for name, server in self.sink.servers().items()}
        pipe.send(addresses["stream" if form == "legacy" else "stream2"])
        self.there.wait()

    def flat_out(self, ring: Ring, images: int) -> int:
        """Send a series as fast as it is taken."""
        self.ended.event.clear()
        self.sink.begin(made_series(ring, images))
        taken = 0
        while taken < images:
            self.room.clear()
            run = ImageRun(taken, images - taken, taken * 1000, 1000, 900, 0)
            more = self.sink.images(run)
            taken += more
            if not more:
                self.room.wait(1)
        self.sink.end()
        self.ended.event.wait()
        return self.sink.dropped

    def paced(self, ring: Ring, images: int, rate: int) -> int:
        """Send a series as hardware does."""
        self.ended.event.clear()
        self.sink.begin(made_series(ring, images))
        began, taken, period = time.perf_counter(), 0, 1_000_000_000 // rate
        while taken < images:
            time.sleep(TICK_S)
            due = min(images, int((time.perf_counter() - began) * rate))
            if due > taken:
                self.sink.images(ImageRun(taken, due - taken, taken * period, period, period - 100, 0))
            taken = max(taken, due)
        self.sink.end()
        self.ended.event.wait()
        return self.sink.dropped

    def close(self, pipe: Any) -> int:
        """Let the drain go; how many parts it took."""
        sender = self.sink._sender
        bound = next(bound for bound in sender._sockets.values() if bound.peers)
        bound.socket.send(b"x")  # the sender's thread is idle: nothing else is to be sent
        parts: int = pipe.recv()
        self.sink.close()
        return parts


def plain_loop(ring: Ring, images: int, pipe: Any) -> Cost:
    """Four pyzmq sends for each image, formatted by bytes-%: what can be had without a kernel."""
    channel = ring.channels[0]
    blobs = [bytes(channel.blob(i)) for i in range(DISTINCT)]
    hashes = [text.encode() for text in channel.md5]
    shapes = [legacy.described(ring.layout, len(blob)) for blob in blobs]
    with zmq.Context() as context, context.socket(zmq.PUSH) as push:
        push.set_hwm(2000)
        push.bind("tcp://127.0.0.1:*")
        pipe.send(push.getsockopt_string(zmq.LAST_ENDPOINT))

        def send_all() -> int:
            send, more = push.send, zmq.SNDMORE
            for number in range(images):
                i = number % DISTINCT
                send(b'{"htype":"dimage-1.0","series":1,"frame":%d,"hash":"%b"}' % (number, hashes[i]), more)
                send(shapes[i], more)
                send(blobs[i], more)
                times = (number * 1000, number * 1000 + 900, 900)
                send(b'{"htype":"dconfig-1.0","start_time":%d,"stop_time":%d,"real_time":%d}' % times)
            return 0

        cost = measured(images, send_all)
        push.send(b"x")
        pipe.recv()
    return cost


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one second for each line")
    seconds = 1 if parser.parse_args().quick else 5
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=receiver, args=(theirs,))
    process.start()
    print(f"{'':<34}{'images/s':>10}{'µs/image':>10}{'user':>8}{'system':>8}{'core':>10}{'dropped':>9}")
    for side, mean, rate in CASES:
        ring = made_ring(side, mean)
        print(f"{side} x {side}, {ring.channels[0].lengths.mean():.0f} bytes")
        images = rate * seconds
        print(plain_loop(ring, images, ours).line("  plain pyzmq loop, stream 1"))
        for form in ("legacy", "cbor"):
            for policy in (Policy.BLOCK, Policy.DROP):
                print(our_line(form, policy, ring, images, rate, ours))
    ours.send(None)
    process.join()


def our_line(form: str, policy: Policy, ring: Ring, images: int, rate: int, pipe: Any) -> str:
    """One line of the table for our sender."""
    under_test = SinkUnderTest(form, policy, pipe)
    warm_up(under_test, ring)
    paced = policy is Policy.DROP
    cost = measured(
        images,
        lambda: under_test.paced(ring, images, rate) if paced else under_test.flat_out(ring, images),
    )
    under_test.close(pipe)
    return cost.line(f"  stream {1 if form == 'legacy' else 2}, {'paced' if paced else 'flat out'}")


def warm_up(under_test: SinkUnderTest, ring: Ring) -> None:
    """One series, and the kernels."""
    under_test.flat_out(ring, 1000)
    loading = under_test.sink._sender._loading
    assert loading is not None
    loading.join()


if __name__ == "__main__":
    main()
