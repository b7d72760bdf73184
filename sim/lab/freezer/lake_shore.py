"""Lake Shore 224 and 211 temperature monitors: the network's own view of the freezer.

Commands end with LF, CR or both, answers with CR LF. `*IDN?`, `CRDG?`, `KRDG?`, `FRDG?`, `SRDG?`, `RDGST?`, `*OPC?`,
`*ESR?`, `*CLS`, `*RST`; a line may hold several, joined by `;`. A 224 has twelve inputs: A is the air of the box, B the
glass, C1 the laboratory, on the others there is no sensor; input 0 stands for all of them. A 211 has one, on the air.
Sensors are platinum resistors; their unit is the ohm.
"""

from __future__ import annotations

from typing import Final, Literal

from sim.kernel import FaultBoard, SimTime
from sim.lab.figures import FreezerFigures
from sim.lab.freezer.text_lines import LineTalker
from sim.lab.lines import Readings, Talker
from sim.lab.world import ColdPath

INPUTS: Final = ("A", "B", "C1", "C2", "C3", "C4", "C5", "D1", "D2", "D3", "D4", "D5")
SENSORS: Final = {"A": "air", "B": "glass", "C1": "laboratory"}
KELVIN: Final = 273.15
COMMAND_ERROR: Final = 32
EXECUTION_ERROR: Final = 16
MAX_COMMANDS: Final = 32
"""Commands of one line that are looked at."""


def ohms_of(celsius: float) -> float:
    """Resistance of a Pt100 by the Callendar-Van Dusen equation (IEC 60751)."""
    a, b, c = 3.9083e-3, -5.775e-7, -4.183e-12
    below = c * (celsius - 100) * celsius**3 if celsius < 0 else 0.0
    return 100 * (1 + a * celsius + b * celsius**2 + below)


class LakeShore:
    """The monitor."""

    def __init__(
        self, cold: ColdPath, model: Literal["224", "211"], figures: FreezerFigures, faults: FaultBoard
    ) -> None:
        self._cold, self._inputs = cold, INPUTS if model == "224" else INPUTS[:1]
        self._identity = f"LSCI,MODEL{model},{figures.lake_shore_serial},{figures.lake_shore_version}"
        self._places = 3 if model == "224" else 2
        self._readings = Readings(faults)
        self._events = 0

    def connect(self) -> Talker:
        """A new connection."""
        return LineTalker(self._handle, "\r\n")

    def _handle(self, line: str, now: SimTime) -> str | None:
        commands = line.upper().split(";")[:MAX_COMMANDS]
        answers = [self._carry_out(command.strip(), now) for command in commands]
        return ";".join(answer for answer in answers if answer is not None) or None

    def _carry_out(self, command: str, now: SimTime) -> str | None:
        word, _, argument = command.partition(" ")
        match word:
            case "*IDN?":
                return self._identity
            case "*OPC?":
                return "1"
            case "*ESR?":
                events, self._events = self._events, 0
                return str(events)
            case "*CLS" | "*RST":
                self._events = 0
            case "CRDG?" | "KRDG?" | "FRDG?" | "SRDG?" | "RDGST?":
                return self._read(word, argument.strip(), now)
            case _:
                self._events |= COMMAND_ERROR
        return None

    def _read(self, word: str, argument: str, now: SimTime) -> str | None:
        if argument == "0" or (len(self._inputs) == 1 and not argument):
            inputs = self._inputs
        elif argument in self._inputs:
            inputs = (argument,)
        else:
            self._events |= EXECUTION_ERROR
            return None
        return ",".join(self._reading(word, name, now) for name in inputs)

    def _reading(self, word: str, name: str, now: SimTime) -> str:
        sensor = SENSORS.get(name)
        if word == "RDGST?":
            return "000" if sensor else "001"
        value = 0.0 if sensor is None else _in_unit(word, self._celsius(sensor, now))
        return f"{round(value, self._places) + 0.0:+0{5 + self._places}.{self._places}f}"

    def _celsius(self, sensor: str, now: SimTime) -> float:
        cold = self._cold
        true = {"air": cold.air, "glass": cold.glass}.get(sensor, lambda _: cold.outside())(now)
        return self._readings.shown(sensor, true, now)


def _in_unit(word: str, celsius: float) -> float:
    match word:
        case "KRDG?":
            return celsius + KELVIN
        case "FRDG?":
            return celsius * 9 / 5 + 32
        case "SRDG?":
            return ohms_of(celsius)
    return celsius
