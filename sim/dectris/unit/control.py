"""The control unit: commands and configuration in, states and runs of images out, all in simulated time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sim.dectris.images.frames import Ring
from sim.dectris.keys import Value
from sim.dectris.refusal import Refused, unknown
from sim.dectris.sinks import ArmedSeries
from sim.dectris.unit import states
from sim.dectris.unit.delivery import Delivery
from sim.dectris.unit.exposures import Exposures
from sim.dectris.unit.pulses import PulseLine
from sim.dectris.unit.series import SOFTWARE, planned, unique_id
from sim.dectris.unit.states import Command, Event, State
from sim.dectris.unit.voltage import HighVoltage
from sim.kernel import NS_PER_S, FaultBoard, SimTime

Answer: TypeAlias = Refused | dict[str, Any] | list[str]
"""What a request gets: JSON, or a refusal."""
Resolve: TypeAlias = Callable[[Answer], None]
_HV_RESET_S: Final = 30.0
"""How long `hv_reset` takes when it is told no time (SIMPLON API reference 1.8)."""


class Configuration(Protocol):
    """The detector's configuration, as the unit uses it."""

    def values(self) -> Mapping[str, Value]:
        """Present values by key; arrays are not among them."""
        ...

    def write(self, name: str, value: object) -> list[str]:
        """Set a key and what follows from it; returns the changed keys. Raises Refused."""
        ...

    def write_array(self, name: str, array: NDArray[Any] | None) -> list[str]:
        """Set a flat field or mask, or restore the factory's; returns the changed keys. Raises Refused."""
        ...

    def note(self, name: str, value: Value) -> None:
        """Set a key that only the unit itself writes."""
        ...

    def reset(self) -> None:
        """Back to the defaults."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What the images of a series will be, by the configuration at its arm."""

    ring: Ring
    pixel_mask: tuple[NDArray[np.uint32], ...]
    flatfield: tuple[NDArray[np.float32], ...]
    countrate_table: NDArray[np.float32]


Rendered: TypeAlias = Callable[[Pictures | Refused], None]
Render: TypeAlias = Callable[[Rendered], None]
"""Makes the pictures for the present configuration, and hands them over: at once, or later inside an advance.
Raises Refused when the configuration has none."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How this unit behaves, from its table."""

    seed: int
    serial: str
    epoch_unix_ns: int
    starts_idle: bool
    initialize_ns: int
    arm_ns: int
    has_high_voltage: bool = False
    """A CdTe sensor's bias voltage can be reset."""


@dataclass(slots=True)
class _Armed:
    """The series that is armed or being armed."""

    number: int
    exposures: Exposures
    announced: bool = False
    """Whether the sinks know of it."""


class ControlUnit:
    """A device of the kernel, and the DetectorPort of the REST interface.

    Requests are queued with `submit` and answered in `advance`.
    """

    def __init__(
        self,
        behaviour: Behaviour,
        config: Configuration,
        render: Render,
        delivery: Delivery,
        line: PulseLine,
        faults: FaultBoard,
        *,
        forget: Callable[[], None] = lambda: None,
    ) -> None:
        """*forget* resets the other modules at a restart, before the series ends: no end message goes out."""
        self._behaviour, self._config, self._render = behaviour, config, render
        self._delivery, self._line, self._faults, self._forget = delivery, line, faults, forget
        self.state = State.IDLE if behaviour.starts_idle else State.NA
        self.unique_id = ""
        self.ignored_triggers = 0
        """Electrical triggers while no series was armed for them."""
        self._missed_total = 0
        self._voltage = HighVoltage(on=behaviour.starts_idle)
        self._now = SimTime(0)
        self._requests: list[Callable[[], None]] = []
        self._agenda: list[tuple[SimTime, int, Callable[[], None]]] = []
        self._order = count()
        self._armed: _Armed | None = None
        self._last_number = 0
        self._trigger_waits: Resolve | None = None

    # The clock's side

    def submit(self, request: Callable[[], None]) -> None:
        """Queue a request; it runs at the next advance."""
        self._requests.append(request)

    @property
    def waits_for_room(self) -> bool:
        """Whether images are held back because a lossless way out is full."""
        return self._delivery.waits

    def advance(self, now: SimTime) -> SimTime | None:
        """Run what is due, then the requests, then what they made due."""
        self._run_due(now)
        self._now = now
        if self._faults.strike("detector_error") is not None:
            self._fail()
        if self._faults.strike("restart") is not None:
            self.restart(lambda _: None)
        requests, self._requests = self._requests, []
        for request in requests:
            request()
            self._run_due(now)
        return self._wake()

    def _run_due(self, now: SimTime) -> None:
        while self._agenda and self._agenda[0][0] <= now:
            at, _, action = heappop(self._agenda)
            self._follow_images(at)
            self._now = max(self._now, at)
            action()
        self._follow_images(now)

    def _wake(self) -> SimTime | None:
        moments = [self._agenda[0][0]] if self._agenda else []
        armed = self._armed
        if armed is not None and armed.announced and not self._delivery.waits:
            wake = armed.exposures.wake(self._now)
            moments += [] if wake is None else [wake]
        return min(moments, default=None)

    def _at(self, when: int, action: Callable[[], None]) -> None:
        heappush(self._agenda, (SimTime(when), next(self._order), action))

    def _enter(self, event: Event) -> None:
        self.state = states.after(self.state, event)

    # Requests

    @property
    def high_voltage(self) -> str:
        """NA, OFF, RAMPING or READY."""
        return "NA" if self.state is State.NA else self._voltage.state

    @property
    def missed_triggers(self) -> int:
        """Electrical triggers of the present series that came while an image was exposed."""
        return self._armed.exposures.missed if self._armed is not None else 0

    @property
    def all_missed_triggers(self) -> int:
        """Electrical triggers that came too early, in all series."""
        return self._missed_total + self.missed_triggers

    @property
    def series(self) -> int:
        """The newest series' number; 0 before the first."""
        return self._last_number

    def answer_later(self, delay_s: float, resolve: Resolve) -> None:
        """Answer nothing of interest after a delay in simulated time."""
        self._at(self._now + round(delay_s * NS_PER_S), lambda: resolve({}))

    def configure(self, name: str, value: object, resolve: Resolve) -> None:
        """Write one detector key, with its couplings; answers the changed keys."""
        self._change(name, lambda: self._config.write(name, value), resolve)

    def configure_array(self, name: str, array: NDArray[Any] | None, resolve: Resolve) -> None:
        """Write one flat field or pixel mask, or restore the factory's; answers the changed keys."""
        self._change(name, lambda: self._config.write_array(name, array), resolve)

    def _change(self, name: str, write: Callable[[], list[str]], resolve: Resolve) -> None:
        try:
            states.check_configurable(self.state, name)
            changed = write()
        except Refused as refused:
            resolve(refused)
            return
        resolve(changed)

    def command(self, command: str, argument: object, resolve: Resolve) -> None:
        """Carry out a command. Trigger answers when its images are done, the others at once or after their time."""
        try:
            wanted = _known(command)
            states.check_allowed(wanted, self.state)
            self._check_argument(wanted, argument)
            self._carry_out(wanted, argument, resolve)
        except Refused as refused:
            resolve(refused)

    def _check_argument(self, command: Command, argument: object) -> None:
        takes = command in (Command.HV_RESET, Command.HV_ENABLED)
        takes |= command is Command.TRIGGER and self._mode == "inte"
        if argument is not None and not takes:
            raise Refused(400, f"command {command} takes no value here")

    def _carry_out(self, command: Command, argument: object, resolve: Resolve) -> None:
        if command is Command.INITIALIZE:
            self._initialize(resolve)
        elif command is Command.ARM:
            self._arm(resolve)
        elif command is Command.TRIGGER:
            self._trigger(argument, resolve)
        elif command in (Command.STATUS_UPDATE, Command.WAIT):
            resolve({})
        elif command is Command.CHECK_CONNECTION:
            self._enter(Event.CONNECTION_CHECKED)
            resolve({"value": ["up", "up"], "value_type": "string[]"})
        elif command is Command.HV_RESET:
            self._reset_voltage(argument, resolve)
        elif command is Command.HV_ENABLED:
            self._switch_voltage(argument, resolve)
        else:
            self._stop(command)
            resolve({"sequence id": self._last_number})

    @property
    def _mode(self) -> str | None:
        return self._armed.exposures.plan.mode if self._armed is not None else None

    # Commands

    def _initialize(self, resolve: Resolve) -> None:
        self._finish()
        self._enter(Event.INITIALIZE_BEGINS)

        def done() -> None:
            if self.state is not State.INITIALIZE:
                resolve(Refused(503, "the control unit was restarted"))
                return
            self._forget_all()
            self._voltage.switch(on=True)
            self._enter(Event.INITIALIZED)
            resolve({})

        self._at(self._now + self._behaviour.initialize_ns, done)

    def _forget_all(self) -> None:
        self._config.reset()
        self._last_number = 0
        self.unique_id = ""

    def restart(self, resolve: Resolve) -> None:
        """As after a restart of the service: the series ends, everything is forgotten, state na."""
        self._forget()
        self._finish(dropping=True)
        self._forget_all()
        self._voltage.switch(on=False)
        self._enter(Event.RESTARTED)
        resolve({})

    def _fail(self) -> None:
        self._finish(dropping=True)
        self._enter(Event.FAILED)

    def _reset_voltage(self, argument: object, resolve: Resolve) -> None:
        if not self._behaviour.has_high_voltage:
            raise Refused(400, "command hv_reset is for CdTe sensors")
        seconds = _HV_RESET_S if argument is None else argument
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= 600:
            raise Refused(400, f"hv_reset must be told 1..600 seconds, not {argument!r}")
        done = self._voltage.ramp()
        self._at(self._now + round(seconds * NS_PER_S), done)
        resolve({})

    def _switch_voltage(self, argument: object, resolve: Resolve) -> None:
        if not isinstance(argument, bool):
            raise Refused(400, f"hv_enabled must be told true or false, not {argument!r}")
        self._voltage.switch(on=argument)
        resolve({})

    def _arm(self, resolve: Resolve) -> None:
        plan = planned(self._config.values())
        if self._armed is not None:
            self._finish()
        self._last_number += 1
        unix_ns = self._behaviour.epoch_unix_ns + self._now
        exposures = Exposures(plan, self._line, self._behaviour.epoch_unix_ns)
        armed = self._armed = _Armed(self._last_number, exposures)
        self._enter(Event.ARM_BEGINS)
        self.unique_id = unique_id(self._behaviour.seed, self._behaviour.serial, armed.number, unix_ns)
        self._config.note("data_collection_date", iso_time(unix_ns))

        def done(pictures: Pictures | Refused) -> None:
            if self._armed is not armed:
                resolve({"sequence id": armed.number})
            elif isinstance(pictures, Refused):
                self._finish()
                resolve(pictures)
            else:
                self._announce(armed, unix_ns, pictures)
                resolve({"sequence id": armed.number})

        earliest = self._now + self._behaviour.arm_ns
        try:
            self._render(lambda made: self._at(max(self._now, earliest), lambda: done(made)))
        except Refused:
            self._finish()
            raise

    def _announce(self, armed: _Armed, unix_ns: int, pictures: Pictures) -> None:
        plan = armed.exposures.plan
        self._enter(Event.ARMED)
        armed.announced = True
        self._delivery.begin(
            ArmedSeries(
                number=armed.number,
                unique_id=self.unique_id,
                armed_unix_ns=unix_ns,
                nimages=plan.nimages,
                ntrigger=plan.ntrigger,
                trigger_mode=plan.mode,
                expected=plan.expected,
                ring=pictures.ring,
                config=dict(self._config.values()),
                pixel_mask=pictures.pixel_mask,
                flatfield=pictures.flatfield,
                countrate_table=pictures.countrate_table,
            )
        )
        if plan.mode not in SOFTWARE:
            self.ignored_triggers += self._line.discard_before(self._now)
            self._line.begin(armed.number, self._now, plan.cycle_ns)

    def _trigger(self, argument: object, resolve: Resolve) -> None:
        armed = self._armed
        assert armed is not None, "ready without a series"
        if armed.exposures.plan.mode not in SOFTWARE:
            mode = armed.exposures.plan.mode
            raise Refused(409, f"in trigger_mode {mode} triggers come by cable, not by command")
        exposure_ns = None
        if argument is not None:
            if (
                isinstance(argument, bool)
                or not isinstance(argument, int | float)
                or not 0 < argument <= 3600
            ):
                raise Refused(400, f"a trigger's count_time must lie in 0..3600 s, not {argument!r}")
            exposure_ns = round(argument * NS_PER_S)
        self._trigger_waits = resolve
        armed.exposures.trigger(self._now, exposure_ns)
        self._enter(Event.TRIGGERED)

    def _stop(self, command: Command) -> None:
        armed = self._armed
        if armed is None:
            return
        if command is Command.CANCEL and armed.announced:
            armed.exposures.stop_after_current(self._now)
            self._settle(armed)
        else:
            self._finish(dropping=command is Command.ABORT)

    # The series

    def _follow_images(self, now: SimTime) -> None:
        """Deliver the images that are done by now, until a way out is full or nothing more is due."""
        armed = self._armed
        if armed is None or not armed.announced:
            return
        if self._delivery.waits and not self._delivery.resume():
            return
        while (run := armed.exposures.next_run(now)) is not None:
            if self._faults.strike("early_end") is not None:
                self._finish()
                return
            self._show(armed)
            if not self._delivery.offer(run):
                return
        self._settle(armed)

    def _settle(self, armed: _Armed) -> None:
        """Bring the state to where the exposures are, once everything is delivered."""
        if self._delivery.waits:
            return
        if armed.exposures.complete and armed.exposures.ends_by_itself:
            self._finish()
            return
        self._show(armed)
        if not armed.exposures.exposing and self.state is State.ACQUIRE:
            self._enter(Event.TRIGGER_DONE)
            self._answer_trigger()

    def _show(self, armed: _Armed) -> None:
        if armed.exposures.exposing and self.state is State.READY:
            self._enter(Event.TRIGGERED)

    def _finish(self, *, dropping: bool = False) -> None:
        """End the series, if there is one: the end message, state idle, the waiting trigger answered."""
        armed, self._armed = self._armed, None
        if armed is None:
            return
        self._missed_total += armed.exposures.missed
        self._enter(Event.SERIES_DONE)
        if dropping:
            self._delivery.abort()
        else:
            self._delivery.end()
        self._answer_trigger()

    def _answer_trigger(self) -> None:
        if self._trigger_waits is not None:
            resolve, self._trigger_waits = self._trigger_waits, None
            resolve({})


def _known(command: str) -> Command:
    try:
        return Command(command)
    except ValueError:
        raise unknown(command) from None


def iso_time(unix_ns: int) -> str:
    """ISO 8601 with milliseconds and offset, as the reference's examples have it."""
    return datetime.fromtimestamp(unix_ns / NS_PER_S, UTC).isoformat(timespec="milliseconds")
