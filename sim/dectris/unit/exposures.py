"""An armed series as it goes: triggers come in, runs of finished images go out. Pure, in simulated time.

Image i of a trigger is done (i + 1) frame times after the trigger. Time is followed lazily: whoever asks late, because
the way out was full, gets the images that are due with the times at which they were exposed. Between two asks any
number of images may have become due; images that follow one another regularly leave as one run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sim.dectris.sinks import ImageRun
from sim.dectris.unit.pulses import PulseLine, PulseTrain
from sim.dectris.unit.series import GATE_READOUT_NS, SOFTWARE, Plan
from sim.kernel import NS_PER_MS, SimTime

TICK_NS: Final = 4 * NS_PER_MS
"""Images that are shorter than this leave together, this often."""


@dataclass(slots=True)
class Stretch:
    """Images that follow one another regularly. Times in ns of simulated time."""

    start_ns: int
    step_ns: int
    exposure_ns: int
    occupied_ns: int
    """From an image's start until it is done."""
    count: int
    per_trigger: int
    pulses_per_image: int = 0
    """0: the triggers were looked at when they came. Else each image uses one of so many pulses of a train."""
    done: int = 0

    def done_at(self, image: int) -> int:
        """When an image is done."""
        return self.start_ns + image * self.step_ns + self.occupied_ns

    def due(self, now: int) -> int:
        """How many of the images are done by now, all in all."""
        return min(self.count, max(0, (now - self.start_ns - self.occupied_ns) // self.step_ns + 1))

    @property
    def complete(self) -> bool:
        """Whether all images were given out."""
        return self.done >= self.count


class Exposures:
    """The progress of one armed series."""

    def __init__(self, plan: Plan, line: PulseLine, epoch_unix_ns: int) -> None:
        self.plan, self._line, self._epoch_unix_ns = plan, line, epoch_unix_ns
        self.images_done = 0
        self.triggers_done = 0
        self.missed = 0
        """Electrical triggers that came while an image was exposed."""
        self._first_start: int | None = None
        self._stretch: Stretch | None = None
        self._busy_until = 0
        self._stopping = False
        self._to_skip = plan.skipped if plan.mode not in SOFTWARE else 0
        self._gates = 0
        self._gate_first = PulseTrain(0)
        self._gate_last = PulseTrain(0)
        self._odd: tuple[int, int] | None = None
        """Start and exposure of the second counter's image, which is still to be given out."""

    @property
    def exposing(self) -> bool:
        """Whether images of a trigger are under way."""
        return self._stretch is not None or self._gates > 0 or self._odd is not None

    @property
    def complete(self) -> bool:
        """Whether no more images come. A gated series that is complete still waits for its disarm."""
        return (self._stopping and not self.exposing) or self.images_done >= self.plan.expected

    @property
    def ends_by_itself(self) -> bool:
        """Whether the series is over with its last image. Gated series are not (SIMPLON API reference 1.8)."""
        return self._stopping or self.plan.mode != "extg"

    def trigger(self, now: int, exposure_ns: int | None) -> None:
        """A software trigger; *exposure_ns* where it tells one (inte)."""
        plan = self.plan
        exposure = plan.count_ns if exposure_ns is None else exposure_ns
        self._expose(now + plan.delay_ns, exposure, plan.per_trigger)

    def stop_after_current(self, now: int) -> None:
        """No image begins after now; the one under way is finished."""
        self._stopping = True
        stretch = self._stretch
        if stretch is None:
            self._gates, self._odd = 0, None
            return
        begun = 0 if now < stretch.start_ns else (now - stretch.start_ns) // stretch.step_ns + 1
        stretch.count = max(stretch.done, min(stretch.count, begun))
        if stretch.complete:
            self._stretch = None

    def next_run(self, now: int) -> ImageRun | None:
        """The next images that are done by now; they count as made. None: nothing is due yet."""
        while not self.complete:
            if self.plan.mode == "extg":
                return self._next_gated(now)
            if self._stretch is None and not self._take_pulse(now):
                return None
            if (run := self._from_stretch(now)) is not None:
                return run
            if self._stretch is not None:
                return None
        return None

    def wake(self, now: int) -> SimTime | None:
        """When to ask again."""
        if self.complete:
            return None
        if self.plan.mode == "extg":
            return self._gated_wake()
        stretch = self._stretch
        if stretch is None:
            head = self._line.head() if self.plan.mode not in SOFTWARE else None
            return None if head is None else SimTime(max(head.first_ns, self._busy_until))
        return SimTime(
            max(stretch.done_at(stretch.done), min(stretch.done_at(stretch.count - 1), now + TICK_NS))
        )

    def _next_pulses(self, now: int) -> PulseTrain | None:
        """The rest of a train whose first pulse has come; pulses that the configuration skips are passed over."""
        while (train := self._line.head()) is not None and train.first_ns <= now:
            if not self._to_skip:
                return train
            pulses = min(train.before(now + 1), self._to_skip)
            self._to_skip -= pulses
            self._line.discard_before(train.first_ns + (pulses - 1) * train.period_ns + 1)
        return None

    # Regular images

    def _expose(self, start_ns: int, exposure_ns: int, count: int) -> None:
        step = max(exposure_ns + self.plan.dead_ns, 1)
        self._begin(Stretch(start_ns, step, exposure_ns, step, count, self.plan.per_trigger))

    def _begin(self, stretch: Stretch) -> None:
        self._stretch = stretch
        if self._first_start is None:
            self._first_start = stretch.start_ns

    def _take_pulse(self, now: int) -> bool:
        """Begin with the next electrical trigger, when it has come."""
        if self.plan.mode in SOFTWARE or self._stopping:
            return False
        if self._busy_until > now:
            return False
        self.missed += self._line.discard_before(self._busy_until)
        train = self._next_pulses(now)
        if train is None:
            return False
        plan = self.plan
        exposure = (train.width_ns or plan.count_ns) if plan.mode == "exte" else plan.count_ns
        occupied = max(exposure + plan.dead_ns, 1)
        cycle = plan.delay_ns + plan.per_trigger * occupied
        pulses_per_image = -(-cycle // train.period_ns) if train.count > 1 else 1
        step = pulses_per_image * train.period_ns
        if train.count == 1 or plan.per_trigger > 1 or step >= TICK_NS:
            self._line.discard_before(train.first_ns + 1)
            self._expose(train.first_ns + plan.delay_ns, exposure, plan.per_trigger)
        else:
            images = min((train.count - 1) // pulses_per_image + 1, plan.ntrigger - self.triggers_done)
            start = train.first_ns + plan.delay_ns
            self._begin(Stretch(start, step, exposure, occupied, images, 1, pulses_per_image))
        return True

    def _from_stretch(self, now: int) -> ImageRun | None:
        stretch = self._stretch
        assert stretch is not None, "images without a trigger"
        count = stretch.due(now) - stretch.done
        run = None
        if count > 0:
            start = stretch.start_ns + stretch.done * stretch.step_ns
            run = self._run(count, start, stretch.step_ns, stretch.exposure_ns)
            stretch.done += count
            self.triggers_done += (
                stretch.done // stretch.per_trigger - (stretch.done - count) // stretch.per_trigger
            )
            if stretch.pulses_per_image:
                self._look_at_pulses(stretch, count)
        if stretch.complete:
            self._busy_until = stretch.done_at(stretch.count - 1)
            self._stretch = None
        return run

    def _look_at_pulses(self, stretch: Stretch, images: int) -> None:
        """Take the pulses of images that are done from the line; the others between them came too early."""
        last_pulse = stretch.start_ns - self.plan.delay_ns + (stretch.done - 1) * stretch.step_ns
        self.missed += self._line.discard_before(last_pulse + 1) - images

    def _run(self, count: int, start_ns: int, step_ns: int, exposure_ns: int) -> ImageRun:
        if self._first_start is None:
            self._first_start = start_ns
        run = ImageRun(
            first=self.images_done,
            count=count,
            start_ns=start_ns - self._first_start,
            period_ns=step_ns,
            exposure_ns=exposure_ns,
            series_date_unix_ns=self._epoch_unix_ns + self._first_start,
        )
        self.images_done += count
        return run

    # Gated images

    def _next_gated(self, now: int) -> ImageRun | None:
        if self._odd is not None:
            return self._odd_image(*self._odd)
        if self._busy_until > now:
            return None
        self.missed += self._line.discard_before(self._busy_until)
        while self._gates < self.plan.nexpi:
            train = self._next_pulses(now)
            if train is None:
                return None
            self._count_gates(train, min(train.before(now + 1), self.plan.nexpi - self._gates))
        end = self._gate_last.first_ns + self._width(self._gate_last)
        if end > now:
            return None
        return self._gated_image(end)

    def _count_gates(self, train: PulseTrain, gates: int) -> None:
        if self._gates == 0:
            self._gate_first = train
        self._gates += gates
        self._gate_last = train.without(gates - 1)
        self._line.discard_before(self._gate_last.first_ns + 1)

    def _gated_image(self, end_ns: int) -> ImageRun:
        open_ns = self._gates * self._width(self._gate_last)
        start = self._gate_first.first_ns
        self._gates = 0
        self._busy_until = end_ns + GATE_READOUT_NS
        run = self._run(1, start, max(end_ns - start, 1), open_ns)
        if self.plan.double and self.images_done < self.plan.expected:
            # The second counter counts while the line is low.
            self._odd = (start, max(end_ns - start - open_ns, 0))
        else:
            self.triggers_done += 1
        return run

    def _odd_image(self, start_ns: int, exposure_ns: int) -> ImageRun:
        self._odd = None
        self.triggers_done += 1
        return self._run(1, start_ns, max(exposure_ns, 1), exposure_ns)

    def _width(self, train: PulseTrain) -> int:
        return train.width_ns or self.plan.count_ns

    def _gated_wake(self) -> SimTime | None:
        if self._gates >= self.plan.nexpi:
            return SimTime(self._gate_last.first_ns + self._width(self._gate_last))
        head = self._line.head()
        if head is None:
            return None
        enough = min(head.count, self.plan.nexpi - self._gates)
        return SimTime(max(head.without(enough - 1).first_ns, self._busy_until))
