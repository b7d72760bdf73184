"""What a module notices of its laboratory: light in its fibres, temperature, power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sim.kernel import SimTime


@dataclass(frozen=True, slots=True)
class Light:
    """Laser pulses that go on from a moment, the same until something in the light path changes.

    Burst k begins at `since + k / frequency_hz`; its pulses are `spacing_ns` apart.
    """

    since: SimTime
    frequency_hz: float
    strength: float
    """Product of the filters in the path, 0..1."""
    pulses: int = 1
    """Pulses of a burst."""
    spacing_ns: float = 0.0


class Room(Protocol):
    """The laboratory as the module at one port sees it.

    Moments may lie somewhat ahead of the clock: an acquisition that nobody waits for runs ahead (docs/lab.md, Time).
    What is asked about the future is answered as if nothing changed until then.
    """

    def light(self, at: SimTime) -> Light | None:
        """What leaves the filters towards the fibres; None: the laser does not fire."""
        ...

    def sync(self, at: SimTime) -> Light | None:
        """The laser's electrical sync signal, whatever the filters do; None: there is none."""
        ...

    def light_changes_after(self, at: SimTime) -> SimTime | None:
        """When the light changed next after *at*; None: not since."""
        ...

    def dark_for_s(self, at: SimTime) -> float:
        """Seconds since light last fell on the photomultipliers: 0 while it does, infinity if it never did."""
        ...

    def glass_temperature(self, at: SimTime) -> float:
        """Celsius, of glass and photomultipliers."""
        ...

    def board_temperature(self, at: SimTime) -> float:
        """Celsius, of the mainboard; warmer than the glass while it has power."""
        ...

    def powered_since(self, at: SimTime) -> SimTime | None:
        """Since when the mainboard has had power without a break; None: it has none."""
        ...
