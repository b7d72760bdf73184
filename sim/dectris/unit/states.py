"""The states of a control unit, as data: which command is allowed where, and what follows what.

Source: SIMPLON API reference 1.8, detector status `state` and detector commands; where the reference is silent
the behaviour is ours and stands in docs/dectris.md, States.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, auto
from typing import Final

from sim.dectris.refusal import Refused, unknown


class State(StrEnum):
    """Value of the status key `state`."""

    NA = auto()
    INITIALIZE = auto()
    IDLE = auto()
    CONFIGURE = auto()
    READY = auto()
    ACQUIRE = auto()
    ERROR = auto()


class Command(StrEnum):
    """Commands of the detector module."""

    INITIALIZE = auto()
    ARM = auto()
    TRIGGER = auto()
    DISARM = auto()
    CANCEL = auto()
    ABORT = auto()
    STATUS_UPDATE = auto()
    CHECK_CONNECTION = auto()
    HV_RESET = auto()
    HV_ENABLED = auto()
    WAIT = auto()


class Event(StrEnum):
    """What moves the unit from one state to the next."""

    INITIALIZE_BEGINS = auto()
    INITIALIZED = auto()
    ARM_BEGINS = auto()
    ARMED = auto()
    TRIGGERED = auto()
    TRIGGER_DONE = auto()
    """The images of one trigger are out, and more triggers are due (extg: or a disarm)."""
    SERIES_DONE = auto()
    """The last image is out, or the series was disarmed, cancelled or aborted."""
    CONNECTION_CHECKED = auto()
    """The links were tried out, which leaves the detector uninitialized."""
    FAILED = auto()
    """A fault of the hardware."""
    RESTARTED = auto()


_SETTLED: Final = frozenset({State.IDLE, State.READY, State.ACQUIRE})
_STOPPABLE: Final = _SETTLED | {State.CONFIGURE}

ALLOWED: Final[Mapping[Command, frozenset[State]]] = {
    Command.INITIALIZE: frozenset(State) - {State.INITIALIZE},
    Command.ARM: frozenset({State.IDLE, State.READY}),
    Command.TRIGGER: frozenset({State.READY}),
    Command.DISARM: _STOPPABLE,
    Command.CANCEL: _STOPPABLE,
    Command.ABORT: _STOPPABLE,
    Command.STATUS_UPDATE: frozenset(State),
    Command.CHECK_CONNECTION: frozenset({State.NA, State.IDLE, State.ERROR}),
    Command.HV_RESET: frozenset({State.IDLE}),
    Command.HV_ENABLED: frozenset({State.IDLE}),
    Command.WAIT: frozenset(State),
}
"""Arm while ready ends the armed series first. Disarm while idle changes nothing: ADEiger always sends it."""

NEXT: Final[Mapping[tuple[State, Event], State]] = {
    **{(state, Event.INITIALIZE_BEGINS): State.INITIALIZE for state in ALLOWED[Command.INITIALIZE]},
    **{(state, Event.FAILED): State.ERROR for state in State},
    **{(state, Event.RESTARTED): State.NA for state in State},
    **{(state, Event.CONNECTION_CHECKED): State.NA for state in ALLOWED[Command.CHECK_CONNECTION]},
    (State.INITIALIZE, Event.INITIALIZED): State.IDLE,
    (State.IDLE, Event.ARM_BEGINS): State.CONFIGURE,
    (State.CONFIGURE, Event.ARMED): State.READY,
    (State.READY, Event.TRIGGERED): State.ACQUIRE,
    (State.ACQUIRE, Event.TRIGGER_DONE): State.READY,
    (State.ACQUIRE, Event.SERIES_DONE): State.IDLE,
    (State.READY, Event.SERIES_DONE): State.IDLE,
    (State.CONFIGURE, Event.SERIES_DONE): State.IDLE,
}


def after(state: State, event: Event) -> State:
    """The state that follows. Raises KeyError for a pair that cannot happen: that would be our bug."""
    return NEXT[state, event]


class Machine:
    """The state that a unit is in."""

    def __init__(self, state: State) -> None:
        self.state = state

    def enter(self, event: Event) -> None:
        """Follow an event. Raises KeyError for one that cannot happen here: that would be our bug."""
        self.state = after(self.state, event)


def command_named(name: str) -> Command:
    """The command. Raises Refused (404)."""
    try:
        return Command(name)
    except ValueError:
        raise unknown(name) from None


def check_allowed(command: Command, state: State) -> None:
    """Raise Refused (409) when the command is not allowed in this state."""
    if state not in ALLOWED[command]:
        allowed = ", ".join(sorted(ALLOWED[command]))
        raise Refused(409, f"command {command} is not allowed in state {state}; allowed in: {allowed}")


def check_configurable(state: State, key: str) -> None:
    """Raise Refused when a detector key cannot be written: 404 before initialize, 409 during a series."""
    if state in (State.NA, State.INITIALIZE):
        raise Refused(404, f"Parameter {key} does not exist before the detector is initialized")
    if state is not State.IDLE:
        raise Refused(409, f"{key} cannot be changed in state {state}; allowed in: idle")
