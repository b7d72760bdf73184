"""The control unit: commands and configuration in, states and runs of images out, all in simulated time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from heapq import heappop, heappush
from itertools import count
from typing import Any, Final

from numpy.typing import NDArray

from sim.dectris.api.ports import Resolve
from sim.dectris.refusal import Refused
from sim.dectris.sinks import ArmedSeries
from sim.dectris.unit import states
from sim.dectris.unit.delivery import Delivery
from sim.dectris.unit.pulses import PulseLine
from sim.dectris.unit.running import Running
from sim.dectris.unit.series import Plan, planned, unique_id
from sim.dectris.unit.states import Command, Event, Machine, State
from sim.dectris.unit.surroundings import Behaviour, Configuration, Pictures, Render
from sim.dectris.unit.voltage import HighVoltage
from sim.kernel import NS_PER_S, FaultBoard, SimTime

_PROBLEMS: Final = 100


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
        self._faults, self._forget = faults, forget
        self._machine = Machine(State.IDLE if behaviour.starts_idle else State.NA)
        self._running = Running(self._machine, delivery, line, faults, self._tell)
        self._problems: deque[tuple[int, str]] = deque(maxlen=_PROBLEMS)
        self.unique_id = ""
        self._voltage = HighVoltage(on=behaviour.starts_idle)
        self._now = SimTime(0)
        self._requests: list[Callable[[], None]] = []
        self._agenda: list[tuple[SimTime, int, Callable[[], None]]] = []
        self._order = count()
        self._last_number = 0

    # The clock's side

    def submit(self, request: Callable[[], None]) -> None:
        """Queue a request; it runs at the next advance."""
        self._requests.append(request)

    @property
    def waits_for_room(self) -> bool:
        """Whether images are held back because a lossless way out is full."""
        return self._running.waits_for_room

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
            self._running.follow(at)
            self._now = max(self._now, at)
            action()
        self._now = max(self._now, now)
        self._running.follow(now)

    def _wake(self) -> SimTime | None:
        moments = [self._agenda[0][0] if self._agenda else None, self._running.wake(self._now)]
        return min((moment for moment in moments if moment is not None), default=None)

    def _at(self, when: int, action: Callable[[], None]) -> None:
        heappush(self._agenda, (SimTime(when), next(self._order), action))

    # Requests

    @property
    def state(self) -> State:
        """As the status key tells it."""
        return self._machine.state

    @property
    def high_voltage(self) -> str:
        """NA, OFF, RAMPING or READY."""
        return "NA" if self.state is State.NA else self._voltage.state

    @property
    def missed_triggers(self) -> int:
        """Electrical triggers of the present series that came while an image was exposed."""
        return self._running.missed

    @property
    def all_missed_triggers(self) -> int:
        """Electrical triggers that came too early, in all series."""
        return self._running.all_missed

    @property
    def ignored_triggers(self) -> int:
        """Electrical triggers while no series was armed for them."""
        return self._running.ignored_triggers

    @property
    def problems(self) -> Sequence[tuple[int, str]]:
        """When (simulated ns) something was amiss, and a sentence; the newest hundred."""
        return tuple(self._problems)

    def _tell(self, sentence: str) -> None:
        self._problems.append((self._now, f"series {self._last_number}: {sentence}"))

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
            wanted = states.command_named(command)
            states.check_allowed(wanted, self.state)
            self._check_argument(wanted, argument)
            self._carry_out(wanted, argument, resolve)
        except Refused as refused:
            resolve(refused)

    def _check_argument(self, command: Command, argument: object) -> None:
        takes = command in (Command.HV_RESET, Command.HV_ENABLED)
        plan = self._running.plan
        takes |= command is Command.TRIGGER and plan is not None and plan.mode == "inte"
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
            self._machine.enter(Event.CONNECTION_CHECKED)
            resolve({"value": ["up", "up"], "value_type": "string[]"})
        elif command is Command.HV_RESET:
            self._reset_voltage(argument, resolve)
        elif command is Command.HV_ENABLED:
            self._voltage.command(argument)
            resolve({})
        else:
            self._stop(command)
            resolve({"sequence id": self._last_number})

    # Commands

    def _initialize(self, resolve: Resolve) -> None:
        self._running.finish()
        self._machine.enter(Event.INITIALIZE_BEGINS)

        def done() -> None:
            if self.state is not State.INITIALIZE:
                resolve(Refused(503, "the control unit was restarted"))
                return
            self._forget_all()
            self._voltage.switch(on=True)
            self._machine.enter(Event.INITIALIZED)
            resolve({})

        self._at(self._now + self._behaviour.initialize_ns, done)

    def _forget_all(self) -> None:
        self._config.reset()
        self._last_number = 0
        self.unique_id = ""

    def restart(self, resolve: Resolve) -> None:
        """As after a restart of the service: the series ends, everything is forgotten, state na."""
        self._forget()
        self._running.finish(dropping=True)
        self._forget_all()
        self._voltage.switch(on=False)
        self._machine.enter(Event.RESTARTED)
        resolve({})

    def _fail(self) -> None:
        self._running.finish(dropping=True)
        self._machine.enter(Event.FAILED)

    def _reset_voltage(self, argument: object, resolve: Resolve) -> None:
        if not self._behaviour.has_high_voltage:
            raise Refused(400, "command hv_reset is for sensors that have a high voltage")
        seconds, done = self._voltage.ramp(argument)
        self._at(self._now + round(seconds * NS_PER_S), done)
        resolve({})

    def _arm(self, resolve: Resolve) -> None:
        plan = planned(self._config.values)
        self._running.finish()
        self._last_number += 1
        number, unix_ns = self._last_number, self._behaviour.epoch_unix_ns + self._now
        exposures = self._running.prepare(plan, self._behaviour.epoch_unix_ns)
        self.unique_id = unique_id(self._behaviour.seed, self._behaviour.serial, number, unix_ns)
        self._config.note("data_collection_date", iso_time(unix_ns))

        def done(pictures: Pictures | Refused) -> None:
            if self._running.exposures is not exposures:
                resolve({"sequence id": number})
            elif isinstance(pictures, Refused):
                self._running.finish()
                resolve(pictures)
            else:
                self._running.announce(self._series(number, unix_ns, plan, pictures), self._now)
                resolve({"sequence id": number})

        earliest = self._now + self._behaviour.arm_ns
        try:
            self._render(lambda made: self._at(max(self._now, earliest), lambda: done(made)))
        except Refused:
            self._running.finish()
            raise

    def _series(self, number: int, unix_ns: int, plan: Plan, pictures: Pictures) -> ArmedSeries:
        return ArmedSeries(
            number=number,
            unique_id=self.unique_id,
            armed_unix_ns=unix_ns,
            nimages=plan.nimages,
            ntrigger=plan.ntrigger,
            trigger_mode=plan.mode,
            expected=plan.expected,
            ring=pictures.ring,
            config=dict(self._config.values),
            pixel_mask=pictures.pixel_mask,
            flatfield=pictures.flatfield,
            countrate_table=pictures.countrate_table,
        )

    def _trigger(self, argument: object, resolve: Resolve) -> None:
        exposure_ns = None
        if argument is not None:
            if (
                isinstance(argument, bool)
                or not isinstance(argument, int | float)
                or not 0 < argument <= 3600
            ):
                raise Refused(400, f"a trigger's count_time must lie in 0..3600 s, not {argument!r}")
            exposure_ns = round(argument * NS_PER_S)
        self._running.trigger(self._now, exposure_ns, resolve)

    def _stop(self, command: Command) -> None:
        if command is Command.CANCEL:
            self._running.cancel(self._now)
        else:
            self._running.finish(dropping=command is Command.ABORT)


def iso_time(unix_ns: int) -> str:
    """ISO 8601 with milliseconds and offset, as the reference's examples have it."""
    return datetime.fromtimestamp(unix_ns / NS_PER_S, UTC).isoformat(timespec="milliseconds")
