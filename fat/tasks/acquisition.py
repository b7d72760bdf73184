"""Trains from the detector into the pipeline, in step with the clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fat.instruments.detector import DetectorControl, TrainSpan
from fat.instruments.online_pipeline import OnlinePipeline
from scheduler import TaskContext

TRAIN_PERIOD_NS: Final = 100_000_000
"""10 Hz at the European XFEL."""


@dataclass(frozen=True, slots=True)
class Acquired:
    """What an acquisition covers."""

    span: TrainSpan
    started_ns: int
    """Simulated time of the first train, nanoseconds since the bench's epoch."""


def send_trains(
    context: TaskContext, detector: DetectorControl, pipeline: OnlinePipeline, trains: int, text: str
) -> Acquired:
    """Let the detector send trains and follow them one by one.

    After each train this waits, on wall time, until the pipeline has worked it off: on a bench in skip mode the
    clock stands still meanwhile, so no machine is too slow; on real hardware the wait is over at once.
    """
    first_tick_ns = (context.clock.now_ns() // TRAIN_PERIOD_NS + 1) * TRAIN_PERIOD_NS
    span = detector.start(trains)
    for number in range(trains):
        # Half a period after its tick a train has been sent, and the next one has not begun.
        context.clock.wait_until(first_tick_ns + number * TRAIN_PERIOD_NS + TRAIN_PERIOD_NS // 2)
        pipeline.wait_idle()
        context.progress(number + 1, trains, text)
    return Acquired(span, first_tick_ns)
