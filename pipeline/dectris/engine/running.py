"""One series while it runs: the receiver's thread, the workers, and what is measured of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

import numpy as np

from pipeline.dectris.engine import codes, patterns
from pipeline.dectris.engine.books import Books
from pipeline.dectris.engine.images import End, Image, decode
from pipeline.dectris.engine.meter import Meter
from pipeline.dectris.engine.patterns import Pattern
from pipeline.dectris.engine.receiver import Receiver
from pipeline.dectris.engine.slots import Slab, Slot
from pipeline.dectris.engine.work import Job, Workers
from pipeline.dectris.messages import SizeDiffers
from pipeline.dectris.reduce.passes import Pass
from pipeline.dectris.reduce.worker import Frames
from pipeline.dectris.values import Measured, Progress, SeriesReport, SeriesStart
from pipeline.errors import StreamBroken

MAX_USELESS: Final = 10_000
"""Messages more than the series has, after which its sender is given up."""
WAIT_S: Final = 0.02


class Running:
    """Receives and reduces one series. `start` it, wait for `done`, then `finish`."""

    def __init__(
        self, receiver: Receiver, start: SeriesStart, passes: Sequence[Pass], slab: Slab, stale: int, idle_s: float,
        stop: threading.Event,
    ) -> None:  # fmt: skip
        self._receiver, self._start, self._slab = receiver, start, slab
        self._idle_s, self._stop = idle_s, stop
        self._settings = slab.settings
        self.books = Books(start.series, start.expected, stale=stale)
        self.done = threading.Event()
        self.next_start: SeriesStart | None = None
        """A series that began while this one ran: its own end was lost."""
        self._lock = threading.Lock()
        self._failed = threading.Event()
        self._workers = Workers(
            self._settings.workers, passes, (start.height, start.width), slab, self.books, self._lock,
            self._settings.hash_share, self._failed.set,
        )  # fmt: skip
        self._pattern: Pattern | None = None
        self._dtype = start.dtype
        self._slot: Slot | None = None
        self._error: BaseException | None = None
        self._ended = self._stopped = False
        self._end_delay_s: float | None = None
        self._meter = Meter(slab)
        slab.used_max = 0
        receiver.state[[codes.WAITED_NS, codes.BYTES, codes.BYTES_MAX]] = 0
        receiver.begin_slot()
        self._thread = threading.Thread(target=self._receive, name="dectris receiver", daemon=True)

    def start(self) -> None:
        """Begin to receive."""
        self._thread.start()

    def finish(self) -> SeriesReport:
        """Wait until everything that came is reduced. Raises what a reduction raised."""
        self._thread.join()
        self._workers.finish()
        error = self._error or self._workers.error
        if error is not None:
            raise error
        return self._report()

    def _receive(self) -> None:
        try:
            while not self._over():
                if self._pattern is None:
                    self._take_message(self._receiver.message())
                else:
                    self._take_images(self._pattern)
            self._hand_over()
        # A thread's border: whatever it was goes to whoever runs the series.
        except BaseException as error:  # noqa: BLE001
            self._error = error
        finally:
            self._receiver.drop_held()
            if self._slot is not None:
                self._slab.give_back(self._slot)
                self._slot = None
            self._meter.cpu_s = time.thread_time()
            self.done.set()

    def _over(self) -> bool:
        now = time.perf_counter()
        self._stopped = self._stop.is_set() and not self._ended
        idle = now - self._meter.active_at
        if idle > self._idle_s:
            self._meter.silence_s = max(self._meter.silence_s, idle)
            return True
        if self.books.received + self.books.broken > self._start.expected + MAX_USELESS:
            self.books.note(f"series {self._start.series} of {self._start.expected} frames does not end")
            return True
        return self._ended or self._stopped or self._failed.is_set() or self.next_start is not None

    def _take_images(self, pattern: Pattern) -> None:
        """Fill a slot through the kernel."""
        slot = self._slot or self._wait_for_slot()
        if slot is None:
            return
        self._slot = slot
        why = self._receiver.images(
            pattern, slot, self._slab.data, self._settings.slot_bytes, self._settings.flush_s
        )
        if why == codes.CLOSED:
            self._stop.set()
        if self._receiver.state[codes.COUNT]:
            self._meter.active()
            self._meter.image_came()
        if why != codes.IDLE:
            self._hand_over()
        if why == codes.OTHER:
            self._take_message(self._receiver.held())

    def _wait_for_slot(self) -> Slot | None:
        slot = self._slab.take(None)
        if slot is None:
            self._meter.slot_waits += 1
            begun = time.perf_counter()
            while slot is None and not self._stop.is_set():
                slot = self._slab.take(WAIT_S)
            waited = time.perf_counter() - begun
            self._meter.slot_wait_s += waited
            # While it does not read, the sender may have said what it likes.
            self._meter.active_at += waited
        if slot is not None:
            self._receiver.begin_slot()
        return slot

    def _hand_over(self) -> None:
        """Give the frames of the slot to the workers."""
        count = int(self._receiver.state[codes.COUNT])
        slot, pattern = self._slot, self._pattern
        if slot is None or pattern is None or count == 0:
            return
        self._slot = None
        rows = [pattern.channels.index(name) for name in self._start.channels]
        frames = Frames(
            self._slab.data,
            slot.frames[:count],
            slot.offsets[rows, :count],
            slot.lengths[rows, :count],
            tuple(pattern.codings[row] for row in rows),
            pattern.dtype,
        )
        self._receiver.begin_slot()
        self._meter.slots += 1
        self._put(Job(frames, slot.digests[:count] if pattern.hashed else None, slot))

    def _put(self, job: Job) -> None:
        with self._lock:
            accepted = self.books.take(job.frames.numbers)
        if not accepted.all():
            job = job.only(accepted)
        while not self._workers.put(job, WAIT_S):
            self._meter.slot_wait_s += WAIT_S

    def _take_message(self, parts: list[bytes] | None) -> None:
        """A message that Python looks at: the first image, and whatever does not look like it."""
        if parts is None:
            return
        try:
            message = decode(parts)
        except SizeDiffers as error:
            if error.series != self._start.series:
                self._other(error.series)
                return
            self._meter.active()
            with self._lock:
                self.books.take_truncated(error.reason)
            return
        except StreamBroken as error:
            self._broken(error.reason)
            return
        if message.series != self._start.series:
            if isinstance(message, SeriesStart) and message.series > self._start.series:
                self._broken(f"series {message.series} began before series {self._start.series} had ended")
                self.next_start = message
            else:
                self._other(message.series)
        elif isinstance(message, SeriesStart):
            self._broken(f"the start message of series {message.series} came again")
        elif isinstance(message, End):
            self._meter.active()
            self._ended = True
            if self._meter.last_image_at is not None:
                self._end_delay_s = time.perf_counter() - self._meter.last_image_at
        else:
            self._meter.active()
            self._take_image(message, parts)

    def _take_image(self, image: Image, parts: list[bytes]) -> None:
        self._meter.image_came()
        wrong = self._unfit(image)
        if wrong:
            self._broken(f"image {image.frame} of series {image.series} {wrong}")
            return
        self._meter.slow += 1
        self._dtype = image.dtype
        by_name = {channel.name: channel for channel in image.channels}
        chosen = [by_name[name] for name in self._start.channels]
        lengths = np.array([[len(channel.data)] for channel in chosen], np.int64)
        size = int(lengths.sum())
        state = self._receiver.state
        state[codes.BYTES] += size
        state[codes.BYTES_MAX] = max(state[codes.BYTES_MAX], size)
        frames = Frames(
            np.frombuffer(bytearray(b"".join(channel.data for channel in chosen)), np.uint8),
            np.array([image.frame], np.int64),
            np.cumsum(lengths, axis=0) - lengths,
            lengths,
            tuple(channel.coding for channel in chosen),
            image.dtype,
        )
        digest = None if image.digest is None else np.frombuffer(image.digest, np.uint8).reshape(1, 16)
        self._put(Job(frames, digest, None))
        self._pattern = patterns.learn(parts, image) or self._pattern

    def _unfit(self, image: Image) -> str | None:
        """Why an image cannot belong to this series."""
        start = self._start
        if (image.width, image.height) != (start.width, start.height):
            return f"is {image.width} × {image.height} pixels; the start message told {start.width} × {start.height}"
        if self._dtype is not None and image.dtype != self._dtype:
            return f"is {image.dtype}; the series is {self._dtype}"
        there = {channel.name for channel in image.channels}
        missing = [name for name in start.channels if name not in there]
        return f"has no channel {missing[0]}" if missing else None

    def _broken(self, reason: str) -> None:
        with self._lock:
            self.books.take_broken(reason)

    def _other(self, series: int) -> None:
        with self._lock:
            self.books.take_other(series)

    def progress(self, images_per_s: float) -> Progress:
        """How far it is."""
        with self._lock:
            books = self.books
            return Progress(
                books.expected,
                books.frames,
                books.received,
                books.missing_so_far,
                self._meter.elapsed_s(),
                images_per_s,
            )

    def measured(self) -> Measured:
        """What it cost so far."""
        workers = self._workers
        return self._meter.measured(
            self.books.received, self._receiver.state, workers.busy_s, sum(workers.cpu_s), workers.hash_s
        )

    def _report(self) -> SeriesReport:
        books = self.books
        return SeriesReport(
            series=books.series,
            expected=books.expected,
            frames=books.frames,
            gaps=books.gaps(),
            corrupt=books.corrupt,
            corrupt_frames=tuple(books.corrupt_frames),
            truncated=books.truncated,
            duplicates=books.duplicates,
            reordered=books.reordered,
            broken=books.broken,
            stale=books.stale,
            wrong_series=books.wrong_series,
            unexpected=books.unexpected,
            ended=self._ended,
            end_delay_s=self._end_delay_s,
            silence_s=self._meter.silence_s,
            stopped=self._stopped,
            hashes_checked=books.hashes_checked,
            hashes_unchecked=books.hashes_unchecked,
            reasons=tuple(books.reasons),
            measured=self.measured(),
        )
