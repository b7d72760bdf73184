"""The file writer: takes runs of images from the loop and writes them in a thread of its own.

What waits are numbers, for the images lie in the ring: the writer may lag behind the detector by any time, loses
nothing and holds nobody up. Images are lost only where the buffer for files is full; each of them is counted.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sim.dectris.filewriter.faults import strike_file, strike_images
from sim.dectris.filewriter.kernels import warm_up
from sim.dectris.filewriter.series_writer import Job, SeriesWriter
from sim.dectris.filewriter.settings import FileWriterSettings
from sim.dectris.filewriter.store import FinishedFiles
from sim.dectris.keys import Value
from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.errors import SimError
from sim.kernel import FaultBoard, Problem

BUFFER_BYTES: Final = 2 << 30
"""Default size of the buffer for files."""
_BATCH: Final = 512
"""Images written at once; an abort waits for no more than these."""
_PROBLEMS: Final = 100


@dataclass(slots=True, eq=False)
class _Work:
    """One thing for the thread to do: begin a job, write images, or end it."""

    job: Job
    begins: bool = False
    first: int = 0
    count: int = 0
    """Images; 0 where the job begins or ends."""
    corrupt: frozenset[int] = frozenset()
    ends: bool = False


class FileWriterSink:
    """The sink and the store of files that REST asks. All methods but the thread's belong to the loop's thread."""

    def __init__(
        self,
        device: str,
        folder: Path,
        config: Callable[[], Mapping[str, Value]],
        faults: FaultBoard,
        now: Callable[[], int],
        *,
        buffer_bytes: int = BUFFER_BYTES,
    ) -> None:
        """*config*: present values of the module's keys; *now*: simulated time in ns."""
        self._device, self._config, self._faults, self._now = device, config, faults, now
        self._files = FinishedFiles(folder, buffer_bytes, now)
        self._changed = threading.Condition()
        self._waiting: deque[_Work] = deque()
        self._at_work = self._closing = False
        self._thread: threading.Thread | None = None
        self._job: Job | None = None
        self._files_struck = 0
        self._unfinished_jobs = 0
        self._failed = False
        self._error: tuple[str, ...] = ()
        self._problems: list[Problem] = []
        self._writer: SeriesWriter | None = None

    # What the unit calls

    def begin(self, series: ArmedSeries) -> None:
        """A series was armed: its master appears soon, if the writer is enabled."""
        settings = FileWriterSettings.read(self._config())
        if not settings.enabled:
            return
        self._failed, self._error = False, ()
        wrong_link = self._faults.strike("file_wrong_link") is not None
        self._job = Job(series, settings, wrong_link)
        self._files_struck = 0
        self._strike_files(self._job, 0)
        self._hand_over(_Work(self._job, begins=True))

    def images(self, run: ImageRun) -> int:
        """Take images: all of them, always."""
        job = self._job
        if job is not None and run.count > 0:
            job.note_times(run)
            self._strike_files(job, run.first + run.count - 1)
            corrupt = strike_images(self._faults, run.first, run.count)
            self._hand_over(_Work(job, first=run.first, count=run.count, corrupt=corrupt))
        return run.count

    def end(self) -> None:
        """No more images come: the last file is cut to its images."""
        job, self._job = self._job, None
        if job is not None:
            self._hand_over(_Work(job, ends=True))

    def abort(self) -> None:
        """Images that wait are dropped, then the series ends."""
        if self._job is not None:
            self._job.aborted = True
        self.end()

    # What REST asks

    @property
    def state(self) -> str:
        """disabled, ready, acquire or error."""
        if self._failed:
            return "error"
        if self._unfinished_jobs:
            return "acquire"
        return "ready" if FileWriterSettings.read(self._config()).enabled else "disabled"

    @property
    def error(self) -> Sequence[str]:
        """What went wrong with the newest series."""
        return self._error

    @property
    def buffer_free(self) -> int:
        """Bytes that may still be written."""
        return self._files.free

    def names(self) -> Sequence[str]:
        """Files that are finished, sorted."""
        return self._files.names()

    def path(self, name: str) -> Path | None:
        """Where a finished file lies; None for any other text."""
        return self._files.path(name)

    def delete(self, name: str) -> bool:
        """Delete a finished file; whether there was one."""
        return self._files.delete(name)

    def clear(self) -> None:
        """Delete everything that is not being written."""
        self._files.clear()

    def initialize(self) -> None:
        """As after a restart of the module: the present series ends for it; files stay."""
        self.abort()
        self._failed, self._error = False, ()

    def problems(self) -> Sequence[Problem]:
        """What went wrong since the start, oldest first; no more than the newest hundred."""
        return tuple(self._problems)

    def settled(self, timeout_s: float) -> bool:
        """Wait until everything that was handed over is on disk; whether it is."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting and not self._at_work, timeout_s)

    def close(self) -> None:
        """Drop what waits, end the series and the thread. May be called twice."""
        with self._changed:
            for work in self._waiting:
                work.job.aborted = True
        self.abort()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=2.0)

    # The loop's half

    def _strike_files(self, job: Job, last_image: int) -> None:
        """Let faults strike the data files that begin up to this image."""
        while self._files_struck <= job.file_of(last_image):
            job.faults[self._files_struck] = strike_file(self._faults)
            self._files_struck += 1

    def _hand_over(self, work: _Work) -> None:
        with self._changed:
            if work.begins:
                self._unfinished_jobs += 1
            last = self._waiting[-1] if self._waiting else None
            joined = _joined(last, work) if last is not None else None
            if joined is not None:
                self._waiting[-1] = joined
            else:
                self._waiting.append(work)
            self._changed.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._work, name=f"{self._device} file writer", daemon=True
            )
            self._thread.start()

    # The thread's half

    def _work(self) -> None:
        warm_up()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                work, self._at_work = self._waiting.popleft(), True
            self._do(work)
            with self._changed:
                self._at_work = False
                if work.ends:
                    self._unfinished_jobs -= 1
                self._changed.notify_all()

    def _do(self, work: _Work) -> None:
        try:
            if work.begins:
                self._writer = SeriesWriter(work.job, self._files)
                self._writer.begin()
            self._take(work)
            if work.ends:
                self._finish()
        except (OSError, RuntimeError, ValueError, KeyError, SimError) as error:
            # h5py raises any of these where HDF5 fails.
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.give_up()
            self._failed = True
            self._tell(f"series {work.job.series.number} is not written any further: {_reason(error)}")

    def _take(self, work: _Work) -> None:
        done = 0
        while done < work.count and self._writer is not None and not work.job.aborted:
            lost = self._writer.lost
            batch = min(_BATCH, work.count - done)
            done += self._writer.take(work.first + done, batch, work.corrupt)
            if self._writer.lost > lost == 0:
                self._tell("the buffer for files is full: images are not written until files are deleted")

    def _finish(self) -> None:
        writer, self._writer = self._writer, None
        if writer is None:
            return
        try:
            writer.finish()
        except BaseException:
            writer.give_up()
            raise
        if writer.lost:
            self._tell(
                f"{writer.lost} of {writer.taken} images were not written, for the buffer for files was full"
            )

    def _tell(self, sentence: str) -> None:
        self._error = (*self._error, sentence)
        self._problems[:-_PROBLEMS] = []
        self._problems.append(Problem(self._device, self._now(), f"file writer: {sentence}"))


def _reason(error: Exception) -> str:
    """One line: HDF5 tells addresses and times as well."""
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno)
    return str(error).split("\n")[0][:300]


def _joined(last: _Work, new: _Work) -> _Work | None:
    """Images of one series that wait one after the other are one piece of work, so that hardly anything waits."""
    both = last.job is new.job and last.count > 0 and new.count > 0
    if not both or new.first != last.first + last.count:
        return None
    return replace(last, count=last.count + new.count, corrupt=last.corrupt | new.corrupt)
