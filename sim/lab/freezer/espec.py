"""ESPEC (SCP-220, P-300): commands and answers end with CR LF; each command is answered, also one that sets.

`OK:` and the command as it came, or `NA:` and a reason. Blanks after the comma and case do not matter.
"""

from __future__ import annotations

from typing import Final

from sim.kernel import FaultBoard, SimTime
from sim.lab.figures import FreezerFigures
from sim.lab.freezer.freezer import Freezer
from sim.lab.freezer.text_lines import LineTalker, decimal, number
from sim.lab.lines import Readings, Talker

COMMAND: Final = "NA:CMD ERR"
PARAMETER: Final = "NA:PARA ERR"
RANGE: Final = "NA:DATA OUT OF RANGE"
NO_HUMIDITY: Final = "NA:CONT NOT READY-1"
"""The freezer measures humidity and does not control it."""
NO_PROGRAM: Final = "NA:DATA NOT READY"


class Espec:
    """The controller of the freezer as an ESPEC chamber. In mode CONSTANT it runs, in STANDBY and OFF it stands."""

    def __init__(self, freezer: Freezer, figures: FreezerFigures, faults: FaultBoard) -> None:
        self._freezer, self._type, self._rom = freezer, figures.espec_type, figures.espec_rom
        self._high, self._low = figures.espec_high_c, figures.espec_low_c
        self._readings = Readings(faults)
        self._rest = "STANDBY"
        """How it stands when it does not run."""

    def connect(self) -> Talker:
        """A new connection."""
        return LineTalker(self._handle, "\r\n", too_long=COMMAND)

    @property
    def _mode(self) -> str:
        return "CONSTANT" if self._freezer.runs else self._rest

    def _handle(self, line: str, now: SimTime) -> str:
        word, comma, rest = (part.strip().upper() for part in line.partition(","))
        if not comma:
            return self._asked(word, now)
        refusal = self._told(word, rest, now)
        return f"OK:{line}" if refusal is None else refusal

    def _asked(self, query: str, now: SimTime) -> str:
        match query:
            case "TEMP?":
                values = (self._temperature(now), self._freezer.set_point, self._high, self._low)
                return ",".join(decimal(value, 1) for value in values)
            case "HUMI?":
                return f"{self._humidity(now)},OFF,100,0"
            case "MON?":
                return f"{decimal(self._temperature(now), 1)},{self._humidity(now)},{self._mode},0"
            case "MODE?":
                return self._mode
            case "ALARM?":
                return "0"
            case "TYPE?":
                return self._type
            case "ROM?":
                return self._rom
            case "TEMP" | "MODE" | "POWER" | "HUMI":
                return PARAMETER
        return COMMAND

    def _told(self, word: str, rest: str, now: SimTime) -> str | None:
        """Why a setting is refused; None: it is done."""
        match word, rest:
            case "TEMP", _:
                return self._set_temperature(rest[:1], rest[1:], now)
            case ("MODE", "CONSTANT") | ("POWER", "ON"):
                self._freezer.run(now, True)
            case ("MODE", "STANDBY" | "OFF") | ("POWER", "OFF"):
                self._rest = rest
                self._freezer.run(now, False)
            case "MODE", _:
                return NO_PROGRAM if rest.startswith("RUN") else PARAMETER
            case "POWER", _:
                return PARAMETER
            case "HUMI", _:
                return NO_HUMIDITY
            case _:
                return COMMAND
        return None

    def _set_temperature(self, which: str, text: str, now: SimTime) -> str | None:
        value = number(text)
        if value is None or which not in {"S", "H", "L"}:
            return PARAMETER
        if which == "S":
            lowest, highest = max(self._low, self._freezer.lowest), min(self._high, self._freezer.highest)
            if not lowest <= value <= highest:
                return RANGE
            self._freezer.aim(now, value)
        elif which == "H":
            if value < self._freezer.set_point:
                return RANGE
            self._high = value
        else:
            if value > self._freezer.set_point:
                return RANGE
            self._low = value
        return None

    def _temperature(self, now: SimTime) -> float:
        return self._readings.shown("air", self._freezer.cold.air(now), now)

    def _humidity(self, now: SimTime) -> str:
        return decimal(self._readings.shown("humidity", self._freezer.cold.humidity(now), now), 0)
