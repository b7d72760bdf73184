"""What writing files costs, beside plain h5py on the same images: `python benchmarks/dectris_files.py [--quick]`.

64 distinct images, Poisson mean 0.5, 16 bit, bslz4, 1000 images in a file. Plain: one write_direct_chunk for each
image, the loop that a user would write. Limit: the same bytes in one write() for each file. Each number is the best of
several rounds into the page cache; the files are deleted between rounds. The processor's time shows what is left of a
core for the streams; it holds on a busy machine too.
"""

from __future__ import annotations

import argparse
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bitshuffle
import h5py
import hdf5plugin
import numpy as np

from sim.dectris.fault_specs import FILE_FAULTS
from sim.dectris.filewriter import FileWriterSink
from sim.dectris.images.frames import Channel, Layout, Ring
from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.kernel import FaultBoard

SHAPES = {(96, 96): 20_000, (512, 512): 4_000, (1062, 1028): 1_000}
"""Images (height, width), and how many are written."""
DISTINCT, PER_FILE, RUN = 64, 1000, 480
KEYS = {"mode": "enabled", "nimages_per_file": PER_FILE}


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the images, one round")
    quick = parser.parse_args().quick
    print(
        f"{'image':<12}{'bytes':>9}{'way':>16}{'images/s':>12}{'GB/s':>8}{'raw GB/s':>10}{'µs/image':>10}{'cpu µs':>8}"
    )
    for (height, width), images in SHAPES.items():
        count = max(PER_FILE, images // 10) if quick else images
        ring = made_ring(height, width)
        mean = float(ring.channels[0].lengths.mean())
        ways = {"write() limit": write_plain, "plain h5py": write_h5py, "file writer": write_ours}
        for name, way in ways.items():
            took, cpu = best(way, ring, count, rounds=1 if quick else 5)
            print(
                f"{f'{width}x{height}':<12}{mean:>9.0f}{name:>16}{count / took:>12.0f}{count * mean / took / 1e9:>8.2f}"
                f"{count * height * width * 2 / took / 1e9:>10.2f}{took / count * 1e6:>10.2f}"
                f"{cpu / count * 1e6:>8.2f}",
                flush=True,
            )


Cost = tuple[float, float]
"""Seconds on the wall and of the processor."""


def best(way: Callable[[Path, Ring, int], Cost], ring: Ring, count: int, *, rounds: int) -> Cost:
    """The least of several measurements, each in a folder of its own; one more before them to warm up."""
    costs = []
    for _ in range(rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            costs.append(way(Path(folder), ring, count))
    return min(wall for wall, _ in costs), min(cpu for _, cpu in costs)


def timed(work: Callable[[], object]) -> Cost:
    """What one piece of work costs."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def made_ring(height: int, width: int) -> Ring:
    """Distinct images in one pool."""
    random = np.random.default_rng(1)
    blobs, sums = [], []
    for _ in range(DISTINCT):
        image = random.poisson(0.5, (height, width)).astype(np.uint16)
        packed = bitshuffle.compress_lz4(image.reshape(-1), 4096)
        blobs.append(struct.pack(">QI", image.nbytes, 8192) + bytes(packed))
        sums.append(int(image.sum()))
    lengths = np.array([len(blob) for blob in blobs], np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    pool = np.frombuffer(b"".join(blobs), np.uint8)
    channel = Channel("threshold_1", pool, offsets, lengths, (), np.array(sums, np.uint64))
    return Ring(Layout(width, height, 16, "bslz4"), (channel,))


def write_plain(folder: Path, ring: Ring, count: int) -> Cost:
    """The same bytes, one write() for each file."""
    files = [
        b"".join(ring.channels[0].blob(number) for number in range(first, min(first + PER_FILE, count)))
        for first in range(0, count, PER_FILE)
    ]
    return timed(
        lambda: [(folder / f"{place}.bin").write_bytes(content) for place, content in enumerate(files)]
    )


def write_h5py(folder: Path, ring: Ring, count: int) -> Cost:
    """The loop that a user of h5py writes."""
    return timed(lambda: loop_of_h5py(folder, ring, count))


def loop_of_h5py(folder: Path, ring: Ring, count: int) -> None:
    """One call of h5py for each image."""
    layout = ring.layout
    for first in range(0, count, PER_FILE):
        rows = min(PER_FILE, count - first)
        with h5py.File(folder / f"{first}.h5", "w") as file:
            dataset = file.create_dataset(
                "entry/data/data",
                shape=(rows, layout.height, layout.width),
                chunks=(1, layout.height, layout.width),
                dtype=layout.dtype,
                **hdf5plugin.Bitshuffle(nelems=0, cname="lz4"),
            )
            for row in range(rows):
                dataset.id.write_direct_chunk((row, 0, 0), ring.channels[0].blob(first + row))


def write_ours(folder: Path, ring: Ring, count: int) -> Cost:
    """The simulator's file writer from arm to the last file, the master included."""
    board = FaultBoard("dcu", FILE_FAULTS)
    writer = FileWriterSink("dcu", folder, lambda: KEYS, board, lambda: 0, buffer_bytes=1 << 40)
    plane = (ring.layout.height, ring.layout.width)
    series = ArmedSeries(
        1, "0" * 26, 0, count, 1, "ints", count, ring, {}, (np.zeros(plane, np.uint32),),
        (np.ones(plane, np.float32),), np.ones((2, 1000), np.float32),
    )  # fmt: skip

    def series_written() -> None:
        writer.begin(series)
        for first in range(0, count, RUN):
            writer.images(ImageRun(first, min(RUN, count - first), first * 8000, 8000, 8000, 0))
        writer.end()
        if not writer.settled(600) or writer.error:
            raise SystemExit(f"not written: {writer.error}")

    cost = timed(series_written)
    writer.close()
    return cost


if __name__ == "__main__":
    main()
