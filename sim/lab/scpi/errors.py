"""Errors that an instrument notes in its queue, by their numbers in SCPI-99, volume 2, chapter 21."""

from __future__ import annotations

from typing import Final

TEXTS: Final = {
    -101: "Invalid character",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -114: "Header suffix out of range",
    -121: "Invalid character in number",
    -123: "Exponent too large",
    -131: "Invalid suffix",
    -138: "Suffix not allowed",
    -151: "Invalid string data",
    -161: "Invalid block data",
    -171: "Invalid expression",
    -211: "Trigger ignored",
    -221: "Settings conflict",
    -222: "Data out of range",
    -224: "Illegal parameter value",
    -300: "Device-specific error",
    -350: "Queue overflow",
    -363: "Input buffer overrun",
    -410: "Query INTERRUPTED",
    -420: "Query UNTERMINATED",
    -430: "Query DEADLOCKED",
}

COMMAND: Final = 32
EXECUTION: Final = 16
DEVICE: Final = 8
QUERY: Final = 4


class ScpiError(Exception):
    """A command was refused. It becomes an entry of the error queue, never an answer.

    number  one of TEXTS
    """

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(f'{number},"{TEXTS[number]}"')


def event_bit(number: int) -> int:
    """The bit of the standard event status register that an error sets (IEEE 488.2, 11.5.1)."""
    return {1: COMMAND, 2: EXECUTION, 3: DEVICE, 4: QUERY}[-number // 100]
