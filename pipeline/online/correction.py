"""The correction stage: worker threads that turn module trains into corrected ones.

A module's trains are all corrected by the same thread, so they leave in the order in which they came. The matcher
relies on it: once a train is complete, whatever exists of earlier trains has reached it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Final

import structlog

from pipeline.correct import Buffers, ModuleCorrection, Recipe
from pipeline.daq.queues import BoundedQueue, Policy
from pipeline.daq.rates import Rate
from pipeline.model import CorrectedModule, ModuleTrain

MAX_FREE: Final = 64
PAUSE_TIMEOUT_S: Final = 30.0
RESERVED_TRAINS: Final = 3
"""Corrected trains for which each module has room before the first one comes."""
RESERVED_BYTES: Final = 2 << 30
""" … and the most memory that is reserved so."""
log = structlog.get_logger("pipeline.correction")


class BufferPool:
    """Output memory that is used again, because the first touch of memory is slow."""

    def __init__(self) -> None:
        self._free: dict[tuple[int, int, int], deque[Buffers]] = {}
        self._lock = threading.Lock()

    def take(self, frames: int, image: tuple[int, int]) -> tuple[Buffers, Callable[[], None]]:
        """Room for so many frames of that size, and what gives it back."""
        with self._lock:
            free = self._free.setdefault((frames, *image), deque(maxlen=MAX_FREE))
            room = free.popleft() if free else None
        if room is None:
            room = Buffers.of(frames, image)
        return room, lambda: free.append(room)

    def reserve(self, frames: int, image: tuple[int, int], count: int) -> None:
        """Make room for *count* trains beforehand, as far as RESERVED_BYTES allow."""
        taken = []
        for _ in range(min(count, MAX_FREE)):
            taken.append(self.take(frames, image))
            room = taken[0][0]
            each = room.data.nbytes + room.gain.nbytes + room.mask.nbytes
            if (len(taken) + 1) * each > RESERVED_BYTES:
                break
        for _, give_back in taken:
            give_back()


class CorrectionStage:
    """Corrects module trains on threads that hold no lock while they compute.

    on_output  called from a worker's thread with every corrected module
    on_gone    called with every module train that is let go and not corrected
    """

    def __init__(
        self,
        depth: int,
        policy: str,
        threads: int,
        on_output: Callable[[CorrectedModule], None],
        on_gone: Callable[[ModuleTrain], None] = lambda _: None,
    ) -> None:
        self._on_gone = on_gone
        self._queues = [
            BoundedQueue[ModuleTrain](f"online {number}", depth, Policy(policy), self._let_go)
            for number in range(threads)
        ]
        self._on_output = on_output
        self._pool = BufferPool()
        self._threads = [
            threading.Thread(target=self._work, args=(queue,), name=f"correction {number}")
            for number, queue in enumerate(self._queues)
        ]
        self._prepared: Mapping[int, ModuleCorrection] = {}
        self._lock = threading.Lock()
        self._seconds = 0.0
        self._images = 0
        self.counters: Final[Counter[str]] = Counter()
        self.images = Rate()
        self.running = True
        self.problem = ""

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Work off what is queued, then end; may be called twice."""
        for queue in self._queues:
            queue.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def load(self, recipe: Recipe, prepared: Mapping[int, ModuleCorrection], frames: int) -> None:
        """Use this recipe and these prepared modules from the next train on.

        frames  of a raw train, as far as known: room for so many is made before they come
        """
        recipe.warm_up()
        for correction in list(prepared.values())[:1]:
            count = RESERVED_TRAINS * len(prepared)
            self._pool.reserve(correction.frames_out(frames), correction.image, count)
        self._prepared = dict(prepared)

    def unload(self) -> None:
        """Correct nothing any more; trains are let through unused."""
        self._prepared = {}

    @property
    def ready(self) -> bool:
        """Whether trains that come now are corrected."""
        return self.running and self.loaded

    def pause(self) -> None:
        """Take nothing in any more; what is queued is worked off."""
        self.running = False
        for queue in self._queues:
            queue.join(PAUSE_TIMEOUT_S)

    def resume(self) -> None:
        """Take trains in again, with the constants that are loaded."""
        self.running = True

    def reset(self) -> None:
        """Forget the problem."""
        self.problem = ""

    @property
    def loaded(self) -> bool:
        """Whether there are constants."""
        return bool(self._prepared)

    @property
    def busy(self) -> bool:
        """Whether anything is queued or worked on."""
        return any(queue.busy for queue in self._queues)

    def submit(self, train: ModuleTrain) -> None:
        """Queue a module's train; a full queue does what its policy says."""
        if not self.ready:
            self.counters["parts_not_running" if self._prepared else "trains_without_constants"] += 1
            self._let_go(train)
            return
        self._queues[train.module % len(self._queues)].put(train)

    def timing(self) -> dict[str, float]:
        """Core-milliseconds for each image so far, and images."""
        with self._lock:
            per_image = 1000 * self._seconds / self._images if self._images else 0.0
            return {"core_ms_per_image": round(per_image, 4), "images": self._images}

    def queue_counters(self) -> dict[str, object]:
        """Length, policy and drops of the queues before the workers, together."""
        counted: Counter[str] = Counter()
        for queue in self._queues:
            counted.update(queue.counters)
        waiting = sum(len(queue) for queue in self._queues)
        return {"length": waiting, "policy": self._queues[0].policy.value, **counted}

    def _let_go(self, train: ModuleTrain) -> None:
        train.release()
        self._on_gone(train)

    def _work(self, queue: BoundedQueue[ModuleTrain]) -> None:
        while not (queue.closed and not len(queue)):
            train = queue.get(0.5)
            if train is None:
                continue
            try:
                part = self._correct(train)
                if part is not None:
                    self._on_output(part)
            except Exception as error:  # a thread's border: one train must not end the stage
                log.exception("a train could not be handed on", train_id=train.train_id, module=train.module)
                self.problem = f"module {train.module}: {type(error).__name__}: {error}"
            finally:
                queue.done()

    def _correct(self, train: ModuleTrain) -> CorrectedModule | None:
        """The corrected part of a train; None when there is none, and the train has been let go."""
        correction = self._prepared.get(train.module)
        if correction is None:
            self.counters["trains_without_constants"] += 1
            self._let_go(train)
            return None
        try:
            room, give_back = self._pool.take(correction.frames_out(len(train.data)), correction.image)
            began = time.thread_time()
            part = correction.correct(train, room)
        except Exception as error:  # whatever is wrong with it, also too little memory: the train is let go
            log.exception("a train could not be corrected", train_id=train.train_id, module=train.module)
            self.problem = f"module {train.module}: {type(error).__name__}: {error}"
            self.counters["trains_failed"] += 1
            self._let_go(train)
            return None
        took = time.thread_time() - began
        train.release()
        part.release = give_back
        with self._lock:
            self._seconds += took
            self._images += len(part.data)
        self.counters["trains_corrected"] += 1
        self.images.add(len(part.data))
        return part
