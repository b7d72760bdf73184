"""Bytes of a client to command lines: split and merged in any way, and never more kept than a line may be long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAX_LINE: Final = 16384
"""Bytes of a line. The longest that a public client sends writes 2048 words to the FPGA: about 14 kB."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it came."""

    raw: bytes
    """With its end: exactly what is echoed."""
    too_long: bool = False
    """More came before the end than a line may be long; `raw` is its beginning."""

    @property
    def text(self) -> str:
        """Without its end, each byte a character."""
        return self.raw.rstrip(b"\r\n").decode("latin-1")


class LineReader:
    """Keeps what is half received. A line ends with LF; a CR before it belongs to the end."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> list[Line]:
        """The lines that these bytes complete."""
        pieces = data.split(b"\n")
        lines = []
        for piece in pieces[:-1]:
            self._hold(piece)
            lines.append(Line(bytes(self._held) + b"\n", self._too_long))
            self._held.clear()
            self._too_long = False
        self._hold(pieces[-1])
        return lines

    def _hold(self, piece: bytes) -> None:
        room = MAX_LINE - len(self._held)
        self._held += piece[:room]
        self._too_long = self._too_long or len(piece) > room
