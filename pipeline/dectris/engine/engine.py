"""The engine: one connection to a control unit's stream, series after series."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from pipeline.dectris.engine.images import decode, starts_series
from pipeline.dectris.engine.receiver import Receiver
from pipeline.dectris.engine.running import MAX_USELESS, Running
from pipeline.dectris.engine.settings import Settings
from pipeline.dectris.engine.slots import Slab
from pipeline.dectris.engine.warming import warm_passes, warm_receiver
from pipeline.dectris.messages import lacks_parts
from pipeline.dectris.reduce.passes import plan
from pipeline.dectris.reduce.reduction import Reduction
from pipeline.dectris.values import Measured, Progress, SeriesReport, SeriesStart
from pipeline.errors import ControlUnitError, StreamBroken

WATCH_S: Final = 0.05
PART_WAITS: Final = 50
"""How often, 20 ms each, the rest of a start message is waited for that comes in messages of its own."""
"""How long a stop from outside may go unnoticed."""


class Engine:
    """Receives, decodes and reduces the series of one stream. Connects at once, so nothing later is missed.

    A series has one receiver: a second one on the same stream would take every other message.
    """

    def __init__(self, stream_url: str, settings: Settings | None = None) -> None:
        self._url, self._settings = stream_url, settings or Settings()
        warm_receiver()
        self._receiver = Receiver(stream_url, self._settings.receive_queue)
        self._slab: Slab | None = None
        self._stale = 0
        self._pending: SeriesStart | None = None
        self._measured = Measured()
        self._running: Running | None = None
        self._closing = threading.Event()
        self._busy = threading.Lock()
        """Held by whoever receives: the socket is one thread's at a time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect. Another thread's `run` or `wait_for_start` ends within a tenth of a second."""
        self._closing.set()
        with self._busy:
            self._receiver.close()

    @property
    def measured(self) -> Measured:
        """Of the series that runs, or ran last."""
        running = self._running
        return self._measured if running is None else running.measured()

    def wait_for_start(
        self, timeout_s: float, series: int | None = None, *, stop: threading.Event | None = None
    ) -> SeriesStart | None:
        """Wait for the start message of a series, of number *series* if given; None after *timeout_s* (wall).

        What comes before it is passed over and counted as stale in the report of the series that starts.
        Raises StreamBroken when the start message is unusable, or nothing but useless messages come.
        """
        with self._busy:
            self._check_open()
            deadline, useless = time.monotonic() + timeout_s, 0
            while True:
                start, self._pending = self._pending, None
                if start is None:
                    parts = self._receiver.message()
                    start = None if parts is None else self._start_in(parts)
                    useless += parts is not None
                if start is not None and series in (None, start.series):
                    return start
                if start is not None:
                    self._stale += 1
                if useless > MAX_USELESS:
                    raise StreamBroken(
                        f"{useless} messages came on {self._url}, and none of them starts a series"
                    )
                if (
                    time.monotonic() > deadline
                    or self._closing.is_set()
                    or (stop is not None and stop.is_set())
                ):
                    return None

    def _start_in(self, parts: list[bytes]) -> SeriesStart | None:
        """The start of a series, if a message is one. Raises StreamBroken when it is an unusable one."""
        parts = self._together(parts)
        try:
            message = decode(parts)
        except StreamBroken:
            if starts_series(parts):
                raise
            message = None
        if isinstance(message, SeriesStart):
            return message
        self._stale += 1
        return None

    def _together(self, parts: list[bytes]) -> list[bytes]:
        """A start message whose parts come as messages of their own: LiberTEM's simulator sends it so."""
        for _ in range(PART_WAITS):
            if not lacks_parts(parts):
                break
            more = self._receiver.message()
            if more is not None and len(more) > 1:
                break  # an image: the start message is a broken one
            parts = [*parts, *(more or ())]
        return parts

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
        """Reduce the series of *start* until its end, *stop*, or *idle_timeout_s* (wall) without a message of it.

        *progress* is called in the caller's thread about every *progress_s*; results of the reductions may be read
        in it. *settings* sizes the slots of this series (the receive queue stays as it is).
        A series that starts meanwhile ends this one, and is what `wait_for_start` gives next.
        Raises SettingRejected when reductions do not fit the series; an exception of a reduction or of *progress*
        ends the run and is raised here.
        """
        with self._busy:
            self._check_open()
            passes = plan(reductions, start)
            warm_passes(passes, start)
            slab = self._slab_for(settings or self._settings, len(start.channels))
            halt, stale = threading.Event(), self._stale
            self._stale = 0
            running = Running(self._receiver, start, passes, slab, stale, idle_timeout_s, halt)
            self._running = running
            running.start()
            try:
                self._watch(running, stop, progress, progress_s)
            finally:
                if not running.done.is_set():
                    halt.set()
                try:
                    report = running.finish()
                finally:
                    self._pending, self._running = running.next_start, None
                    self._measured = running.measured()
            return report

    def _watch(
        self,
        running: Running,
        stop: threading.Event | None,
        progress: Callable[[Progress], None] | None,
        progress_s: float,
    ) -> None:
        """Wait for the end of a run and tell how far it is; returns at once when it is to stop."""
        last_at, last_count = time.monotonic(), 0
        while not running.done.wait(min(progress_s, WATCH_S)):
            if self._closing.is_set() or (stop is not None and stop.is_set()):
                return
            now = time.monotonic()
            if progress is None or now - last_at < progress_s:
                continue
            count = running.books.received
            progress(running.progress((count - last_count) / (now - last_at)))
            last_at, last_count = now, count

    def _slab_for(self, settings: Settings, channels: int) -> Slab:
        if self._slab is None or self._slab.settings != settings or self._slab.channels != channels:
            self._slab = None
            self._slab = Slab(settings, channels)
        return self._slab

    def _check_open(self) -> None:
        if self._receiver.closed:
            raise ControlUnitError(f"the connection to {self._url} is closed")
