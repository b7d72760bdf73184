"""Julabo: commands end with CR, answers with CR LF (or LF: sources differ, `julabo_ending`).

Queries answer a line; settings answer nothing, and what was wrong with them is told once by the next `status`. The
bath is the air of the box; the external sensor (`in_pv_02`) lies on the glass. Case does not matter.
"""

from __future__ import annotations

from typing import Final

from sim.kernel import FaultBoard, SimTime
from sim.lab.figures import FreezerFigures
from sim.lab.freezer.freezer import Freezer
from sim.lab.freezer.pace import Pace
from sim.lab.freezer.text_lines import LineTalker, decimal, number
from sim.lab.lines import Readings, Talker

INVALID: Final = "-08 INVALID COMMAND"
TOO_SMALL: Final = "-10 VALUE TOO SMALL"
TOO_LARGE: Final = "-11 VALUE TOO LARGE"
PLACES: Final = 2


class Julabo:
    """The controller of the freezer as a Julabo circulator under remote control."""

    def __init__(self, freezer: Freezer, figures: FreezerFigures, faults: FaultBoard) -> None:
        self._freezer, self._version = freezer, figures.julabo_version
        self._ending = {"lf": "\n", "crlf": "\r\n"}[figures.julabo_ending]
        self._readings = Readings(faults)
        self._pace = Pace(figures.julabo_gap_s, faults)
        self._error: str | None = None

    def connect(self) -> Talker:
        """A new connection."""
        return LineTalker(self._handle, self._ending)

    def _handle(self, line: str, now: SimTime) -> str | None:
        if self._pace.loses(now):
            return None
        match line.lower().split():
            case [query]:
                return self._asked(query, now)
            case ["out_sp_00", text]:
                self._aim(text, now)
            case ["out_mode_05", ("0" | "1") as wanted]:
                self._freezer.run(now, wanted == "1")
            case _:
                self._error = INVALID
        return None

    def _asked(self, query: str, now: SimTime) -> str | None:
        cold = self._freezer.cold
        match query:
            case "version":
                return self._version
            case "status":
                return self._status()
            case "in_pv_00":
                return decimal(self._readings.shown("air", cold.air(now), now), PLACES)
            case "in_pv_02":
                return decimal(self._readings.shown("glass", cold.glass(now), now), PLACES)
            case "in_sp_00":
                return decimal(self._freezer.set_point, PLACES)
            case "in_mode_05":
                return str(int(self._freezer.runs))
        self._error = INVALID
        return None

    def _aim(self, text: str, now: SimTime) -> None:
        value = number(text)
        if value is None:
            self._error = INVALID
        elif value < self._freezer.lowest:
            self._error = TOO_SMALL
        elif value > self._freezer.highest:
            self._error = TOO_LARGE
        else:
            self._freezer.aim(now, value)

    def _status(self) -> str:
        if self._error is not None:
            error, self._error = self._error, None
            return error
        return "03 REMOTE START" if self._freezer.runs else "02 REMOTE STOP"
