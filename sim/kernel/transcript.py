"""Byte transcripts: what went over a device's wires, bounded, readable by a person."""

from __future__ import annotations

import string
from collections.abc import Callable
from pathlib import Path
from typing import Final, TextIO

PRINTABLE: Final = frozenset(string.printable.encode()) - frozenset(b"\r\n\t\x0b\x0c\\")
SHOWN_BYTES: Final = 256
"""Longer messages are cut to this; their full length is written beside them."""
MAX_LINES: Final = 20_000


def printable(data: bytes | memoryview) -> str:
    r"""Show bytes as text with `\xNN` for what cannot be printed; cut at SHOWN_BYTES."""
    shown = bytes(data[:SHOWN_BYTES])
    text = shown.decode("latin-1").translate(_SHOWN)
    return text if len(data) <= SHOWN_BYTES else f"{text}… ({len(data)} bytes)"


def _escape(byte: int) -> str:
    return {10: r"\n", 13: r"\r", 9: r"\t", 92: r"\\"}.get(byte, f"\\x{byte:02x}")


_SHOWN: Final = tuple(chr(byte) if byte in PRINTABLE else _escape(byte) for byte in range(256))


class Transcript:
    """One text file for each device: `time direction channel bytes`, one line for each message.

    Not thread-safe by lock: single `write` calls of one line are made, each of which is atomic under the GIL.
    """

    def __init__(self, path: Path | None, now: Callable[[], int]) -> None:
        self._path, self._now = path, now
        self._file: TextIO | None = None
        self._lines = 0

    def received(self, channel: str, data: bytes | memoryview) -> None:
        """Note bytes that a client sent on *channel*."""
        self._note("<", channel, data)

    def sent(self, channel: str, data: bytes | memoryview) -> None:
        """Note bytes that the device sent on *channel*."""
        self._note(">", channel, data)

    def _note(self, direction: str, channel: str, data: bytes | memoryview) -> None:
        if self._path is None or self._lines > MAX_LINES:
            return
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("a", encoding="utf-8", buffering=1)
        self._lines += 1
        if self._lines > MAX_LINES:
            self._file.write(f"--- transcript ends after {MAX_LINES} lines ---\n")
            return
        seconds, nanoseconds = divmod(self._now(), 1_000_000_000)
        self._file.write(f"{seconds:>10}.{nanoseconds:09d} {direction} {channel:<12} {printable(data)}\n")

    def close(self) -> None:
        """Close the file; later notes open it again."""
        if self._file is not None:
            self._file.close()
            self._file = None
