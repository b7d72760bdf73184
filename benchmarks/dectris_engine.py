"""What the acquisition's engine costs, step by step: `python benchmarks/dectris_engine.py [--quick]`.

First decoding and reducing alone, beside bitshuffle and numpy and beside the memory's triad; then receiving, decoding
and reducing what a plain pyzmq loop in another process sends, as fast as it goes and paced as hardware sends it
(a run every 4 ms). 64 distinct frames, bslz4. Costs are CPU time; the best of several rounds where it says so.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import struct
import time
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import bitshuffle
import numpy as np
import zmq
from numpy.typing import NDArray

from pipeline.correct.kernels.triad import BYTES_PER_ELEMENT, triad
from pipeline.dectris.engine import Engine, Settings
from pipeline.dectris.reduce import CentreOfMass, FrameSums, Reduction, Sum, VirtualDetectors, disk, ring
from pipeline.dectris.reduce.passes import plan
from pipeline.dectris.reduce.worker import BSLZ4, Frames, Worker
from pipeline.dectris.values import SeriesReport, SeriesStart

DISTINCT = 64
TICK_S = 0.004
CASES = ((96, 0.5, 120_000, 512, 4096), (512, 0.2, 4_500, 64, 64 * 1024))
"""Pixels along a side, mean counts, images/s of the hardware (ARINA, QUADRO), frames and bytes per frame of a slot."""


class Stack:
    """Takes decoded frames and does nothing with them."""

    channel = None

    def begin(self, start: SeriesStart) -> None:
        """Nothing to empty."""

    def take(self, frames: NDArray[np.int64], stack: NDArray[Any]) -> None:
        """Nothing to do."""


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few rounds and short series")
    quick = parser.parse_args().quick
    print(f"triad: {bandwidth():.1f} GB/s")
    print(
        f"\n{'alone, one thread, bslz4 of uint16':<58}{'µs/frame':>10}{'frames/s':>12}{'GB/s of pixels':>16}"
    )
    for side, mean, *_ in CASES:
        alone(side, mean, 3 if quick else 15)
    steps = f"{'receive':>9}{'reduce':>9}{'hash':>7}{'ZeroMQ':>8}{'sum':>7}  µs/image"
    print(f"\n{'received':<26}{'images/s':>10}{'lost':>8}{steps}")
    for side, mean, rate, stack, size in CASES:
        for paced in (0, rate):
            for share in (0.0, 0.1):
                settings = Settings(
                    num_slots=16,
                    frame_stack_size=stack,
                    bytes_per_frame=size,
                    receive_queue=20_000,
                    hash_share=share,
                )
                count = int(rate * (1 if quick else 10))
                show(side, paced, share, received(side, mean, count, paced, settings))


def bandwidth() -> float:
    """The memory's triad in GB/s."""
    a, b, out = (np.ones(1 << 24, np.float32) for _ in range(3))
    return float(BYTES_PER_ELEMENT * out.size / best(lambda: triad(out, a, b, np.float32(2)), 5) / 1e9)


def best(work: Callable[[], object], rounds: int) -> float:
    """The least CPU time of this thread in seconds, after a warm-up."""
    work()
    found = []
    for _ in range(rounds):
        began = time.thread_time()
        work()
        found.append(time.thread_time() - began)
    return min(found)


def made(side: int, mean: float) -> tuple[list[NDArray[np.uint16]], list[bytes]]:
    """Distinct images and their blobs."""
    rng = np.random.default_rng(1)
    images = [rng.poisson(mean, (side, side)).astype(np.uint16) for _ in range(DISTINCT)]
    head = struct.pack(">QI", images[0].nbytes, 8192)
    return images, [head + bitshuffle.compress_lz4(image).tobytes() for image in images]


def alone(side: int, mean: float, rounds: int) -> None:
    """Decode and reduce a slot again and again."""
    _, blobs = made(side, mean)
    lengths = np.array([[len(blob) for blob in blobs]], np.int64)
    frames = Frames(
        np.frombuffer(bytearray(b"".join(blobs)), np.uint8), np.arange(DISTINCT), np.cumsum(lengths, 1) - lengths,
        lengths, (BSLZ4,), np.dtype("uint16"),
    )  # fmt: skip
    start = SeriesStart(
        1, None, 1, DISTINCT, side, side, np.dtype("uint16"), ("threshold_1",), None, {}, None, None, None
    )
    middle = side / 2
    detectors = np.stack(
        [disk(side, side, middle, middle, side / 8), ring(side, side, middle, middle, side / 8, side / 3)]
    )
    kinds: dict[str, Sequence[Reduction]] = {
        "sum and sums of frames": [Sum(), FrameSums()],
        "disk and ring": [VirtualDetectors(detectors)],
        "centre of mass": [CentreOfMass()],
        "centre of mass, flat field": [CentreOfMass(flatfield=np.full((side, side), 0.9, np.float32))],
        "decoded stacks": [Stack()],
    }
    for name, reductions in kinds.items():
        worker = Worker(plan(reductions, start), (side, side))
        row(f"{side} × {side}: {name}", best(lambda w=worker: w.reduce(frames), rounds), side)  # type: ignore[misc]
    packed = [np.frombuffer(blob, np.uint8, offset=12) for blob in blobs]
    total = np.zeros((side, side), np.uint64)

    def decode() -> None:
        for one in packed:
            bitshuffle.decompress_lz4(one, (side, side), np.dtype("uint16"))

    def decode_and_add() -> None:
        for one in packed:
            np.add(total, bitshuffle.decompress_lz4(one, (side, side), np.dtype("uint16")), out=total)

    row(f"{side} × {side}: bitshuffle alone", best(decode, rounds), side)
    row(f"{side} × {side}: bitshuffle, sum by numpy", best(decode_and_add, rounds), side)
    row(f"{side} × {side}: MD5", best(lambda: [hashlib.md5(blob).digest() for blob in blobs], rounds), side)


def row(name: str, seconds: float, side: int) -> None:
    """One line of the first table."""
    each = seconds / DISTINCT
    print(f"{name:<58}{each * 1e6:>10.2f}{1 / each:>12.0f}{side * side * 2 / each / 1e9:>16.1f}")


def received(side: int, mean: float, count: int, rate: int, settings: Settings) -> SeriesReport:
    """Take one series from another process; check the sum."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=send, args=(theirs, side, mean, count, rate)
    )
    process.start()
    images, _ = made(side, mean)
    with Engine(ours.recv(), settings) as engine:
        total, sums = Sum(), FrameSums()
        ours.send("go")
        # The first series warms up.
        for _ in range(2):
            start = engine.wait_for_start(30)
            if start is None:
                raise SystemExit("the sender does not send")
            report = engine.run(start, [total, sums], idle_timeout_s=5)
    process.join()
    came = sums.result() > 0
    wanted = sum(
        (image.astype(np.uint64) * int(came[index::DISTINCT].sum()) for index, image in enumerate(images)),
        np.zeros((side, side), np.uint64),
    )
    if not (total.result() == wanted).all():
        raise SystemExit("the sum is wrong")
    return report


def send(pipe: Any, side: int, mean: float, count: int, rate: int) -> None:
    """A plain pyzmq loop: blocks when *rate* is 0, else drops what does not fit."""
    _, blobs = made(side, mean)
    socket = zmq.Context().socket(zmq.PUSH)
    socket.setsockopt(zmq.SNDHWM, 20_000)
    pipe.send(f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1')}")
    pipe.recv()
    config = {
        "nimages": 0, "ntrigger": 1, "x_pixels_in_detector": side, "y_pixels_in_detector": side,
        "bit_depth_image": 16, "trigger_mode": "ints",
    }  # fmt: skip
    seconds = [
        json.dumps(
            {
                "htype": "dimage_d-1.0",
                "shape": [side, side],
                "type": "uint16",
                "encoding": "bs16-lz4<",
                "size": len(b),
            }
        ).encode()
        for b in blobs
    ]
    hashes = [hashlib.md5(blob).hexdigest().encode() for blob in blobs]
    for series, images in ((1, 2000), (2, count)):
        socket.send(
            json.dumps({"htype": "dheader-1.0", "series": series, "header_detail": "basic"}).encode(),
            zmq.SNDMORE,
        )
        socket.send(json.dumps(config | {"nimages": images}).encode())
        began, flags = time.perf_counter(), zmq.SNDMORE | (zmq.NOBLOCK if rate else 0)
        for frame in range(images):
            if rate and frame % max(1, round(rate * TICK_S)) == 0:
                time.sleep(max(0.0, began + frame / rate - time.perf_counter()))
            i = frame % DISTINCT
            try:
                socket.send(
                    b'{"htype":"dimage-1.0","series":%d,"frame":%d,"hash":"%b"}' % (series, frame, hashes[i]),
                    flags,
                )
            except zmq.Again:
                continue
            socket.send(seconds[i], zmq.SNDMORE)
            socket.send(blobs[i], zmq.SNDMORE, copy=True)
            t = frame * 8333
            socket.send(
                b'{"htype":"dconfig-1.0","start_time":%d,"stop_time":%d,"real_time":8000}' % (t, t + 8000)
            )
        socket.send(b'{"htype":"dseries_end-1.0","series":%d}' % series)
    socket.close(linger=20_000)


def show(side: int, rate: int, share: float, report: SeriesReport) -> None:
    """One line of the second table."""
    m = report.measured
    name = f"{side}², {f'{rate}/s' if rate else 'as it goes'}{', hashes' if share else ''}"
    whole = m.receive_us + m.reduce_us + m.other_us
    print(
        f"{name:<26}{m.images_per_s:>10.0f}{report.missing:>8}{m.receive_us:>9.2f}{m.reduce_us - m.hash_us:>9.2f}"
        f"{m.hash_us:>7.2f}{m.other_us:>8.2f}{whole:>7.2f}"
    )


if __name__ == "__main__":
    main()
