"""The light path: function generator -> laser supply and head -> two filter wheels -> splitter -> fibres."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Final

from sim.degg.surroundings import Light
from sim.kernel import NS_PER_S, SimTime
from sim.lab.figures import LightFigures

KEPT_CHANGES: Final = 256
"""Acquisitions ask about the past of a block at most."""


@dataclass(frozen=True, slots=True)
class Generator:
    """What the function generator gives the laser head's trigger input."""

    on: bool = False
    frequency_hz: float = 1_000_000.0
    amplitude_vpp: float = 1.0
    pulses: int = 1
    """Pulses of a burst; 1 without one."""
    spacing_ns: float = 0.0
    """Between pulses of a burst."""


@dataclass(frozen=True, slots=True)
class _State:
    since: SimTime
    light: Light | None


class LightPath:
    """The path as its inputs make it."""

    def __init__(self, figures: LightFigures) -> None:
        self._figures = figures
        self.generator = Generator()
        self.supply_volts, self.supply_on = 0.0, False
        self.strengths = [1.0, 1.0]
        self._fires_since: SimTime | None = None
        self._blocked = False
        self._states = [_State(SimTime(0), None)]
        self._syncs = [_State(SimTime(0), None)]

    def set_generator(self, now: SimTime, generator: Generator) -> None:
        """The generator's output changed: a new phase begins."""
        if generator != self.generator:
            self.generator = generator
            self._fires_since = None
            self._settle(now)

    def set_supply(self, now: SimTime, volts: float, on: bool) -> None:
        """The laser's supply changed."""
        self.supply_volts, self.supply_on = volts, on
        self._settle(now)

    def set_strength(self, now: SimTime, wheel: int, strength: float) -> None:
        """A filter wheel stands at another filter; 0 between two."""
        self.strengths[wheel] = strength
        self._settle(now)

    def block_sync(self, now: SimTime, blocked: bool) -> None:
        """The sync cable is pulled or put back."""
        self._blocked = blocked
        self._settle(now)

    @property
    def fires(self) -> bool:
        """Whether the laser gives light: supply inside its window, generator on and large enough."""
        return self._stopped_by() is None

    def why_dark(self) -> str | None:
        """What keeps light from the fibres, in words for an operator; None: they are lit."""
        stopped = self._stopped_by()
        if stopped is not None:
            return stopped
        between = [wheel for wheel, strength in enumerate(self.strengths) if strength == 0]
        return f"filter wheel {between[0]} lets nothing through" if between else None

    def _stopped_by(self) -> str | None:
        f, g = self._figures, self.generator
        if not self.supply_on:
            return "the laser's supply is off"
        if not f.supply_min_v <= self.supply_volts <= f.supply_max_v:
            return f"the laser's supply gives {self.supply_volts:.2f} V, not {f.supply_min_v}..{f.supply_max_v} V"
        if not g.on:
            return "the function generator is off"
        if g.amplitude_vpp < f.trigger_min_vpp:
            return f"the trigger has {g.amplitude_vpp:.2f} Vpp, less than {f.trigger_min_vpp} Vpp"
        return None

    @property
    def strength(self) -> float:
        """Product of both filters."""
        return self.strengths[0] * self.strengths[1]

    def light(self, at: SimTime) -> Light | None:
        """What leaves the filters at a moment."""
        return _at(self._states, at).light

    def sync(self, at: SimTime) -> Light | None:
        """The sync signal at a moment."""
        return _at(self._syncs, at).light

    def changes_after(self, at: SimTime) -> SimTime | None:
        """When the light changed next after a moment."""
        index = bisect_right(self._states, at, key=lambda state: state.since)
        return self._states[index].since if index < len(self._states) else None

    def dark_for_s(self, at: SimTime) -> float:
        """Seconds since light last left the filters."""
        index = bisect_right(self._states, at, key=lambda state: state.since) - 1
        if index >= 0 and self._states[index].light is not None:
            return 0.0
        while index > 0 and self._states[index - 1].light is None:
            index -= 1
        return (at - self._states[index].since) / NS_PER_S if index > 0 else float("inf")

    def _settle(self, now: SimTime) -> None:
        if not self.fires:
            self._fires_since = None
            _append(self._states, _State(now, None))
            _append(self._syncs, _State(now, None))
            return
        if self._fires_since is None:
            self._fires_since = now
        g = self.generator
        sync = Light(self._fires_since, g.frequency_hz, 1.0, g.pulses, g.spacing_ns)
        light = Light(self._fires_since, g.frequency_hz, self.strength, g.pulses, g.spacing_ns)
        _append(self._states, _State(now, light if self.strength > 0 else None))
        _append(self._syncs, _State(now, None if self._blocked else sync))


def _at(states: list[_State], at: SimTime) -> _State:
    return states[max(0, bisect_right(states, at, key=lambda state: state.since) - 1)]


def _append(states: list[_State], state: _State) -> None:
    if states[-1].light == state.light:
        return
    if states[-1].since >= state.since:
        states[-1] = _State(states[-1].since, state.light)
    else:
        states.append(state)
    if len(states) > KEPT_CHANGES:
        del states[1 : len(states) - KEPT_CHANGES + 1]
