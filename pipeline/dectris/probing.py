"""Tuning: a short series is taken and measured; what it showed chooses the sizes and names the side that limits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from pipeline.dectris.acquisition import Acquisition
from pipeline.dectris.connection import Connection
from pipeline.dectris.limits import Verdict, explain
from pipeline.dectris.outcome import AcquisitionResult
from pipeline.dectris.reduce import Sum
from pipeline.dectris.tune import Choice, Probe
from pipeline.errors import ControlUnitError, NothingCame

MAX_IMAGES: Final = 2_000_000
MIN_IMAGES: Final = 10
WARM_IMAGES: Final = 200
"""Images of a first series that is not measured: kernels are made ready in it."""


@dataclass(frozen=True, slots=True, eq=False)
class Tuning:
    """What a measured series showed."""

    outcome: AcquisitionResult
    probe: Probe
    verdict: Verdict
    choice: Choice
    """The sizes that the next series would have."""


def measure(
    connection: Connection,
    *,
    mode: str | None,
    seconds: float,
    frame_time_s: float | None,
    timeout_s: float,
    interruptible: Callable[[Callable[[], object]], AbstractContextManager[None]],
) -> Tuning:
    """Take a series of *mode*, or with None the next one of somebody else, and sum it.

    seconds        length of the series that is taken
    frame_time_s   None: as the detector is set
    interruptible  what a Ctrl-C is to do while a series runs

    Raises the errors of an acquisition, and ControlUnitError when no image came.
    """
    if mode is None:
        pending = connection.wait_for_acquisition(timeout_s)
        if pending is None:
            raise NothingCame(connection.stream_url, timeout_s)
        acquisition = connection.prepare((pending.nimages,), pending=pending, idle_timeout_s=timeout_s)
    else:
        acquisition = _active(connection, mode, seconds, frame_time_s, timeout_s)
    with interruptible(acquisition.abort):
        outcome = acquisition.run([Sum()])
    probe = connection.last_probe
    if probe is None or not probe.images:
        raise ControlUnitError(
            f"no image of series {outcome.report.series} came, so there is nothing to tune"
        )
    facts = connection.facts(outcome.start)
    return Tuning(outcome, probe, explain(facts, outcome.choice, probe), connection.choose(outcome.start))


def _active(
    connection: Connection, mode: str, seconds: float, frame_time_s: float | None, timeout_s: float
) -> Acquisition:
    period_s = float(frame_time_s if frame_time_s is not None else connection.client.get("frame_time"))
    images = min(MAX_IMAGES, max(MIN_IMAGES, round(seconds / period_s)))
    times = {} if frame_time_s is None else {"count_time": frame_time_s, "frame_time": frame_time_s}
    controller = connection.get_active_controller(mode, **times)
    if controller.software:
        connection.prepare((min(images, WARM_IMAGES),), controller=controller, idle_timeout_s=timeout_s).run(
            [Sum()]
        )
    return connection.prepare((images,), controller=controller, idle_timeout_s=timeout_s)
