"""Commands as lines of text: cut out of whatever bytes come, bounded, and handed to the instrument one by one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Final

from sim.kernel import SimTime
from sim.lab.lines import Answer

MAX_LINE: Final = 256
"""Bytes of a command. A longer one is dropped as a whole, up to its end."""

Handle = Callable[[str, SimTime], str | None]
"""Carries a command out and returns the text of the answer; None: the instrument stays silent. Never raises."""

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_ENDS: Final = re.compile(rb"[\r\n]")


class LineTalker:
    """One connection of a text instrument. CR, LF and both end a command; empty lines are nothing.

    ending    what ends each answer
    too_long  the answer to a line that does not fit; None: silence
    """

    def __init__(self, handle: Handle, ending: str, too_long: str | None = None) -> None:
        self._handle, self._ending, self._too_long = handle, ending, too_long
        self._held = bytearray()
        self._skipping = False

    def receive(self, data: bytes, now: SimTime) -> Sequence[Answer]:
        """Take bytes and answer the commands that they complete."""
        *ended, rest = _ENDS.split(data)
        texts = [self._complete(piece, now) for piece in ended]
        self._hold(rest)
        return [Answer(f"{text}{self._ending}".encode()) for text in texts if text is not None]

    def _complete(self, piece: bytes, now: SimTime) -> str | None:
        self._hold(piece)
        line, skipped = self._held.decode("ascii", "replace").strip(), self._skipping
        self._held.clear()
        self._skipping = False
        if skipped:
            return self._too_long
        return self._handle(line, now) if line else None

    def _hold(self, piece: bytes) -> None:
        if self._skipping:
            return
        if len(self._held) + len(piece) > MAX_LINE:
            self._skipping = True
            self._held.clear()
        else:
            self._held += piece


def number(text: str) -> float | None:
    """A finite decimal number; None: the text is none. Unlike `float` it knows no `nan`, `inf` and `1_0`."""
    if not _NUMBER.fullmatch(text.strip()):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def decimal(value: float, places: int) -> str:
    """A number with so many places, and never `-0.0`."""
    return f"{round(value, places) + 0.0:.{places}f}"
