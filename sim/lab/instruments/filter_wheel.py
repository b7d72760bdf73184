"""Thorlabs FW102C filter wheel: 115200 8N1, CR ends a command, every command is echoed, `> ` is the prompt.

The words, replies and numbers are those of the manual and of public drivers. Nobody published what an empty line or a
line feed does: an empty line gives a prompt, line feeds are passed over. Motion times are figures.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from sim.kernel import FaultBoard, FaultSpec, SimTime
from sim.lab.figures import WheelFigures
from sim.lab.lines import LINK_FAULTS, Answer, Talker
from sim.lab.tables.serial import COUNTS

IDENTITY: Final = b"THORLABS FW102C/FW212C Filter Wheel version 1.07"
NOT_DEFINED: Final = b"Command error CMD_NOT_DEFINED"
INVALID: Final = b"Command error CMD_ARG_INVALID"
PROMPT: Final = b"> "
BAUD: Final = (9600, 115200)
"""By the value of `baud`."""
MAX_LINE: Final = 64
"""Further bytes of a line are lost; what is kept of it is echoed and is no command."""
SETTINGS: Final = {"speed": (0, 1), "trig": (0, 1), "sensors": (0, 1), "baud": (0, 1), "pcount": COUNTS}
FACTORY: Final = {"speed": 1, "trig": 0, "sensors": 1, "baud": 1, "pcount": 6}
NUMBER: Final = re.compile(rb"[0-9]{1,9}")

WHEEL_FAULTS: Final = (
    *LINK_FAULTS,
    FaultSpec("stuck_wheel", "Takes `pos=` and does not move.", "`pos?` tells the old position"),
    FaultSpec(
        "lose_position",
        "The wheel slips at a move: the glass in the beam is some positions further than `pos?` tells.",
        "light and filter do not fit; the monitoring of a known filter finds another strength",
        {"positions": 1},
    ),
    FaultSpec(
        "restart_wheel",
        "Loses its supply for a moment before the next command: it stands at 1 with the settings last saved.",
        "`pos?` tells 1, although nobody moved it there",
    ),
)
"""Faults of a filter wheel."""


class FilterWheel:
    """The wheel itself: what every connection sees.

    strengths  what each hole lets through, 0..1, in the order of positions: six, or twelve on the large wheel
    shine      called with the strength in the beam: 0 while the wheel is between two holes
    set_baud   called when `baud=` changes the line's speed
    """

    def __init__(
        self,
        faults: FaultBoard,
        figures: WheelFigures,
        strengths: Sequence[float],
        shine: Callable[[SimTime, float], None],
        set_baud: Callable[[int], None] | None = None,
    ) -> None:
        self._faults, self._figures, self._strengths = faults, figures, tuple(strengths)
        self._shine, self._set_baud = shine, set_baud
        self._factory = {**FACTORY, "pcount": len(self._strengths)}
        self._saved = dict(self._factory)
        self.settings = dict(self._factory)
        self.position = 1
        self._slipped = 0
        shine(SimTime(0), self.strength)

    @property
    def strength(self) -> float:
        """Of the hole in the beam when the wheel stands."""
        return self._strengths[(self.position - 1 + self._slipped) % len(self._strengths)]

    def connect(self) -> Talker:
        """The line to it."""
        return WheelTalker(self)

    def command(self, line: bytes, now: SimTime) -> list[Answer]:
        """Everything that a whole line brings about: echo, reply, prompt."""
        if self._faults.strike("restart_wheel") is not None:
            self._restart(now)
        name, equals, argument = line.partition(b"=")
        if name == b"pos" and equals:
            return self._move(line, argument)
        reply = self._set(name, argument) if equals else self._reply(line)
        text = line + b"\r" + (reply + b"\r" if reply else b"") + PROMPT
        return [Answer(text, then=self._settle_baud if name == b"baud" and not reply else None)]

    def _reply(self, line: bytes) -> bytes:
        if line == b"":
            return b""
        if line == b"*idn?":
            return IDENTITY
        if line == b"pos?":
            return b"%d" % self.position
        if line == b"save":
            self._saved = dict(self.settings)
            return b""
        name = line[:-1].decode("latin-1")
        return b"%d" % self.settings[name] if line[-1:] == b"?" and name in SETTINGS else NOT_DEFINED

    def _set(self, name: bytes, argument: bytes) -> bytes:
        key = name.decode("latin-1")
        if key not in SETTINGS:
            return NOT_DEFINED
        if not NUMBER.fullmatch(argument) or int(argument) not in SETTINGS[key]:
            return INVALID
        self.settings[key] = int(argument)
        self.position = min(self.position, self.settings["pcount"])
        return b""

    def _move(self, line: bytes, argument: bytes) -> list[Answer]:
        echo = line + b"\r"
        if not NUMBER.fullmatch(argument) or not 1 <= int(argument) <= self.settings["pcount"]:
            return [Answer(echo + INVALID + b"\r" + PROMPT)]
        target = int(argument)
        if target == self.position or self._faults.strike("stuck_wheel") is not None:
            return [Answer(echo + PROMPT)]
        if (slip := self._faults.strike("lose_position")) is not None:
            self._slipped += int(slip.parameters["positions"])
        seconds = self._seconds(target)
        self.position = target
        return [
            Answer(echo, then=partial(self._shine_with, 0.0)),
            Answer(PROMPT, seconds, partial(self._shine_with, self.strength)),
        ]

    def _shine_with(self, strength: float, now: SimTime) -> None:
        self._shine(now, strength)

    def _seconds(self, target: int) -> float:
        """How long the wheel turns to a position, the shorter way round."""
        count, steps = self.settings["pcount"], abs(target - self.position)
        step_s = self._figures.fast_step_s if self.settings["speed"] else self._figures.slow_step_s
        return min(steps, count - steps) * step_s

    def _settle_baud(self, _now: SimTime) -> None:
        if self._set_baud is not None:
            self._set_baud(BAUD[self.settings["baud"]])

    def _restart(self, now: SimTime) -> None:
        self.settings, self.position, self._slipped = dict(self._saved), 1, 0
        self._settle_baud(now)
        self._shine(now, self.strength)


class WheelTalker:
    """One connection: the line that is being received."""

    def __init__(self, wheel: FilterWheel) -> None:
        self._wheel, self._line, self._overlong = wheel, bytearray(), False

    def receive(self, data: bytes, now: SimTime, /) -> Sequence[Answer]:
        """Bytes of any kind, split in any way."""
        answers: list[Answer] = []
        for part in re.split(rb"(\r)", data.replace(b"\n", b"")):
            if part == b"\r":
                answers += self._end(now)
            else:
                self._overlong = self._overlong or len(self._line) + len(part) > MAX_LINE
                self._line += part[: MAX_LINE - len(self._line)]
        return answers

    def _end(self, now: SimTime) -> list[Answer]:
        line, overlong = bytes(self._line), self._overlong
        self._line.clear()
        self._overlong = False
        if overlong:
            return [Answer(line + b"\r" + NOT_DEFINED + b"\r" + PROMPT)]
        return self._wheel.command(line, now)
