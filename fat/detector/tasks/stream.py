"""Images that a control unit loses, and how long they take: series after series."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np

from fat.detector.analyses.delivery import latency_of
from fat.detector.judging import Taken, judged
from fat.detector.series import flaws_of, take_series
from fat.detector.tasks.counting import DEVICE
from fat.instruments.http import JsonPeer
from fat.measurement import Measurement
from fat.report import data
from fat.tasks.surroundings import TaskSurroundings
from pipeline.dectris.connection import connect
from scheduler import TaskContext, TaskResult

FRAMES: Final = Measurement("dcu_frames", "1", "Images that came whole, over those expected")
FLAWS: Final = Measurement("dcu_flaws", "1", "Flaws in the control unit's stream")
DROPPED: Final = Measurement("dcu_dropped", "1", "Images that the unit dropped because nobody took them")
LATENCY: Final = (
    Measurement("dcu_latency_p50", "ms", "From an image's end to the receiver, median"),
    Measurement("dcu_latency_p99", "ms", "From an image's end to the receiver, 99th percentile"),
)
HANDLING: Final = (
    Measurement("dcu_handling_p50", "ms", "An image sent and taken in, wall time, median"),
    Measurement("dcu_handling_p99", "ms", "An image sent and taken in, wall time, 99th percentile"),
)
"""Where the clock skips there is no latency: an image is due when the clock jumps."""


def measure(context: TaskContext) -> TaskResult:
    """Take the series, and balance what came against what was expected."""
    here = TaskSurroundings(context)
    told = here.parameters["dcu"]
    name, images, number = str(told["device"]), int(told["series_images"]), int(told["series"])
    frame_s = float(told["frame_time_s"])
    with JsonPeer("the bench's clock", here.address("control")) as control:
        wall = control.request("GET", "/clock")["mode"] == "wall"
    flaws: Counter[str] = Counter()
    times: list[float] = []
    came = dropped = 0
    addresses = here.address(f"{name}.api"), here.address(f"{name}.stream")
    with connect(*addresses, frame_stack_size=1) as connection:
        for count in range(1, number + 1):
            series = take_series(context, connection, images, frame_s, frame_s, timed=True)
            flaws.update(flaws_of(series.report))
            came += series.report.frames
            dropped += series.dropped
            # In real time an image is due a frame time after the wait for it began.
            times += [t - frame_s for t in series.times_s] if wall else series.times_s
            for sentence in series.report.sentences():
                context.note(sentence)
            context.progress(count, number, "series")
    shown = latency_of(times)
    why = ", ".join(f"{text}: {count}" for text, count in sorted(flaws.items()))
    flawed = Measurement(FLAWS.name, FLAWS.unit, f"{FLAWS.about}: {why}" if why else FLAWS.about)
    taken = [
        Taken(DEVICE, FRAMES, came / (images * number)),
        Taken(DEVICE, flawed, float(sum(flaws.values()))),
        Taken(DEVICE, DROPPED, float(dropped)),
    ]
    for measurement, value_s in zip(LATENCY if wall else HANDLING, (shown.p50, shown.p99), strict=True):
        taken.append(Taken(DEVICE, measurement, 1e3 * value_s))
    data.save(context.run_dir, "dcu_stream", times_ms=1e3 * np.array(times))
    return judged(context, taken, {"images": images * number, "came": came}, limits=told["limits"])
