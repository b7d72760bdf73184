"""What the three outputs of the laser supply can give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["volts", "amps"]
LEVELS: Final[tuple[Level, Level]] = ("volts", "amps")
OutputName = Literal["P6V", "P25V", "N25V"]


@dataclass(frozen=True, slots=True)
class Output:
    """What one output can give."""

    low_v: float
    high_v: float
    max_a: float


OUTPUTS: Final[dict[str, Output]] = {
    "P6V": Output(0.0, 6.18, 5.0),
    "P25V": Output(0.0, 25.75, 1.0),
    "N25V": Output(-25.75, 0.0, 1.0),
}
"""In the order of their numbers, from 1."""
NAMES: Final = tuple(OUTPUTS)


def limits(output: str, what: Level) -> tuple[float, float]:
    """Of one output."""
    known = OUTPUTS[output]
    return (known.low_v, known.high_v) if what == "volts" else (0.0, known.max_a)
