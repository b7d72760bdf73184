"""The series that is armed: its exposures followed, its images delivered, its waiting trigger answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.dectris.refusal import Refused
from sim.dectris.sinks import ArmedSeries
from sim.dectris.unit.delivery import Delivery
from sim.dectris.unit.exposures import Exposures
from sim.dectris.unit.pulses import PulseLine
from sim.dectris.unit.series import SOFTWARE, Plan
from sim.dectris.unit.states import Event, Machine, State
from sim.kernel import FaultBoard, SimTime


class Running:
    """One armed series at a time, or none. Moves the unit's state with it."""

    def __init__(
        self,
        machine: Machine,
        delivery: Delivery,
        line: PulseLine,
        faults: FaultBoard,
        tell: Callable[[str], None],
    ) -> None:
        """*tell* gets a sentence on a series in which something was amiss."""
        self._machine, self._delivery, self._line, self._faults = machine, delivery, line, faults
        self._tell = tell
        self._exposures: Exposures | None = None
        self._announced = False
        self._answer: Callable[[dict[str, Any]], None] | None = None
        self._missed_before = 0
        self.ignored_triggers = 0
        """Electrical triggers while no series was armed for them."""

    @property
    def exposures(self) -> Exposures | None:
        """Those of the series that is armed or being armed."""
        return self._exposures

    @property
    def plan(self) -> Plan | None:
        """What the series will do."""
        return None if self._exposures is None else self._exposures.plan

    @property
    def waits_for_room(self) -> bool:
        """Whether images are held back because a lossless way out is full."""
        return self._delivery.waits

    @property
    def missed(self) -> int:
        """Electrical triggers of the present series that came while an image was exposed."""
        return 0 if self._exposures is None else self._exposures.missed

    @property
    def all_missed(self) -> int:
        """The same of all series."""
        return self._missed_before + self.missed

    def prepare(self, plan: Plan, epoch_unix_ns: int) -> Exposures:
        """A series is being armed."""
        self._exposures, self._announced = Exposures(plan, self._line, epoch_unix_ns), False
        self._machine.enter(Event.ARM_BEGINS)
        return self._exposures

    def announce(self, series: ArmedSeries, now: int) -> None:
        """The series is armed: everybody learns of it, and triggers count from here on."""
        assert self._exposures is not None, "announced before it was prepared"
        self._machine.enter(Event.ARMED)
        self._announced = True
        self._delivery.begin(series)
        plan = self._exposures.plan
        if plan.mode not in SOFTWARE:
            self.ignored_triggers += self._line.discard_before(now)
            self._line.begin(series.number, now, plan.cycle_ns)

    def trigger(self, now: int, exposure_ns: int | None, answer: Callable[[dict[str, Any]], None]) -> None:
        """A software trigger; answered when its images are delivered. Raises Refused in electrical modes."""
        exposures = self._exposures
        assert exposures is not None, "ready without a series"
        mode = exposures.plan.mode
        if mode not in SOFTWARE:
            raise Refused(409, f"in trigger_mode {mode} triggers come by cable, not by command")
        self._answer = answer
        exposures.trigger(now, exposure_ns)
        self._machine.enter(Event.TRIGGERED)

    def cancel(self, now: int) -> None:
        """No image begins any more; the series ends with the one under way."""
        if self._exposures is None or not self._announced:
            self.finish()
            return
        self._exposures.stop_after_current(now)
        self._settle(self._exposures)

    def follow(self, now: int) -> None:
        """Deliver the images that are done by now, until a way out is full or nothing more is due."""
        exposures = self._exposures
        if exposures is None or not self._announced:
            return
        if self._delivery.waits and not self._delivery.resume():
            return
        while (run := exposures.next_run(now)) is not None:
            if self._faults.strike("early_end") is not None:
                self.finish()
                return
            self._show(exposures)
            if not self._delivery.offer(run):
                return
        self._settle(exposures)

    def wake(self, now: int) -> SimTime | None:
        """When to follow again; None while a way out is full, which then says so itself."""
        if self._exposures is None or not self._announced or self._delivery.waits:
            return None
        return self._exposures.wake(now)

    def finish(self, *, dropping: bool = False) -> None:
        """End the series, if there is one: the end message, state idle, the waiting trigger answered."""
        exposures, self._exposures = self._exposures, None
        if exposures is None:
            return
        self._missed_before += exposures.missed
        if exposures.missed:
            self._tell(f"{exposures.missed} electrical triggers came while an image was exposed")
        self._machine.enter(Event.SERIES_DONE)
        if dropping:
            self._delivery.abort()
        else:
            self._delivery.end()
        self._answer_trigger()

    def _settle(self, exposures: Exposures) -> None:
        """Bring the state to where the exposures are, once everything is delivered."""
        if self._delivery.waits:
            return
        if exposures.complete and exposures.ends_by_itself:
            self.finish()
            return
        self._show(exposures)
        if not exposures.exposing and self._machine.state is State.ACQUIRE:
            self._machine.enter(Event.TRIGGER_DONE)
            self._answer_trigger()

    def _show(self, exposures: Exposures) -> None:
        if exposures.exposing and self._machine.state is State.READY:
            self._machine.enter(Event.TRIGGERED)

    def _answer_trigger(self) -> None:
        if self._answer is not None:
            answer, self._answer = self._answer, None
            answer({})
