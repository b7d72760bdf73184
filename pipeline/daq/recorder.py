"""The thread that writes: takes module trains from a queue, gathers whole trains, writes them in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from pipeline.daq.gatherer import Gatherer, Settled
from pipeline.daq.queues import BoundedQueue
from pipeline.daq.recording import RunWriter
from pipeline.gathering import Refused
from pipeline.model import ModuleTrain

log = structlog.get_logger()
DEADLINE_CHECK_S: Final = 0.05


class Recorder:
    """Write one run from a queue until `finish`.

    A disk that refuses ends the writing: `problem` tells why, and what still comes is counted and let go.
    """

    def __init__(self, queue: BoundedQueue[ModuleTrain], gatherer: Gatherer, writer: RunWriter) -> None:
        self._queue, self._gatherer, self._writer = queue, gatherer, writer
        self._finishing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="daq-record", daemon=True)
        self.problem: str | None = None
        self.trains_lost = 0
        self._thread.start()

    def finish(self, timeout_s: float) -> bool:
        """Write all that is queued and gathered, then close the files; whether that ended in time."""
        self._queue.close()
        self._finishing.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def busy(self) -> bool:
        """Whether anything waits to be written."""
        return self._queue.busy or len(self._gatherer) > 0

    @property
    def writer(self) -> RunWriter:
        """The run that is being written."""
        return self._writer

    @property
    def counters(self) -> dict[str, int]:
        """What the gathering of trains counted."""
        return {**self._gatherer.counters, "trains_lost": self.trains_lost}

    def _run(self) -> None:
        while not (self._finishing.is_set() and len(self._queue) == 0):
            train = self._queue.get(DEADLINE_CHECK_S)
            if train is None:
                self._settle(self._gatherer.due(time.monotonic()))
                self._guard(self._writer.settle)
                continue
            self._settle(self._gatherer.feed(train, time.monotonic()))
            self._queue.done()
        self._settle(self._gatherer.flush())
        self._guard(self._writer.close)

    def _settle(self, settled: Settled) -> None:
        for item in settled:
            if isinstance(item, Refused):
                item.part.release()
                continue
            if self.problem is None:
                self._guard(lambda train=item: self._writer.write(train))  # type: ignore[misc]
            if self.problem is not None:
                self.trains_lost += 1
            for part in item.parts.values():
                part.release()

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except (
            OSError,
            RuntimeError,
            TypeError,
            ValueError,
        ) as error:  # h5py reports what it cannot write as any
            self.problem = f"run {self._writer.run} cannot be written: {error}"
            log.error("recording stopped", run=self._writer.run, reason=str(error))
