"""Control unit and acquisition beside LiberTEM's: `python benchmarks/dectris_peers.py [--quick]`.

Each simulator with each acquisition, side by side, on the same images: 64 distinct ones, 16 bit, bslz4, trigger mode
exte, nothing may be lost. One series warms up and its sum is checked against the truth; the following are timed, from
armed to the last image reduced. LiberTEM runs from .venvs/libertem (.ci/foreign-environments) as processes of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import zmq
from numpy.typing import NDArray

from fat.bench.owned import OwnedBench
from pipeline.dectris.client import DcuClient
from pipeline.dectris.connection import Connection, connect
from pipeline.dectris.outcome import AcquisitionResult
from pipeline.dectris.reduce import Sum

ROOT = Path(__file__).parents[1]
PEER = [ROOT / ".venvs/libertem/bin/python", Path(__file__).with_name("libertem_peer.py")]
CASES = ((96, 120_000, 0.5), (512, 4_500, 0.2))
"""Pixels along a side, images of a series, mean counts."""
BENCH = """
[bench]
name = "peers"
seed = 1
data_dir = "unused"
[sim.clock]
mode = "wall"
[sim.devices.dcu]
kind = "dcu"
frames = {{ source = "synthetic", width = {side}, height = {side}, bit_depth = 16, distinct = 64, mean = {mean} }}
policy = "block"
queue = 20_000
triggers = {{ source = "generator", delay_s = 0.0 }}
[sim.devices.dcu.config]
count_time = {period}
frame_time = {period}
trigger_mode = "exte"
ntrigger = {frames}
nimages = 1
"""
FASTEST_S = {96: 1e-6, 512: 1e-5}
"""frame_time: far shorter than any receiver takes, so that the policy `block` lets the receiver set the pace."""


@dataclass(frozen=True)
class Place:
    """Where a control unit is."""

    api: str
    stream: str

    @property
    def words(self) -> tuple[str, ...]:
        """Hosts and ports as LiberTEM takes them."""
        api, stream = urlparse(self.api), urlparse(self.stream)
        return str(api.hostname), str(api.port), str(stream.hostname), str(stream.port)


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short series, one timed")
    quick = parser.parse_args().quick
    print(f"{'from':<12}{'to':<26}{'pixels':>10}{'images/s':>12}{'of ours':>10}   sum")
    for side, images, mean in CASES:
        frames, series = (images // 10, 1) if quick else (images, 3)
        with tempfile.TemporaryDirectory() as folder:
            compare(Path(folder), side, frames, series, mean)


def compare(folder: Path, side: int, frames: int, series: int, mean: float) -> None:
    """All rows of one image size."""
    text = BENCH.format(side=side, mean=mean, period=FASTEST_S[side], frames=frames)
    (folder / "bench.toml").write_text(text)
    with OwnedBench(folder / "bench.toml", data_dir=folder / "data", log=folder / "bench.log") as bench:
        ours = Place(bench.endpoints["dcu.api"], bench.endpoints["dcu.stream"])
        record(ours, folder / "dump.raw")
        truth = truth_of(folder / "data", 1)
        reference = own(ours, frames, series, truth)
        show("ours", "ours", side, reference, reference)
        show(
            "ours",
            "LiberTEM's LiveContext",
            side,
            peer("live", ours, frames, series, truth, folder),
            reference,
        )
    with libertem_simulator(folder / "dump.raw") as theirs:
        show(
            "LiberTEM",
            "its receiver, decoding",
            side,
            peer("receive", theirs, frames, series, truth, folder),
            reference,
        )
        show(
            "LiberTEM",
            "LiberTEM's LiveContext",
            side,
            peer("live", theirs, frames, series, truth, folder),
            reference,
        )
        show("LiberTEM", "ours", side, passive(theirs, frames, series, truth), reference)


def show(source: str, sink: str, side: int, seen: tuple[float, bool], reference: tuple[float, bool]) -> None:
    """One row."""
    rate, right = seen
    ratio, verdict = rate / reference[0], "right" if right else "WRONG"
    print(
        f"{source:<12}{sink:<26}{f'{side} x {side}':>10}{rate:>12,.0f}{ratio:>10.2f}   {verdict}", flush=True
    )


def record(place: Place, path: Path) -> None:
    """One series as it leaves our unit: each message part after its length, as LiberTEM's simulator replays it."""
    with DcuClient(place.api) as client, zmq.Context() as context, context.socket(zmq.PULL) as pull:
        pull.connect(place.stream)
        client.arm()
        with path.open("wb") as dump:
            while True:
                parts = pull.recv_multipart()
                for part in parts:
                    dump.write(np.int64(len(part)).tobytes() + part)
                if b"dseries_end" in parts[0]:
                    return


def truth_of(data: Path, series: int) -> NDArray[np.uint64]:
    """Sum image of a series of our unit."""
    path = data / f"dcu/truth/series_{series:06d}"
    while not path.with_suffix(".json").exists():
        time.sleep(0.02)
    with np.load(path.with_suffix(".npz")) as stored:
        return np.asarray(stored["sum_threshold_1"])


def own(place: Place, frames: int, series: int, truth: NDArray[np.uint64]) -> tuple[float, bool]:
    """Our acquisition, active."""
    rates = []
    with connect(place.api, place.stream) as connection:
        for _ in range(series + 1):
            armed: list[float] = []
            acquisition = connection.prepare(
                frames,
                controller=connection.get_active_controller("exte"),
                trigger=lambda _, armed=armed: armed.append(time.perf_counter()),
            )
            result = acquisition.run([Sum()])
            rates.append(frames / (time.perf_counter() - armed[0]))
            right = result.complete and np.array_equal(result.results[0], truth)
    return statistics.median(rates[1:]), bool(right)


def passive(place: Place, frames: int, series: int, truth: NDArray[np.uint64]) -> tuple[float, bool]:
    """Our acquisition, while somebody else arms LiberTEM's simulator, which lets nothing be configured."""
    rates = []
    with connect(place.api, place.stream) as connection:
        for _ in range(series + 1):
            result, seconds = take_passively(connection, frames)
            rates.append(frames / seconds)
            right = result.complete and np.array_equal(result.results[0], truth)
    return statistics.median(rates[1:]), bool(right)


def take_passively(connection: Connection, frames: int) -> tuple[AcquisitionResult, float]:
    """One series that another thread arms, and the seconds from there to its last image reduced."""
    arming = threading.Thread(target=connection.client.arm)
    armed = time.perf_counter()
    arming.start()
    pending = connection.wait_for_acquisition(timeout=60)
    arming.join()
    assert pending is not None
    result = connection.prepare(frames, pending=pending).run([Sum()])
    return result, time.perf_counter() - armed


def peer(
    what: str, place: Place, frames: int, series: int, truth: NDArray[np.uint64], folder: Path
) -> tuple[float, bool]:
    """A receiver of LiberTEM's: images/s, and whether its sum is the truth (in float32 for a LiveContext)."""
    saved = folder / "sum.npy"
    command = [*PEER, what, *place.words, str(frames), str(series), saved]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    rates = json.loads(done.stdout.splitlines()[-1])["images_per_s"]
    return statistics.median(rates), bool(np.allclose(np.load(saved), truth, rtol=1e-6))


@contextmanager
def libertem_simulator(dump: Path) -> Iterator[Place]:
    """LiberTEM's own simulator with a recorded series."""
    command = [*PEER, "sim", str(dump)]
    with subprocess.Popen(
        command,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # its web server tells every request
        text=True,
    ) as process:
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())
        yield Place(f"http://localhost:{ports['api']}", f"tcp://127.0.0.1:{ports['data']}")
        process.stdin.close() if process.stdin is not None else None
        process.wait(40)


def environment() -> dict[str, str]:
    """Nothing of ours in it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


if __name__ == "__main__":
    main()
