"""A mainboard without high voltage: the tabletop board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from sim.degg.refusal import Refused

if TYPE_CHECKING:
    from sim.kernel import SimTime


class Supply(Protocol):
    """High voltage of one channel, as the console's words use it."""

    @property
    def enabled(self) -> bool:
        """Whether it is enabled."""
        ...

    def enable(self, on: bool, now: SimTime, /) -> None:
        """Enable or disable. Raises Refused."""
        ...

    def set(self, volts: float, now: SimTime, /) -> None:
        """Set the voltage. Raises Refused."""
        ...

    def forbid(self, now: SimTime, /) -> None:
        """The interlock is lost."""
        ...

    def read_volts(self, now: SimTime, /) -> float:
        """Read-back, V."""
        ...

    def read_current_ua(self, now: SimTime, /) -> float:
        """Read-back, uA."""
        ...


class NoSupply:
    """Nothing where the high voltage would be."""

    enabled: Final = False

    def enable(self, on: bool, now: SimTime) -> None:  # noqa: ARG002
        """Raises Refused for on."""
        if on:
            raise Refused("no high voltage on this board")

    def set(self, volts: float, now: SimTime) -> None:  # noqa: ARG002
        """Raises Refused for anything above zero."""
        if volts > 0:
            raise Refused("no high voltage on this board")

    def forbid(self, now: SimTime) -> None:
        """Nothing to do."""

    def read_volts(self, now: SimTime) -> float:  # noqa: ARG002
        """0."""
        return 0.0

    def read_current_ua(self, now: SimTime) -> float:  # noqa: ARG002
        """0."""
        return 0.0
