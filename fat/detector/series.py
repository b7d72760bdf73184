"""One software-triggered series of a control unit, summed as it comes."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fat.errors import BenchError
from pipeline.dectris.client import DcuClient
from pipeline.dectris.connection import Connection
from pipeline.dectris.reduce import Sum
from pipeline.dectris.values import SeriesReport, SeriesStart
from scheduler import TaskContext

NS_PER_S: Final = 1_000_000_000
PATIENCE_S: Final = 20.0
POLL_S: Final = 0.002
READOUT_S: Final = 1e-4
"""Between two exposures at least: more than the readout of any model."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What came of a series."""

    start: SeriesStart
    report: SeriesReport
    total: NDArray[np.uint64]
    """(height, width) sum of the images."""
    dropped: int
    """Images that the unit says it dropped."""
    times_s: tuple[float, ...] = ()
    """From each image's end of exposure to its coming into the receiver's hands, wall time."""

    def of_image(self, good: NDArray[np.bool_]) -> float:
        """Mean counts of a good pixel in an image; NaN when no image came."""
        if not self.report.frames or not good.any():
            return float("nan")
        return float(self.total[good].mean(dtype=np.float64)) / self.report.frames


class Arrivals:
    """A reduction that notes when each image came."""

    channel: str | None = None

    def __init__(self) -> None:
        self.at_s: dict[int, float] = {}

    def begin(self, start: SeriesStart) -> None:  # noqa: ARG002 - whatever the series is
        """Forget those of the series before."""
        self.at_s = {}

    def take(self, frames: NDArray[np.int64], stack: NDArray[Any]) -> None:  # noqa: ARG002 - only when, not what
        """Note the time."""
        now = time.monotonic()
        self.at_s |= dict.fromkeys(map(int, frames), now)


def take_series(
    context: TaskContext,
    connection: Connection,
    images: int,
    count_time_s: float,
    frame_time_s: float,
    *,
    timed: bool = False,
) -> Series:
    """Arm, trigger, and sum the images. Lost ones are in the report.

    timed  let the time pass image by image, and note when each one is due and when it comes
    Raises the client's errors; BenchError when the unit does not begin.
    """
    period_s = max(frame_time_s, count_time_s + READOUT_S)
    arrivals = Arrivals()
    due_s: list[float] = []
    steps = images if timed else 1

    def trigger(client: DcuClient) -> None:
        with ThreadPoolExecutor(1, "trigger") as one:
            triggered = one.submit(client.trigger, timeout_s=images * period_s + PATIENCE_S)
            _wait_until_exposing(client)
            began = context.clock.now_ns()
            for step in range(steps):
                passed_s = (step + 1) * images / steps * period_s
                due_s.append(time.monotonic())
                context.clock.wait_until(began + round(passed_s * NS_PER_S))
            triggered.result(PATIENCE_S)

    controller = connection.get_active_controller("ints", count_time=count_time_s, frame_time=period_s)
    acquisition = connection.prepare(
        images,
        controller=controller,
        trigger=lambda armed: trigger(armed.client),
        start_timeout_s=PATIENCE_S,
        idle_timeout_s=PATIENCE_S,
    )
    outcome = acquisition.run([Sum(), arrivals] if timed else [Sum()])
    times = [arrivals.at_s[frame] - due for frame, due in enumerate(due_s) if frame in arrivals.at_s]
    return Series(
        outcome.start,
        outcome.report,
        outcome.results[0],
        outcome.dropped or 0,
        tuple(times) if timed else (),
    )


def _wait_until_exposing(client: DcuClient) -> None:
    """Until the trigger has arrived, on wall time: only then may the clock move on (decision 2)."""
    deadline, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while (state := client.state()) != "acquire":
        if time.monotonic() > deadline:
            raise BenchError(f"the control unit is still {state} {PATIENCE_S:.0f} s after its trigger")
        pause.wait(POLL_S)


def flaws_of(report: SeriesReport) -> dict[str, int]:
    """What was wrong with a series but images that did not come; only what is not zero."""
    found = {
        "images twice": report.duplicates,
        "images out of order": report.reordered,
        "corrupt images": report.corrupt,
        "truncated images": report.truncated,
        "broken messages": report.broken,
        "messages of earlier series": report.stale,
        "messages of later series": report.wrong_series,
        "images beyond the series": report.unexpected,
        "no end message": int(not report.ended),
    }
    return {name: count for name, count in found.items() if count}
