"""The engine: one connection to a control unit's stream, series after series."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from pipeline.dectris.engine.settings import Settings
from pipeline.dectris.values import Measured, Progress, SeriesReport, SeriesStart
from pipeline.dectris.reduce.reduction import Reduction


class Engine:
    """Receives, decodes and reduces the series of one stream. Connects at once, so nothing later is missed.

    A series has one receiver: a second one on the same stream would take every other message.
    """

    def __init__(self, stream_url: str, settings: Settings | None = None) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect. Another thread's `run` or `wait_for_start` ends within a tenth of a second."""
        raise NotImplementedError

    @property
    def measured(self) -> Measured:
        """Of the series that runs, or ran last."""
        raise NotImplementedError

    def wait_for_start(
        self, timeout_s: float, series: int | None = None, *, stop: threading.Event | None = None
    ) -> SeriesStart | None:
        """Wait for the start message of a series, of number *series* if given; None after *timeout_s* (wall).

        What comes before it is passed over and counted as stale in the report of the series that starts.
        Raises StreamBroken when the start message is unusable, or nothing but useless messages come.
        """
        raise NotImplementedError

    def run(
        self,
        start: SeriesStart,
        reductions: Sequence[Reduction],
        *,
        idle_timeout_s: float,
        stop: threading.Event | None = None,
        progress: Callable[[Progress], None] | None = None,
        progress_s: float = 0.25,
        settings: Settings | None = None,
    ) -> SeriesReport:
        """Reduce the series of *start* until its end, *stop*, or *idle_timeout_s* (wall) without a message.

        *progress* is called in the caller's thread about every *progress_s*; results of the reductions may be read
        in it. *settings* sizes the slots of this series (the receive queue stays as it is).
        An exception of a reduction ends the run and is raised here.
        """
        raise NotImplementedError
