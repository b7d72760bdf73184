"""The bias voltage of the sensor, as the status key `high_voltage/state` tells it."""

from __future__ import annotations

from collections.abc import Callable


class HighVoltage:
    """OFF, RAMPING or READY."""

    def __init__(self, *, on: bool) -> None:
        self.state = "READY" if on else "OFF"
        self._ramps = 0

    def switch(self, *, on: bool) -> None:
        """Switch it; a ramp under way is over."""
        self._ramps += 1
        self.state = "READY" if on else "OFF"

    def ramp(self) -> Callable[[], None]:
        """Begin to ramp. Returns what ends the ramp; it does nothing once something else was done."""
        self._ramps += 1
        self.state, mine = "RAMPING", self._ramps

        def done() -> None:
            if self._ramps == mine:
                self.state = "READY"

        return done
