"""One acquisition: arm and trigger, or take what somebody else armed; reduce; leave the detector ready for the next."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pipeline.dectris.client import RUNNING, DcuClient
from pipeline.dectris.controller import ActiveController, enable_stream
from pipeline.dectris.engine import Progress, SeriesReport, SeriesStart, Settings
from pipeline.dectris.outcome import AcquisitionResult, WithEnd, fit_remarks, results_of
from pipeline.dectris.trigger import TriggerThread
from pipeline.dectris.tune import Choice
from pipeline.errors import CommandRefused, ControlUnitError, NothingCame

if TYPE_CHECKING:
    from pipeline.dectris.connection import Connection

DRAIN_S: Final = 1.0
"""How long an aborted series is listened to until its end message."""

TriggerHook: TypeAlias = "Callable[[Acquisition], None]"


@dataclass(frozen=True, slots=True)
class Partial:
    """What a running acquisition shows of itself."""

    progress: Progress
    results: tuple[Any, ...]
    """Of the reductions, in their order and in the shape of the scan, so far."""


class Acquisition:
    """A scan of *nav_shape* positions. `Connection.prepare` makes it; active ones can be run again and again."""

    def __init__(
        self,
        connection: Connection,
        nav_shape: tuple[int, ...],
        *,
        controller: ActiveController | None,
        trigger: TriggerHook | None,
        pending: SeriesStart | None,
        frames_per_partition: int | None,
        start_timeout_s: float,
        idle_timeout_s: float,
    ) -> None:
        self._connection, self.nav_shape, self.controller = connection, nav_shape, controller
        self._hook, self._pending = trigger, pending
        self._partition = frames_per_partition
        self._start_timeout_s, self._idle_timeout_s = start_timeout_s, idle_timeout_s
        self._stop = threading.Event()
        self._running = self._ours = False
        self._lock = threading.Lock()
        self.start: SeriesStart | None = pending
        """The start message of the series that runs, or ran last."""

    @property
    def frames(self) -> int:
        """Positions of the scan."""
        return math.prod(self.nav_shape)

    @property
    def client(self) -> DcuClient:
        """The unit's REST client, for trigger hooks."""
        return self._connection.client

    @property
    def stopped(self) -> bool:
        """Whether the run was aborted: a trigger hook that takes its time should look."""
        return self._stop.is_set()

    def run(
        self,
        reductions: Sequence[Any],
        *,
        progress: Callable[[Progress], None] | None = None,
        on_partition: Callable[[Partial], None] | None = None,
    ) -> AcquisitionResult:
        """Take the series and reduce it. Lost images are in the report; they are not raised.

        reductions    pipeline.dectris.reduce, ImageStack
        progress      called about four times a second, in this thread
        on_partition  called with partial results after each frames_per_partition images, at most as often as progress,
                      and at the end

        Raises NothingCame when the series does not start, the client's errors, what a reduction or the trigger hook
        raised. Whatever ended the run: the detector is not left armed by us, and the next series is not disturbed.
        """
        self._begin()
        try:
            return self._run(reductions, progress, on_partition)
        finally:
            self._running = False
            for reduction in reductions:
                if isinstance(reduction, WithEnd):
                    reduction.close()

    def abort(self) -> bool:
        """End the run from another thread, or a signal handler's; False when nothing runs.

        `run` returns what came so far. An active acquisition aborts the detector's series as well.
        """
        if not self._running:
            return False
        self._stop.set()
        return True

    def _begin(self) -> None:
        with self._lock:
            if self._running:
                raise ControlUnitError("this acquisition runs already; abort it, or wait until it is done")
            if self.controller is None and self._pending is None:
                raise ControlUnitError(
                    "a series that somebody else armed can be taken once; wait for the next one"
                )
            self._stop.clear()
            self._running, self._ours = True, False

    def _run(
        self,
        reductions: Sequence[Any],
        progress: Callable[[Progress], None] | None,
        on_partition: Callable[[Partial], None] | None,
    ) -> AcquisitionResult:
        remarks: list[str] = []
        trigger: TriggerThread | None = None
        start: SeriesStart | None = None
        ended = False
        try:
            start = self.start = self._passive() if self.controller is None else self._arm(remarks)
            remarks += fit_remarks(start.series, start.expected, self.nav_shape)
            choice = self._connection.choose(start)
            trigger = self._trigger()
            report = self._reduce(start, choice, reductions, progress, on_partition)
            ended = report.ended
            dropped = self._dropped(remarks)
        finally:
            self._recover(start, ended, trigger, remarks)
        if trigger is not None and trigger.error is not None and not self._stop_asked(trigger):
            raise trigger.error
        self._connection.learn(report, dropped, choice)
        return AcquisitionResult(
            start=start,
            report=report,
            nav_shape=self.nav_shape,
            results=results_of(reductions, self.nav_shape),
            remarks=tuple(remarks),
            choice=choice,
            dropped=dropped,
        )

    def _passive(self) -> SeriesStart:
        start, self._pending = self._pending, None
        assert start is not None  # _begin saw it
        return start

    def _arm(self, remarks: list[str]) -> SeriesStart:
        controller = self.controller
        assert controller is not None  # the caller looked
        client, connection = controller.client, self._connection
        state = client.state()
        if state == "na":
            client.initialize()
            remarks.append("the detector had not been initialized since its start; it was now")
        elif state in RUNNING:
            raise ControlUnitError(
                f"the detector is in state {state}: a series is armed already; disarm it, or take it passively"
            )
        elif state == "error":
            raise ControlUnitError("the detector is in state error; look at it, then initialize it")
        self._ours = True
        controller.configure(self.frames)
        enable_stream(client, connection.stream_format)
        series = client.arm()
        start = connection.engine.wait_for_start(self._start_timeout_s, series, stop=self._stop)
        if start is None:
            raise NothingCame(connection.stream_url, self._start_timeout_s, series)
        return start

    def _trigger(self) -> TriggerThread | None:
        """Triggers go out beside the receiving: those of ints block until their images are done."""
        controller, hook = self.controller, self._hook
        if hook is not None:
            return TriggerThread(lambda: hook(self), self._stop)
        if controller is not None and controller.software:
            _, ntrigger = controller.counts(self.frames)
            client = controller.client.another()
            return TriggerThread(
                lambda: controller.trigger_all(client, ntrigger, self._stop.is_set),
                self._stop,
                client.close,
            )
        return None

    def _reduce(
        self,
        start: SeriesStart,
        choice: Choice,
        reductions: Sequence[Any],
        progress: Callable[[Progress], None] | None,
        on_partition: Callable[[Partial], None] | None,
    ) -> SeriesReport:
        shown = 0

        def tell(now: Progress) -> None:
            nonlocal shown
            if progress is not None:
                progress(now)
            part = now.frames // self._partition if self._partition else shown + 1
            if on_partition is not None and part > shown:
                shown = part
                on_partition(Partial(now, results_of(reductions, self.nav_shape)))

        frame_time_s = start.config.get("frame_time")
        # In the other modes somebody triggers; how often is not known, and idle_timeout_s is the answer to that.
        patience_s = self._idle_timeout_s + (frame_time_s if isinstance(frame_time_s, (int, float)) else 0)
        report = self._connection.engine.run(
            start,
            reductions,
            idle_timeout_s=patience_s,
            stop=self._stop,
            progress=tell,
            settings=Settings(
                num_slots=choice.num_slots,
                bytes_per_frame=choice.bytes_per_frame,
                frame_stack_size=choice.frame_stack_size,
                workers=choice.workers,
            ),
        )
        if on_partition is not None:
            on_partition(Partial(_at_end(report), results_of(reductions, self.nav_shape)))
        return report

    def _dropped(self, remarks: list[str]) -> int | None:
        """Images that the unit dropped. A unit that does not answer costs no data."""
        try:
            dropped = self._connection.client.status("dropped", module="stream")
        except ControlUnitError as error:
            remarks.append(f"how many images the unit dropped is not known: {error}")
            return None
        if not isinstance(dropped, int):
            return None
        if dropped:
            remarks.append(f"the unit dropped {dropped} images, because they were not taken in time")
        return dropped

    def _recover(
        self, start: SeriesStart | None, ended: bool, trigger: TriggerThread | None, remarks: list[str]
    ) -> None:
        """Leave the detector idle and the stream empty, so that the next series is whole."""
        controller = self.controller
        if not ended:
            self._stop.set()
        # Before we set it the detector may be somebody else's.
        if controller is not None and self._ours:
            try:
                if ended:
                    controller.client.disarm()
                elif controller.client.state() in RUNNING:
                    controller.client.abort()
            except ControlUnitError as error:
                remarks.append(f"the detector could not be {'disarmed' if ended else 'aborted'}: {error}")
        if trigger is not None:
            trigger.join()
        if start is not None and not ended and controller is not None:
            self._connection.engine.run(start, (), idle_timeout_s=DRAIN_S)

    def _stop_asked(self, trigger: TriggerThread) -> bool:
        """Whether the trigger failed because the run was aborted: the unit refuses what comes after."""
        return self._stop.is_set() and not trigger.failed_first and isinstance(trigger.error, CommandRefused)


def _at_end(report: SeriesReport) -> Progress:
    """The last progress of a series."""
    measured = report.measured
    return Progress(
        expected=report.expected,
        frames=report.frames,
        received=measured.images,
        missing_so_far=report.missing,
        elapsed_s=measured.wall_s,
        images_per_s=measured.images_per_s,
    )
