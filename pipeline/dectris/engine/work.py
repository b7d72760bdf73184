"""The workers: threads that decode and reduce slots, without the interpreter's lock most of the time."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.engine.books import Books
from pipeline.dectris.engine.hashes import HashBudget
from pipeline.dectris.engine.slots import Slab, Slot
from pipeline.dectris.reduce.passes import Pass
from pipeline.dectris.reduce.worker import Frames, Worker
from pipeline.model import U8


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """Frames to reduce; the slot they lie in is free afterwards. Without a slot they bring memory of their own."""

    frames: Frames
    digests: U8 | None
    """(n, 16); rows of zeros are no hash."""
    slot: Slot | None

    def only(self, wanted: NDArray[np.bool_] | NDArray[np.int64]) -> Job:
        """The same with fewer frames."""
        frames = self.frames
        less = Frames(
            frames.data,
            frames.numbers[wanted],
            frames.offsets[:, wanted],
            frames.lengths[:, wanted],
            frames.codings,
            frames.dtype,
        )
        return Job(less, None if self.digests is None else self.digests[wanted], self.slot)


class Workers:
    """All workers of one series. What they find goes into *books* under *lock*."""

    def __init__(
        self,
        count: int,
        passes: Sequence[Pass],
        shape: tuple[int, int],
        slab: Slab,
        books: Books,
        lock: threading.Lock,
        hash_share: float,
        failed: Callable[[], None],
    ) -> None:
        self._slab, self._books, self._lock, self._failed = slab, books, lock, failed
        # Slots bound it; images that Python decoded have none, so that the queue bounds them.
        self._jobs: queue.Queue[Job | None] = queue.Queue(maxsize=2 * slab.settings.num_slots + count)
        self._stack_lock = threading.Lock()
        self._hashes = HashBudget(hash_share)
        self.busy_s = [0.0] * count
        self.cpu_s = [0.0] * count
        self.error: BaseException | None = None
        serial = any(one.stacks for one in passes)
        workers = [Worker(passes, shape) for _ in range(count)]
        self._threads = [
            threading.Thread(
                target=self._work, args=(number, worker, serial), name=f"dectris worker {number}", daemon=True
            )
            for number, worker in enumerate(workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def hash_s(self) -> float:
        """Time that went into hashes."""
        return self._hashes.spent_s

    def put(self, job: Job, timeout_s: float) -> bool:
        """Hand over a job; False when there is no room for it in time."""
        try:
            self._jobs.put(job, timeout=timeout_s)
        except queue.Full:
            return False
        return True

    def finish(self) -> None:
        """Wait until all jobs are done."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self, number: int, worker: Worker, serial: bool) -> None:
        while (job := self._jobs.get()) is not None:
            wall, cpu = time.perf_counter(), time.thread_time()
            try:
                # After an error nothing is worth reducing, but slots still go back: the receiver may wait for one.
                if self.error is None:
                    self._do(job, worker, serial)
            # A thread's border: whatever it was goes to whoever runs the series.
            except BaseException as error:  # noqa: BLE001
                self.error = error
                self._failed()
            finally:
                if job.slot is not None:
                    self._slab.give_back(job.slot)
            self.busy_s[number] += time.perf_counter() - wall
            self.cpu_s[number] += time.thread_time() - cpu

    def _do(self, job: Job, worker: Worker, serial: bool) -> None:
        job = self._checked(job)
        if serial:
            with self._stack_lock:
                bad = worker.reduce(job.frames)
        else:
            bad = worker.reduce(job.frames)
        if bad:
            with self._lock:
                for index, what in bad.items():
                    self._books.take_corrupt(int(job.frames.numbers[index]), what)

    def _checked(self, job: Job) -> Job:
        """The job without frames that do not fit their hash."""
        if job.digests is None:
            return job
        frames = job.frames
        if self._slab.scarce:
            # Before images are lost for want of room, hashes are left out; the report counts them.
            wrong, checked = np.zeros(len(frames.numbers), bool), 0
        else:
            wrong, checked = self._hashes.check(
                frames.data, frames.offsets[0], frames.lengths[0], job.digests
            )
        with self._lock:
            self._books.hashes_checked += checked
            self._books.hashes_unchecked += int(job.digests.any(axis=1).sum()) - checked
            for index in np.flatnonzero(wrong).tolist():
                self._books.take_corrupt(int(frames.numbers[index]), "does not fit its hash")
        return job.only(~wrong) if wrong.any() else job
