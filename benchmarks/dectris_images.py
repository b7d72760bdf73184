"""What arming costs: rings of images for several detectors: `python benchmarks/dectris_images.py [--quick]`.

Beside each ring the least that numpy needs for as many images: one call of `Generator.poisson` each and the encoding,
without thresholds, responses, dead time, corrections or masks. Two threads make a ring; best of several rounds. Core
seconds are processor time of all threads, and hardly change when the machine is busy.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from sim.dectris.images.encode import encode
from sim.dectris.images.frames import Layout, Ring
from sim.dectris.images.scene_source import SceneSource
from sim.dectris.images.scenes import Bragg, Flat, Rings, Scene, Stem4D
from sim.dectris.images.sensor import Sensor

Made = TypeVar("Made")

SCAN = Stem4D(0.5, (8, 8))
QUADRO = Sensor(512, 512, 512, 512, 0, 0)
ARINA = Sensor(192, 192, 192, 192, 0, 0)
EIGER2_1M = Sensor(1028, 1062, 1028, 512, 12, 38)
EIGER2_16M = Sensor(4148, 4362, 1028, 512, 12, 38)
ALL = ("threshold_1", "threshold_2", "difference")
ROWS: tuple[tuple[str, Sensor, Layout, Scene, int], ...] = (
    ("ARINA binned", ARINA, Layout(96, 96, 16, "bslz4", dead_share=0.012), SCAN, 64),
    ("QUADRO flat", QUADRO, Layout(512, 512, 16, "bslz4"), Flat(0.5), 64),
    ("QUADRO rings", QUADRO, Layout(512, 512, 16, "bslz4"), Rings(0.5), 64),
    ("QUADRO bragg", QUADRO, Layout(512, 512, 16, "bslz4"), Bragg(0.5, 1), 64),
    ("QUADRO stem4d", QUADRO, Layout(512, 512, 16, "bslz4", dead_share=4.5e-4), SCAN, 64),
    ("QUADRO stem4d 3 channels", QUADRO, Layout(512, 512, 16, "bslz4", ALL, dead_share=4.5e-4), SCAN, 64),
    ("EIGER2 1M stem4d", EIGER2_1M, Layout(1028, 1062, 16, "bslz4"), SCAN, 60),
    ("EIGER2 16M bragg", EIGER2_16M, Layout(4148, 4362, 32, "bslz4"), Bragg(0.5, 1), 4),
)
QUICK = 5


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small detectors, once")
    quick = parser.parse_args().quick
    SceneSource("warm-up", SCAN, ARINA, key=1, distinct=2).ring(
        Layout(96, 96, 16, "bslz4", ALL, dead_share=0.01)
    )
    print(
        f"{'ring':<26}{'images':>8}{'MiB':>8}{'s':>8}{'core s':>8}{'core ns/pixel':>15}{'numpy core s':>14}"
    )
    for name, sensor, layout, scene, distinct in ROWS[:QUICK] if quick else ROWS:
        rounds = 1 if quick or distinct < 10 else 3
        seconds, core, ring = best(lambda s=sensor, c=scene, d=distinct, w=layout: made(s, c, d, w), rounds)
        _, plain, _ = best(lambda w=layout, d=distinct: by_numpy(w, d), 1)
        size = sum(channel.pool.nbytes for channel in ring.channels) / (1 << 20)
        pixels = distinct * sensor.width * sensor.height
        print(
            f"{name:<26}{ring.distinct:>8}{size:>8.1f}{seconds:>8.2f}{core:>8.2f}{core / pixels * 1e9:>15.1f}"
            f"{plain:>14.2f}"
        )


def made(sensor: Sensor, scene: Scene, distinct: int, layout: Layout) -> Ring:
    """A ring from nothing."""
    return SceneSource("dcu", scene, sensor, key=1, distinct=distinct).ring(layout)


def by_numpy(layout: Layout, distinct: int) -> None:
    """As many images of Poisson noise, encoded, one after another."""
    random = np.random.default_rng(1)
    for _ in range(distinct):
        encode(random.poisson(0.5, (layout.height, layout.width)).astype(layout.dtype), layout.compression)


def best(work: Callable[[], Made], rounds: int) -> tuple[float, float, Made]:
    """The least seconds and core seconds of several rounds, and what the last one made."""
    times = []
    for _ in range(rounds):
        began, core = time.perf_counter(), time.process_time()
        result = work()
        times.append((time.perf_counter() - began, time.process_time() - core))
    return min(wall for wall, _ in times), min(core for _, core in times), result


if __name__ == "__main__":
    main()
