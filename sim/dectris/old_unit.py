"""The control unit: commands and configuration in, states and messages out, all in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeAlias

from sim.dectris import couplings
from sim.dectris.delivery import Delivery
from sim.dectris.keys import Registry
from sim.dectris.old_series import SOFTWARE, Series, planned, unique_id
from sim.dectris.refusal import Refused
from sim.dectris.unit import states
from sim.dectris.unit.states import Command, Event, State
from sim.kernel import NS_PER_S, FaultBoard, SimTime

Answer: TypeAlias = Refused | dict[str, Any] | list[str]
"""What a request gets: JSON, or a refusal."""
Resolve: TypeAlias = Callable[[Answer], None]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How this unit behaves, from its table."""

    seed: int
    serial: str
    epoch_unix_ns: int
    starts_idle: bool
    initialize_ns: int
    arm_ns: int
    electrical_delay_ns: int
    """External trigger modes: from arm to the first electrical trigger."""
    electrical_period_ns: int


class ControlUnit:
    """A device of the kernel. Requests are queued with `submit` and answered in `advance`."""

    def __init__(
        self, behaviour: Behaviour, config: Registry, delivery: Delivery, faults: FaultBoard
    ) -> None:
        self._behaviour, self._delivery, self._faults = behaviour, delivery, faults
        self.config = config
        self.state = State.IDLE if behaviour.starts_idle else State.NA
        self.unique_id = ""
        self._now = SimTime(0)
        self._requests: list[Callable[[], None]] = []
        self._agenda: list[tuple[SimTime, int, Callable[[], None]]] = []
        self._order = count()
        self._stalled: Callable[[], None] | None = None
        self._series: Series | None = None
        self._last_number = 0
        self._trigger_waits: Resolve | None = None

    def submit(self, request: Callable[[], None]) -> None:
        """Queue a request; it runs at the next advance."""
        self._requests.append(request)

    @property
    def waits_for_room(self) -> bool:
        """Whether an image is held back because the outbox is full."""
        return self._stalled is not None

    def advance(self, now: SimTime) -> SimTime | None:
        """Run what is due, then the requests, then what they made due."""
        self._run_due(now)
        self._now = now
        requests, self._requests = self._requests, []
        for request in requests:
            request()
            self._run_due(now)
        return self._agenda[0][0] if self._agenda else None

    def _run_due(self, now: SimTime) -> None:
        if self._stalled is not None:
            action, self._stalled = self._stalled, None
            action()
        while self._agenda and self._agenda[0][0] <= now:
            at, _, action = heappop(self._agenda)
            self._now = max(self._now, at)
            action()

    def _at(self, when: int, action: Callable[[], None]) -> None:
        heappush(self._agenda, (SimTime(when), next(self._order), action))

    def _enter(self, event: Event) -> None:
        self.state = states.after(self.state, event)

    # Requests

    def answer_later(self, delay_s: float, resolve: Resolve) -> None:
        """Answer nothing of interest after a delay in simulated time."""
        self._at(self._now + round(delay_s * NS_PER_S), lambda: resolve({}))

    def configure(self, name: str, value: object, resolve: Resolve) -> None:
        """Write one detector key, with its couplings; answers the changed keys."""
        try:
            self.config.key(name)
            states.check_configurable(self.state, name)
            checked = self.config.check(name, value)
            new = couplings.consequences(name, checked, self.config.values())
            # A consequence may leave the limits of its own key, e.g. an energy whose threshold is too low.
            for key in new:
                if self.config.key(key).access != "r":
                    self.config.check(key, new[key])
        except Refused as refused:
            resolve(refused)
            return
        self.config.update(new)
        resolve(couplings.changed_keys(name))

    def configure_stream(self, config: Registry, name: str, value: object, resolve: Resolve) -> None:
        """Write one stream key, allowed in every state; held messages may go out."""
        try:
            config.update({name: config.check(name, value)})
        except Refused as refused:
            resolve(refused)
            return
        self._delivery.release()
        resolve([name])

    def command(self, command: Command, argument: object, resolve: Resolve) -> None:
        """Carry out a command. Trigger answers when its images are done, the others at once or after their time."""
        try:
            states.check_allowed(command, self.state)
            if argument is not None and not (command is Command.TRIGGER and self._mode == "inte"):
                raise Refused(400, f"command {command} takes no value here")
            if command is Command.INITIALIZE:
                self._initialize(resolve)
            elif command is Command.ARM:
                self._arm(resolve)
            elif command is Command.TRIGGER:
                self._trigger(argument, resolve)
            elif command is Command.STATUS_UPDATE:
                resolve({})
            else:
                self._stop(command)
                resolve({"sequence id": self._last_number})
        except Refused as refused:
            resolve(refused)

    @property
    def _mode(self) -> str | None:
        return self._series.mode if self._series is not None else None

    # Commands

    def _initialize(self, resolve: Resolve) -> None:
        if self._series is not None:
            self._finish()
        self._enter(Event.INITIALIZE_BEGINS)

        def done() -> None:
            self.config.reset()
            self._last_number = 0
            self.unique_id = ""
            self._enter(Event.INITIALIZED)
            resolve({})

        self._at(self._now + self._behaviour.initialize_ns, done)

    def _arm(self, resolve: Resolve) -> None:
        series = planned(self._last_number + 1, self.config)
        if self._series is not None:
            self._finish()
        self._last_number = series.number
        self._series = series
        self._enter(Event.ARM_BEGINS)
        unix_ns = self._behaviour.epoch_unix_ns + self._now
        self.unique_id = unique_id(self._behaviour.seed, self._behaviour.serial, series.number, unix_ns)
        self.config.update({"data_collection_date": iso_time(unix_ns)})

        def armed() -> None:
            if self._series is series:
                self._enter(Event.ARMED)
                series.announced = True
                self._delivery.begin(series.number, dict(self.config.values()))
                if series.mode not in SOFTWARE:
                    self._expect_electrical(series, self._now + self._behaviour.electrical_delay_ns)
            resolve({"sequence id": series.number})

        self._at(self._now + self._behaviour.arm_ns, armed)

    def _trigger(self, argument: object, resolve: Resolve) -> None:
        series = self._series
        assert series is not None, "ready without a series"
        if series.mode not in SOFTWARE:
            raise Refused(409, f"in trigger_mode {series.mode} triggers come by cable, not by command")
        exposure_ns = None
        if argument is not None:
            exposure_s = self.config.check("count_time", argument)
            assert isinstance(exposure_s, float)
            exposure_ns = round(exposure_s * NS_PER_S)
        self._trigger_waits = resolve
        self._begin_trigger(series, exposure_ns)

    def _stop(self, command: Command) -> None:
        if self._series is None:
            return
        if command is Command.CANCEL and self.state is State.ACQUIRE:
            self._series.cancelled = True
            return
        if command is Command.ABORT:
            self._delivery.discard_images()
        self._finish()

    # The series

    def _expect_electrical(self, series: Series, at: int) -> None:
        def pulse() -> None:
            if self._series is series and self.state is State.READY:
                self._begin_trigger(series, None)

        self._at(at, pulse)

    def _begin_trigger(self, series: Series, exposure_ns: int | None) -> None:
        self._enter(Event.TRIGGERED)
        series.begin_trigger(self._now, exposure_ns)
        self._at(series.next_end, lambda: self._image_due(series))

    def _image_due(self, series: Series) -> None:
        if self._series is not series:
            return
        if self._delivery.outbox.holds_back:
            self._stalled = lambda: self._image_due(series)
            return
        if self._faults.strike("early_end"):
            self._finish()
            return
        self._delivery.image(series.number, series.images_done, series.compression, series.next_times)
        series.image_done()
        if series.complete:
            self._finish()
        elif series.trigger_complete:
            self._trigger_done(series)
        else:
            self._at(series.next_end, lambda: self._image_due(series))

    def _trigger_done(self, series: Series) -> None:
        self._enter(Event.TRIGGER_DONE)
        self._answer_trigger()
        if series.mode not in SOFTWARE:
            due = series.trigger_start - series.delay_ns + self._behaviour.electrical_period_ns
            self._expect_electrical(series, max(due, self._now))

    def _finish(self) -> None:
        """End the series: the end message, state idle, the waiting trigger answered."""
        series, self._series = self._series, None
        assert series is not None, "no series to finish"
        self._stalled = None
        self._enter(Event.SERIES_DONE)
        delay_ns = self._delivery.end_delay_ns() if series.announced else None
        if delay_ns == 0:
            self._delivery.end(series.number)
        elif delay_ns is not None:
            self._at(self._now + delay_ns, lambda: self._delivery.end(series.number))
        self._answer_trigger()

    def _answer_trigger(self) -> None:
        if self._trigger_waits is not None:
            resolve, self._trigger_waits = self._trigger_waits, None
            resolve({})

    @property
    def stream_state(self) -> str:
        """Value of the stream's status key `state`."""
        if not self._delivery.enabled:
            return "disabled"
        return "acquire" if self._series is not None else "ready"


def iso_time(unix_ns: int) -> str:
    """ISO 8601 with milliseconds and offset, as the reference's examples have it."""
    return datetime.fromtimestamp(unix_ns / NS_PER_S, UTC).isoformat(timespec="milliseconds")
