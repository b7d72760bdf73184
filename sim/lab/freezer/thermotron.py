"""Thermotron 3800: its text protocol, a command a line, answers end with LF.

`IDEN?`, `PVAR1?`, `SETP1?`, `SETP1,x`, `MODE?`, `RUNM`, `STOP`, `INIT` are what the public driver sends. A set-point
waits until `RUNM`; `INIT` stops and forgets it. Settings answer nothing; what is unknown or out of range changes
nothing and answers nothing. Case and blanks do not matter.
"""

from __future__ import annotations

from typing import Final

from sim.kernel import FaultBoard, SimTime
from sim.lab.figures import FreezerFigures
from sim.lab.freezer.freezer import Freezer
from sim.lab.freezer.pace import Pace
from sim.lab.freezer.text_lines import LineTalker, decimal, number
from sim.lab.lines import Readings, Talker

MANUAL: Final = 16
"""Bit of `MODE?`: it runs to the set-point."""
STOPPED: Final = 2
"""Bit of `MODE?`: edit mode, the controller stands in stop mode."""
PLACES: Final = 3


class Thermotron:
    """The controller of the freezer as a Thermotron 3800."""

    def __init__(self, freezer: Freezer, figures: FreezerFigures, faults: FaultBoard) -> None:
        self._freezer, self._identity = freezer, figures.thermotron_identity
        self._lowest = max(figures.thermotron_min_c, freezer.lowest)
        self._highest = min(figures.thermotron_max_c, freezer.highest)
        self._readings = Readings(faults)
        self._pace = Pace(figures.thermotron_gap_s, faults)
        self._waiting: float | None = None
        """A set-point that takes effect on RUNM."""

    def connect(self) -> Talker:
        """A new connection."""
        return LineTalker(self._handle, "\n")

    def _handle(self, line: str, now: SimTime) -> str | None:
        if self._pace.loses(now):
            return None
        command = line.replace(" ", "").upper()
        if command.endswith("?"):
            return self._asked(command, now)
        self._told(command, now)
        return None

    def _asked(self, query: str, now: SimTime) -> str | None:
        match query:
            case "IDEN?":
                return self._identity
            case "PVAR1?":
                return decimal(self._readings.shown("air", self._freezer.cold.air(now), now), PLACES)
            case "SETP1?":
                return decimal(self._freezer.set_point, PLACES)
            case "MODE?":
                return str(MANUAL if self._freezer.runs else STOPPED)
        return None

    def _told(self, command: str, now: SimTime) -> None:
        match command.split(","):
            case ["SETP1", text]:
                value = number(text)
                if value is not None and self._lowest <= value <= self._highest:
                    self._waiting = value
            case ["RUNM"]:
                if self._waiting is not None:
                    self._freezer.aim(now, self._waiting)
                    self._waiting = None
                self._freezer.run(now, True)
            case ["STOP"]:
                self._freezer.run(now, False)
            case ["INIT"]:
                self._waiting = None
                self._freezer.run(now, False)
