"""One connection over a socket or a serial line: commands end with LF, answers are sent as soon as they are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sim.kernel import SimTime
from sim.lab.lines.talk import Answer

if TYPE_CHECKING:
    from sim.lab.scpi.instrument import ScpiInstrument

MAX_MESSAGE: Final = 1 << 15
"""Bytes of one program message. A longer one is refused whole, with -363."""


class Session:
    """Divides what arrives into messages. Blocks of data with an LF in them pass over the bus only."""

    def __init__(self, instrument: ScpiInstrument, newline: bytes) -> None:
        self._instrument, self._newline = instrument, newline
        self._part = bytearray()
        self._overrun = False

    def receive(self, data: bytes, now: SimTime) -> Sequence[Answer]:
        """Carry out every message that is complete, each answered in one piece."""
        answers = []
        *ended, rest = data.split(b"\n")
        for piece in ended:
            self._take(piece)
            message, overrun = self._part.decode("latin-1"), self._overrun
            self._part, self._overrun = bytearray(), False
            if overrun:
                self._instrument.status.note(-363)
            elif answer := self._instrument.execute(message, now):
                answers.append(Answer(answer.encode("latin-1") + self._newline))
        self._take(rest)
        return answers

    def _take(self, piece: bytes) -> None:
        if self._overrun or len(self._part) + len(piece) > MAX_MESSAGE:
            self._overrun = True
            self._part.clear()
        else:
            self._part += piece
