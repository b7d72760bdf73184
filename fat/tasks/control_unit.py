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
from pipeline.dectris.client import DcuClient
from pipeline.dectris.connection import connect
from pipeline.dectris.reduce import Sum
from pipeline.dectris.values import SeriesReport
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
    with connect(here.address("dcu.api"), here.address("dcu.stream")) as connection:
        controller = connection.get_active_controller(
            "ints", count_time=frame_time_s, frame_time=frame_time_s
        )
        acquisition = connection.prepare(
            images,
            controller=controller,
            trigger=lambda armed: _trigger(context, armed.client, images, frame_time_s),
            start_timeout_s=WALL_PATIENCE_S,
            idle_timeout_s=WALL_PATIENCE_S,
        )
        outcome = acquisition.run([Sum()])
    report, total = outcome.report, outcome.results[0]
    # Gaps and masked pixels read the highest value in every frame.
    masked = total >= report.frames * (2 ** int(outcome.start.config["bit_depth_image"]) - 1)
    data.save(context.run_dir, "dcu", sum=total, masked=masked)
    for sentence in outcome.sentences():
        context.note(sentence)
    outputs = {"frames": report.frames, "expected": report.expected, "sum": int(total.sum())}
    measured = [(FRAMES, report.frames / max(1, report.expected)), (FLAWS, float(_flaws(report)))]
    return judged(context, measured, outputs)


def _flaws(report: SeriesReport) -> int:
    """Everything that was wrong but frames that did not come."""
    return (
        report.duplicates
        + report.reordered
        + report.corrupt
        + report.truncated
        + report.broken
        + report.stale
        + report.wrong_series
        + report.unexpected
        + (not report.ended)
    )


def _trigger(context: TaskContext, unit: DcuClient, images: int, frame_time_s: float) -> None:
    """Trigger, and let the time pass that the images take: the trigger answers when they are done."""
    with ThreadPoolExecutor(1, "trigger") as one:
        triggered = one.submit(unit.trigger, timeout_s=images * frame_time_s + WALL_PATIENCE_S)
        _wait_for_acquire(unit)
        _let_images_come(context, images, frame_time_s)
        triggered.result(WALL_PATIENCE_S)


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
