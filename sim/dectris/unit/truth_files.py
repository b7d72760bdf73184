"""The truth of each series as files: what its images add up to, whoever received them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue

from sim.dectris.images.truth import Fact, SeriesTruth
from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.kernel import Problem


class TruthFiles:
    """A sink that writes `series_000001.npz` and `.json` when a series has ended (`SeriesTruth.save`).

    It counts the images that the unit made. Under policy drop, receivers may have fewer.
    """

    def __init__(self, device: str, folder: Path, now: Callable[[], int]) -> None:
        self._device, self._folder, self._now = device, folder, now
        self._series: ArmedSeries | None = None
        self._truth: SeriesTruth | None = None
        self._first_start_unix_ns: int | None = None
        self._problems: list[Problem] = []
        self._jobs: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def begin(self, series: ArmedSeries) -> None:
        """A series was armed."""
        self._series, self._truth = series, SeriesTruth(series.ring)
        self._first_start_unix_ns = None
        # After `initialize` numbers come again; whoever looks must not find the truth of an earlier series.
        path = self._path(series.number)
        self._do(lambda: path.with_suffix(".json").unlink(missing_ok=True))

    def images(self, run: ImageRun) -> int:
        """Count images."""
        assert self._truth is not None, "images without a series"
        if self._first_start_unix_ns is None:
            self._first_start_unix_ns = run.series_date_unix_ns
        self._truth.add(run.first, run.count)
        return run.count

    def end(self) -> None:
        """Write the files, in a thread of their own."""
        series, truth = self._series, self._truth
        assert series is not None, "an end without a series"
        assert truth is not None, "an end without a series"
        self._series = self._truth = None
        facts: dict[str, Fact] = {
            "series": series.number,
            "unique_id": series.unique_id,
            "armed_unix_ns": series.armed_unix_ns,
            "first_start_unix_ns": self._first_start_unix_ns,
            "expected": series.expected,
            "nimages": series.nimages,
            "ntrigger": series.ntrigger,
            "trigger_mode": series.trigger_mode,
        }
        masks = dict(zip(series.ring.layout.channels, series.pixel_mask, strict=False))
        path = self._path(series.number)
        self._do(lambda: truth.save(path, masks, facts))

    def abort(self) -> None:
        """What was made counts, also when it was thrown away on its way."""
        self.end()

    def close(self) -> None:
        """Finish what is to be written. Takes as long as the truth of a series takes, at most a second."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(timeout=1.0)
            self._thread = None

    def problems(self) -> Sequence[Problem]:
        """Truths that could not be written."""
        return tuple(self._problems)

    def _path(self, series: int) -> Path:
        return self._folder / f"series_{series:06d}.npz"

    def _do(self, job: Callable[[], object]) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"truth {self._device}", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            try:
                job()
            except OSError as error:
                text = f"the truth of a series could not be written: {error}"
                self._problems.append(Problem(self._device, self._now(), text))
