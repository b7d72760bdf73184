"""An acquisition with the DECTRIS control unit: armed, triggered, its frames summed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from fat.errors import BenchError
from fat.measurement import Measurement
from fat.report import data
from fat.tasks.judge import judged
from fat.tasks.surroundings import TaskSurroundings
from pipeline.dectris.acquisition import Acquisition
from pipeline.dectris.client import DcuClient
from scheduler import TaskContext, TaskResult

NS_PER_S: Final = 1_000_000_000
WALL_PATIENCE_S: Final = 20.0
POLL_S: Final = 0.005
FRAMES: Final = Measurement(
    "dcu_frames", "1", "Frames of the control unit that came whole, over those expected"
)
FLAWS: Final = Measurement("dcu_flaws", "1", "Flaws in the control unit's stream")


def acquire(context: TaskContext) -> TaskResult:
    """Take one software-triggered series and sum its frames."""
    here = TaskSurroundings(context)
    images = int(here.parameters["dcu"]["images"])
    frame_time_s = float(here.parameters["dcu"]["frame_time_s"])
    with DcuClient(here.address("dcu.api")) as unit, Acquisition(here.address("dcu.stream")) as acquisition:
        _configure(unit, images, frame_time_s)
        acquisition.start(arm_timeout_s=WALL_PATIENCE_S, timeout_s=WALL_PATIENCE_S)
        unit.arm()
        with ThreadPoolExecutor(1, "trigger") as one:
            triggered = one.submit(unit.trigger, timeout_s=images * frame_time_s + WALL_PATIENCE_S)
            _wait_for_acquire(unit)
            _let_images_come(context, images, frame_time_s)
            triggered.result(WALL_PATIENCE_S)
        summary = acquisition.join()
        unit.disarm()
    # Gaps and masked pixels read the highest value in every frame.
    masked = summary.sum >= summary.frames * (2 ** int(summary.config["bit_depth_image"]) - 1)
    data.save(context.run_dir, "dcu", sum=summary.sum, masked=masked)
    flaws = summary.duplicates + summary.reordered + summary.corrupt + summary.broken + summary.stale
    flaws += summary.wrong_series + summary.unexpected + (not summary.ended)
    context.note(f"series {summary.series}: {summary.frames} of {summary.expected} frames")
    outputs = {"frames": summary.frames, "expected": summary.expected, "sum": int(summary.sum.sum())}
    return judged(
        context, [(FRAMES, summary.frames / max(1, summary.expected)), (FLAWS, float(flaws))], outputs
    )


def _configure(unit: DcuClient, images: int, frame_time_s: float) -> None:
    unit.set("trigger_mode", "ints")
    unit.set("ntrigger", 1)
    unit.set("nimages", images)
    # Both to the same value, count time first: the second write makes room for the readout.
    unit.set("count_time", frame_time_s)
    unit.set("frame_time", frame_time_s)


def _wait_for_acquire(unit: DcuClient) -> None:
    """Until the trigger has arrived, on wall time: only then may the clock move on (decision 2)."""
    deadline = time.monotonic() + WALL_PATIENCE_S
    while (state := unit.state()) != "acquire":
        if time.monotonic() > deadline:
            raise BenchError(f"the control unit is still {state} {WALL_PATIENCE_S:.0f} s after its trigger")
        time.sleep(POLL_S)


def _let_images_come(context: TaskContext, images: int, frame_time_s: float) -> None:
    began = context.clock.now_ns()
    for number in range(images):
        context.clock.wait_until(began + round((number + 1) * frame_time_s * NS_PER_S))
        context.progress(number + 1, images, "frames")
