"""From the unit to every way out: each run of images goes to all sinks, and is done when all have taken it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sim.dectris.sinks import ArmedSeries, ImageRun, Sink


class Delivery:
    """Hands series and runs to the sinks. A lossless sink that is full holds the run, and with it the unit."""

    def __init__(self, sinks: Sequence[Sink]) -> None:
        self._sinks = sinks
        self._rest: list[tuple[Sink, ImageRun]] = []
        self._open = False

    @property
    def waits(self) -> bool:
        """Whether a sink has not taken all of the newest run."""
        return bool(self._rest)

    def begin(self, series: ArmedSeries) -> None:
        """A series was armed."""
        self._rest.clear()
        self._open = True
        for sink in self._sinks:
            sink.begin(series)

    def offer(self, run: ImageRun) -> bool:
        """Hand on images. Returns whether every sink took all; if not, call `resume` when there may be room."""
        assert not self._rest, "the run before is not delivered yet"
        self._rest = [(sink, run) for sink in self._sinks]
        return self.resume()

    def resume(self) -> bool:
        """Offer again what was not taken. Returns whether nothing is left."""
        self._rest = [(sink, rest) for sink, run in self._rest if (rest := _offered(sink, run)) is not None]
        return not self._rest

    def end(self) -> None:
        """The series is over; once for each series that began."""
        if self._open:
            self._open = False
            self._rest.clear()
            for sink in self._sinks:
                sink.end()

    def abort(self) -> None:
        """The series is over, and what is still on its way is dropped."""
        if self._open:
            self._open = False
            self._rest.clear()
            for sink in self._sinks:
                sink.abort()


def _offered(sink: Sink, run: ImageRun) -> ImageRun | None:
    """What is left of a run after the sink took what it can."""
    taken = sink.images(run)
    if taken >= run.count:
        return None
    start = run.start_ns + taken * run.period_ns
    return replace(run, first=run.first + taken, count=run.count - taken, start_ns=start)
