"""Two Thorlabs FW102C filter wheels on serial ports, in series in the light path.

CR ends a command; the wheel echoes it, answers, and prompts with `> `. While it turns it answers nothing: what is sent
meanwhile is answered when it stands. On clocks that follow the wall a motion takes seconds of it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import serial

from fat.degg.station.errors import InstrumentRefused, InstrumentSilent

BAUD: Final = 115_200
TIMEOUT_S: Final = 3.0
MOTION_TIMEOUT_S: Final = 15.0
PROMPT: Final = b"> "
MAX_ANSWER: Final = 4096
STRENGTHS: Final = ((1.0, 0.05, 0.25, 0.32, 1.0, 1.0), (1.0, 0.5, 0.1, 0.01, 1.0, 1.0))
"""What each position of each wheel lets through: those that the measurements use come first."""


class FilterWheel:
    """One wheel. Methods raise InstrumentSilent and InstrumentRefused."""

    def __init__(self, number: int, path: str, strengths: Sequence[float] | None = None) -> None:
        self.name, self.path = f"filter wheel {number}", path
        self.strengths = tuple(strengths or STRENGTHS[number])
        self._port: serial.Serial | None = None

    def identity(self) -> str:
        """Model and version."""
        return self.ask("*idn?")

    def position(self) -> int:
        """Where it stands, from 1."""
        said = self.ask("pos?")
        if not said.isdecimal():
            raise InstrumentRefused(self.name, "pos?", said)
        return int(said)

    def move(self, position: int) -> None:
        """Turn it, and see that it has arrived. Raises InstrumentRefused when it has not."""
        self.ask(f"pos={position}", MOTION_TIMEOUT_S)
        arrived = self._position_when_it_stands()
        if arrived != position:
            raise InstrumentRefused(self.name, f"pos={position}", f"it stands at {arrived}")

    def strength(self) -> float:
        """What it lets through now."""
        position = self.position()
        if not 1 <= position <= len(self.strengths):
            raise InstrumentRefused(self.name, "pos?", f"position {position} has no known filter")
        return self.strengths[position - 1]

    def choose(self, strength: float) -> None:
        """Turn to a filter by its strength. Raises ValueError when there is none such."""
        if strength not in self.strengths:
            known = ", ".join(f"{s:g}" for s in dict.fromkeys(self.strengths))
            raise ValueError(f"{self.name} has no filter {strength:g}; it has {known}")
        self.move(self.strengths.index(strength) + 1)

    def darken_sensors(self) -> None:
        """Infrared lamps off while it stands: photomultipliers would see them."""
        self.ask("sensors=0")

    def ask(self, command: str, timeout_s: float = TIMEOUT_S) -> str:
        """What it answers to a command, without echo and prompt."""
        port = self._open()
        line = command.encode("ascii") + b"\r"
        got, deadline = bytearray(), time.monotonic() + timeout_s
        try:
            port.reset_input_buffer()
            port.write(line)
            while not got.endswith(PROMPT):
                port.timeout = max(1e-3, min(0.5, deadline - time.monotonic()))
                got += port.read(max(1, port.in_waiting))
                if time.monotonic() > deadline:
                    raise self._gone(f"does not answer {command!r}")
                if len(got) > MAX_ANSWER:
                    raise self._gone("answers without end")
        except (OSError, serial.SerialException) as error:
            raise self._gone(f"hung up ({error})") from None
        said = bytes(got[: -len(PROMPT)])
        at = said.rfind(line)
        if at < 0:
            raise InstrumentRefused(self.name, command, f"no echo in {said!r}")
        answer = said[at + len(line) :].decode("latin-1").strip()
        if "CMD_" in answer:
            raise InstrumentRefused(self.name, command, answer)
        return answer

    def close(self) -> None:
        """Leave the port."""
        port, self._port = self._port, None
        if port is not None:
            port.close()

    def _position_when_it_stands(self) -> int:
        said = self.ask("pos?", MOTION_TIMEOUT_S)
        if not said.isdecimal():
            raise InstrumentRefused(self.name, "pos?", said)
        return int(said)

    def _open(self) -> serial.Serial:
        if self._port is None:
            try:
                self._port = serial.Serial(self.path, BAUD, timeout=TIMEOUT_S, write_timeout=TIMEOUT_S)
            except (OSError, serial.SerialException) as error:
                raise InstrumentSilent(self.name, self.path, f"does not open ({error})") from None
        return self._port

    def _gone(self, what: str) -> InstrumentSilent:
        self.close()
        return InstrumentSilent(self.name, self.path, what)


class FilterWheels:
    """Both wheels: the light's strength is the product of theirs."""

    def __init__(self, paths: Sequence[str]) -> None:
        self.wheels = [FilterWheel(number, path) for number, path in enumerate(paths)]

    def set(self, first: float, second: float) -> float:
        """Turn both by their strengths; returns the product."""
        for wheel, strength in zip(self.wheels, (first, second), strict=True):
            wheel.choose(strength)
        return first * second

    def strength(self) -> float:
        """The product of what both let through now."""
        product = 1.0
        for wheel in self.wheels:
            product *= wheel.strength()
        return product

    def pairs(self) -> dict[float, tuple[float, float]]:
        """A pair of filters for each product that there is."""
        choices = itertools.product(*(dict.fromkeys(wheel.strengths) for wheel in self.wheels))
        return {round(a * b, 6): (a, b) for a, b in choices}

    def close(self) -> None:
        """Leave both ports."""
        for wheel in self.wheels:
            wheel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
