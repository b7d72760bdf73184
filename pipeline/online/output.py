"""Behind the correction: match, write, serve. One thread, fed through a bounded queue."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from pipeline.daq.queues import BoundedQueue, Policy
from pipeline.model import CorrectedModule, MatchedTrain
from pipeline.online.matcher import Dropped, Matcher

QUEUE_DEPTH: Final = 64
PERIOD_S: Final = 0.05
FLUSH_TIMEOUT_S: Final = 30.0


class OutputStage:
    """Matches corrected modules and hands whole trains on, in the order of their ids.

    outputs  called in turn with each matched train, from this stage's thread
    """

    def __init__(self, matcher: Matcher, outputs: list[Callable[[MatchedTrain], None]]) -> None:
        self.matcher = matcher
        self._outputs = outputs
        self._queue = BoundedQueue[CorrectedModule](
            "output", QUEUE_DEPTH, Policy.BLOCK, lambda part: part.release()
        )
        self._thread = threading.Thread(target=self._work, name="output")
        self._lock = threading.Lock()
        self.counters: Final[Counter[str]] = Counter()
        self.time_of_flight_s = 0.0
        """From a train's first module to its output, the latest train."""
        self._first_seen: dict[int, float] = {}

    def add(self, output: Callable[[MatchedTrain], None]) -> None:
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

    def submit(self, part: CorrectedModule) -> None:
        """Queue a corrected module; blocks while the queue is full."""
        self._first_seen.setdefault(part.train_id, time.monotonic())
        self._queue.put(part)

    @property
    def busy(self) -> bool:
        """Whether anything is queued or worked on. Trains that wait for their last modules do not count."""
        return self._queue.busy

    def flush(self) -> None:
        """Take in what is queued, then settle all trains that wait for modules."""
        self._queue.join(FLUSH_TIMEOUT_S)
        with self._lock:
            self._hand_on(self.matcher.flush())
            self._first_seen.clear()

    def _work(self) -> None:
        while not (self._queue.closed and not len(self._queue)):
            part = self._queue.get(PERIOD_S)
            with self._lock:
                if part is None:
                    self._hand_on(self.matcher.due(time.monotonic()))
                    continue
                self._hand_on(self.matcher.feed(part, time.monotonic()))
            self._queue.done()

    def _hand_on(self, settled: list[MatchedTrain | Dropped]) -> None:
        for item in settled:
            if isinstance(item, Dropped):
                item.part.release()
                continue
            for output in self._outputs:
                output(item)
            item.release()
            self.counters["trains_out"] += 1
            began = self._first_seen.pop(item.train_id, None)
            if began is not None:
                self.time_of_flight_s = time.monotonic() - began
