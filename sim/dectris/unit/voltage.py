"""The bias voltage of the sensor, as the status key `high_voltage/state` tells it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sim.dectris.refusal import Refused

RESET_S: Final = 30.0
"""How long `hv_reset` takes when it is told no time (SIMPLON API reference 1.8)."""


class HighVoltage:
    """OFF, RAMPING or READY."""

    def __init__(self, *, on: bool) -> None:
        self.state = "READY" if on else "OFF"
        self._ramps = 0

    def switch(self, *, on: bool) -> None:
        """Switch it; a ramp under way is over."""
        self._ramps += 1
        self.state = "READY" if on else "OFF"

    def command(self, argument: object) -> None:
        """`hv_enabled`, as a client asks for it. Raises Refused."""
        if not isinstance(argument, bool):
            raise Refused(400, f"hv_enabled must be told true or false, not {argument!r}")
        self.switch(on=argument)

    def ramp(self, argument: object) -> tuple[float, Callable[[], None]]:
        """`hv_reset`: begin to ramp. Returns for how long, s, and what then ends the ramp. Raises Refused.

        What ends it does nothing once something else was done.
        """
        seconds = RESET_S if argument is None else argument
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 1 <= seconds <= 600:
            raise Refused(400, f"hv_reset must be told 1..600 seconds, not {argument!r}")
        self._ramps += 1
        self.state, mine = "RAMPING", self._ramps

        def done() -> None:
            if self._ramps == mine:
                self.state = "READY"

        return seconds, done
