"""Control units at full rate into our acquisition: `python benchmarks/dectris_paced.py [--seconds 120] [--quick]`.

ARINA (96 × 96, 120 000 images/s) and QUADRO (512 × 512, 4500 images/s), 16 bit, 64 distinct images, bslz4, paced by the
clock, dropping what nobody takes as hardware does; simulator and sum on the same cores. One short series warms up. The
table says what came, whether the sum is that of what came, and what each process and each step cost. `--rest` sends
that many REST requests a second meanwhile.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from fat.bench.owned import OwnedBench
from pipeline.dectris.client import DcuClient
from pipeline.dectris.connection import Connection, connect
from pipeline.dectris.outcome import AcquisitionResult
from pipeline.dectris.reduce import FrameSums, Sum

BENCH = """
[bench]
name = "paced"
seed = 1
data_dir = "unused"
[sim.clock]
mode = "wall"
[sim.devices.dcu]
kind = "dcu"
frames = {{ source = "synthetic", width = {side}, height = {side}, bit_depth = 16, distinct = 64, mean = {mean} }}
policy = "drop"
queue = {queue}
triggers = {{ source = "generator", delay_s = 0.1 }}
[sim.devices.dcu.config]
count_time = {period}
frame_time = {period}
trigger_mode = "exte"
nimages = 1
"""


@dataclass(frozen=True)
class Case:
    """One detector at its rate."""

    name: str
    side: int
    rate: int
    mean: float
    """Counts of a pixel and image."""
    queue: int
    """Images that wait for the receiver before the unit drops some."""


CASES = (Case("ARINA", 96, 120_000, 0.5, 20_000), Case("QUADRO", 512, 4_500, 0.2, 2_000))


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="of each series")
    parser.add_argument("--quick", action="store_true", help="two seconds")
    parser.add_argument("--rest", type=float, default=0.0, help="REST requests a second meanwhile")
    parser.add_argument("--format", choices=("legacy", "cbor"), default="legacy", help="stream 1 or 2")
    wishes = parser.parse_args()
    seconds = 2.0 if wishes.quick else wishes.seconds
    print(
        f"{'':<8}{'images/s':>9}{'sent for':>9}{'came':>12}{'of':>12}{'sum':>7}"
        f"{'unit':>8}{'ours':>8}{'REST p99':>10}   core-us for each image (unit, ours)"
    )
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            measure(Path(folder), case, seconds, wishes.rest, wishes.format)


def measure(folder: Path, case: Case, seconds: float, rest: float, stream: str) -> None:
    """One row, and what the acquisition says."""
    text = BENCH.format(side=case.side, mean=case.mean, queue=case.queue, period=1 / case.rate)
    (folder / "bench.toml").write_text(text)
    with OwnedBench(folder / "bench.toml", data_dir=folder / "data", log=folder / "bench.log") as bench:
        address = bench.endpoints["dcu.stream2" if stream == "cbor" else "dcu.stream"]
        with connect(bench.endpoints["dcu.api"], address, stream_format=stream) as connection:
            take(connection, case.rate)
            unit, own = simulator_of(), psutil.Process()
            before = cpu(unit), cpu(own)
            with asking(bench.endpoints["dcu.api"], rest) as waits:
                result = take(connection, round(case.rate * seconds))
            spent = cpu(unit) - before[0], cpu(own) - before[1]
        right = sum_is_right(result, folder / "data/dcu/truth", result.start.series)
    frames, expected = result.report.frames, result.start.expected
    each = f"{spent[0] / expected * 1e6:>8.2f}{spent[1] / max(1, frames) * 1e6:>8.2f}"
    p99 = f"{np.percentile(waits, 99) * 1e3:.1f} ms" if waits else ""
    print(
        f"{case.name:<8}{result.report.measured.images_per_s:>9,.0f}{seconds:>7.0f} s{frames:>12,}{expected:>12,}"
        f"{'right' if right else 'WRONG':>7}{each}{p99:>10}",
        flush=True,
    )
    for sentence in result.sentences()[:4]:
        print(f"    {sentence[:300]}")
    print(f"    {result.report.measured}", flush=True)


def take(connection: Connection, images: int) -> AcquisitionResult:
    """One series, triggered by cable."""
    controller = connection.get_active_controller("exte")
    acquisition = connection.prepare(images, controller=controller)
    return acquisition.run([Sum(), FrameSums()])


def sum_is_right(result: AcquisitionResult, truth: Path, series: int) -> bool:
    """Whether each image that came is whole (sums of the images repeat with the 64 distinct ones), and all add up."""
    path = truth / f"series_{series:06d}.json"
    while not path.exists():
        time.sleep(0.02)
    total, frame_sums = result.results
    if not np.array_equal(frame_sums.sum(dtype=np.uint64), total.sum(dtype=np.uint64)):
        return False
    if result.report.frames == result.start.expected:
        with np.load(path.with_suffix(".npz")) as stored:
            return bool(np.array_equal(total, stored["sum_threshold_1"]))
    return repeats(frame_sums)


def repeats(frame_sums: NDArray[np.uint64]) -> bool:
    """Whether the images that came (their sum is not 0) have the sum of their place among the 64."""
    for place in range(64):
        seen = np.unique(frame_sums[place::64])
        if len(seen[seen > 0]) > 1:
            return False
    return True


def simulator_of() -> psutil.Process:
    """The process of the control unit: the child of the bench that has the most processor time."""
    children = psutil.Process().children(recursive=True)
    return max((c for c in children if "sim.kernel.process" in " ".join(c.cmdline())), key=cpu)


def cpu(process: psutil.Process) -> float:
    """Seconds of processor time, all threads."""
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def asking(api: str, rate: float) -> Iterator[list[float]]:
    """Ask the unit's state *rate* times a second; gives how long the answers took, seconds."""
    waits: list[float] = []
    done = threading.Event()

    def ask() -> None:
        with DcuClient(api) as client:
            while not done.wait(1 / rate):
                began = time.perf_counter()
                client.state()
                waits.append(time.perf_counter() - began)

    thread = threading.Thread(target=ask)
    if rate:
        thread.start()
    try:
        yield waits
    finally:
        done.set()
        if rate:
            thread.join()


if __name__ == "__main__":
    main()
