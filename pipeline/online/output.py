"""Behind the correction, and behind the splitter's raw output: match, and hand whole trains on. One thread each."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, Generic

import structlog

from pipeline.daq.queues import BoundedQueue, Policy
from pipeline.daq.rates import Histogram, Rate
from pipeline.gathering import Refused
from pipeline.model import MatchedTrain, PartT
from pipeline.online.matcher import Matcher

QUEUE_DEPTH: Final = 64
PERIOD_S: Final = 0.05
FLUSH_TIMEOUT_S: Final = 30.0
log = structlog.get_logger("pipeline.output")


class OutputStage(Generic[PartT]):
    """Matches modules and hands whole trains on, in the order of their ids.

    outputs      called in turn with each matched train, from this stage's thread
    on_restart   called when train ids began anew, far below those before
    An output that raises is a problem of this stage, and the state ERROR until `reset`; the other outputs go on.
    """

    def __init__(
        self,
        name: str,
        matcher: Matcher[PartT],
        outputs: list[Callable[[MatchedTrain[PartT]], None]],
        on_restart: Callable[[], None] = lambda: None,
    ) -> None:
        self.matcher, self._on_restart = matcher, on_restart
        self._outputs = outputs
        self._queue = BoundedQueue[PartT](name, QUEUE_DEPTH, Policy.BLOCK, lambda part: part.release())
        self._thread = threading.Thread(target=self._work, name=name)
        self._lock = threading.Lock()
        self._restarts = 0
        self._first_seen: dict[int, float] = {}
        self.counters: Final[Counter[str]] = Counter()
        self.running = True
        self.problem = ""
        self.trains = Rate()
        self.images = Rate()
        self.time_of_flight_s = 0.0
        """From a train's first module to its output, the latest train."""
        self.latency: Final = Histogram()
        """From a train's own time to its output; of use where the bench runs on wall time."""

    def add(self, output: Callable[[MatchedTrain[PartT]], None]) -> None:
        """Hand trains to one more output, after the others."""
        self._outputs.append(output)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Work off what is queued, settle what waits, then end; may be called twice."""
        self._queue.close()
        if self._thread.is_alive():
            self._thread.join()
            self.flush()

    def submit(self, part: PartT) -> None:
        """Queue a module; blocks while the queue is full. While the stage does not run, it is counted and let go."""
        if not self.running:
            self.counters["parts_not_running"] += 1
            part.release()
            return
        self._first_seen.setdefault(part.train_id, time.monotonic())
        self._queue.put(part)

    @property
    def busy(self) -> bool:
        """Whether anything is queued or worked on. Trains that wait for their last modules do not count."""
        # The lock is held while trains whose deadline has passed are handed on: these are in no queue any more.
        return self._queue.busy or self._lock.locked()

    def flush(self) -> None:
        """Take in what is queued, then settle all trains that wait for modules."""
        self._queue.join(FLUSH_TIMEOUT_S)
        with self._lock:
            self._hand_on(self.matcher.flush())
            self._first_seen.clear()

    def pause(self) -> None:
        """Take nothing in any more; what is under way comes out."""
        self.running = False
        self.flush()

    def resume(self) -> None:
        """Take parts in again."""
        self.running = True

    def reset(self) -> None:
        """Forget the problem, and what waits for modules."""
        self.flush()
        self.problem = ""

    def _work(self) -> None:
        while not (self._queue.closed and not len(self._queue)):
            part = self._queue.get(PERIOD_S)
            try:
                with self._lock:
                    now = time.monotonic()
                    settled = self.matcher.due(now) if part is None else self.matcher.feed(part, now)
                    self._hand_on(settled)
            except (
                Exception
            ) as error:  # a thread's border: whatever fails, the next train must find the stage working
                log.exception("the stage failed")
                self.problem = f"{type(error).__name__}: {error}"
            finally:
                if part is not None:
                    self._queue.done()

    def _hand_on(self, settled: list[MatchedTrain[PartT] | Refused[PartT]]) -> None:
        for item in settled:
            if isinstance(item, Refused):
                item.part.release()
                continue
            for output in self._outputs:
                self._give(output, item)
            images = len(next(iter(item.modules.values())).pulse_id)
            self._measure(item, images)
            item.release()
        if self.matcher.counters["restarts"] != self._restarts:
            self._restarts = self.matcher.counters["restarts"]
            self._first_seen.clear()
            self._on_restart()

    def _give(self, output: Callable[[MatchedTrain[PartT]], None], train: MatchedTrain[PartT]) -> None:
        try:
            output(train)
        except Exception as error:  # a thread's border: one output must not end the stage
            log.exception("an output failed", train_id=train.train_id)
            self.problem = f"train {train.train_id}: {type(error).__name__}: {error}"
            self.counters["outputs_failed"] += 1

    def _measure(self, train: MatchedTrain[PartT], images: int) -> None:
        self.counters["trains_out"] += 1
        self.counters["modules_out"] += len(train.modules)
        self.trains.add()
        self.images.add(images)
        began = self._first_seen.pop(train.train_id, None)
        if began is not None:
            self.time_of_flight_s = round(time.monotonic() - began, 4)
        self.latency.add(max(0.0, (time.time_ns() - train.timestamp_ns) / 1e9))
        for old in [train_id for train_id in list(self._first_seen) if train_id < train.train_id]:
            self._first_seen.pop(old, None)
