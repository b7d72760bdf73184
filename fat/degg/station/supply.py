"""The laser's bench supply, a Keysight E3631A: switched by hand in a run, read by us."""

from __future__ import annotations

from typing import Final

from fat.degg.station.scpi import ScpiInstrument

LASER_OUTPUT: Final = "P25V"
LASER_WINDOW_V: Final = (11.4, 12.6)
"""The head fires inside it."""


class LaserSupply(ScpiInstrument):
    """Voltage and switch of the laser head's supply."""

    def __init__(self, address: str) -> None:
        super().__init__("the laser's supply", address)

    def switch_on(self, volts: float = 12.0, amperes: float = 0.5) -> None:
        """Give the laser head its voltage."""
        self.do(f"APPL {LASER_OUTPUT},{volts:g},{amperes:g}", "OUTP ON")

    def switch_off(self) -> None:
        """Take it away."""
        self.do("OUTP OFF")

    def is_on(self) -> bool:
        """Whether the outputs are on."""
        return self.ask("OUTP?").lstrip("+") in ("1", "ON")

    def volts(self) -> float:
        """What the output really gives, V."""
        return self.number(f"MEAS:VOLT? {LASER_OUTPUT}")

    def amperes(self) -> float:
        """What the laser takes, A."""
        return self.number(f"MEAS:CURR? {LASER_OUTPUT}")

    def feeds_laser(self) -> bool:
        """Whether it is on, inside the window in which the head fires."""
        low, high = LASER_WINDOW_V
        return self.is_on() and low <= self.volts() <= high
