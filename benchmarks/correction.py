"""What the AGIPD correction costs: the readable kernel, the fast one on one and two threads, and copying memory.

python benchmarks/correction.py [--frames 64] [--repeats 9]

All candidates run in turn in every round, after a warm-up; the table shows the median of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from pipeline.correct import Buffers
from pipeline.correct.kernels import fast, reference

CELLS = 4


def candidates(frames: int) -> dict[str, Callable[[], None]]:
    """What is compared, by the name in the table; each works on the same images."""
    rng = np.random.default_rng(1)
    raw = rng.integers(3000, 9000, (frames, 2, 512, 128), dtype=np.uint16)
    cell_id = (np.arange(frames) % CELLS).astype(np.uint16)
    thresholds = np.sort(rng.uniform(4000, 8000, (CELLS, 512, 128, 2)).astype(np.float32), axis=-1)
    offset = rng.uniform(3000, 8000, (CELLS, 512, 128, 3)).astype(np.float32)
    factor = rng.uniform(0.01, 2, (CELLS, 512, 128, 3)).astype(np.float32)
    bad = np.zeros((CELLS, 512, 128, 3), np.uint32)
    room = Buffers.of(frames, (512, 128))
    copy = np.empty_like(raw)

    def run(kernel: Callable[..., None], part: slice) -> None:
        kernel(
            raw[part], cell_id[part], thresholds, offset, factor, bad, True, 0,
            room.data[part], room.gain[part], room.mask[part],
        )  # fmt: skip

    pool = ThreadPoolExecutor(2)
    halves = (slice(0, frames // 2), slice(frames // 2, frames))
    return {
        "reference (numpy)": lambda: run(reference.correct_agipd, slice(None)),
        "fast, one thread": lambda: run(fast.correct_agipd, slice(None)),
        "fast, two threads": lambda: (
            list(pool.map(lambda half: run(fast.correct_agipd, half), halves)) and None
        ),
        "copy of the raw data": lambda: np.copyto(copy, raw),
    }


def main() -> None:
    """Measure in turn and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=64, help="images of 512 x 128 pixels in a round")
    parser.add_argument("--repeats", type=int, default=9)
    asked = parser.parse_args()
    named = candidates(asked.frames)
    wall: dict[str, list[float]] = {name: [] for name in named}
    cores: dict[str, list[float]] = {name: [] for name in named}
    for turn in range(asked.repeats + 2):
        for name, call in named.items():
            began, began_cpu = time.perf_counter(), time.process_time()
            call()
            if turn >= 2:
                wall[name].append(time.perf_counter() - began)
                cores[name].append(time.process_time() - began_cpu)
    one = statistics.median(wall["fast, one thread"])
    print(f"{'':<22}{'ms/image':>10}{'core-ms/image':>15}{'images/s':>10}{'against fast':>14}")
    for name in named:
        each, cpu = statistics.median(wall[name]), statistics.median(cores[name])
        print(
            f"{name:<22}{1e3 * each / asked.frames:>10.3f}{1e3 * cpu / asked.frames:>15.3f}"
            f"{asked.frames / each:>10.0f}{each / one:>13.2f}x"
        )


if __name__ == "__main__":
    main()
