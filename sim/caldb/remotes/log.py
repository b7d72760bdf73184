"""The remotes' log, in the words that users know: `INFO  MAX_WEB_DATA/DM/CAL_REMOTE_5  : Waiting on data`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

from sim.kernel.transcript import Transcript

MOST_FILE_BYTES: Final = 4 << 20
"""The file is begun anew then, and one old one is kept."""


class RemoteLog:
    """One file for all remotes of a catalogue; each line also stands in the device's transcript.

    unix_ns  the bench's time
    """

    def __init__(self, path: Path, transcript: Transcript, unix_ns: Callable[[], int]) -> None:
        self._path, self._transcript, self._unix_ns = path, transcript, unix_ns
        self._file: RotatingFileHandler | None = None

    def note(self, level: str, remote: str, text: str) -> None:
        """Write one line. Words of clients are cut and cannot begin a line of their own."""
        line = f"{level:<5} {remote}  : {' '.join(text[:500].splitlines())}"
        self._transcript.sent("log", line.encode())
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = RotatingFileHandler(
                self._path, maxBytes=MOST_FILE_BYTES, backupCount=1, encoding="utf-8"
            )
        at = datetime.fromtimestamp(self._unix_ns() / 1e9, UTC).isoformat(timespec="milliseconds")
        record = logging.LogRecord("remotes", logging.INFO, "", 0, f"{at} {line}", None, None)
        self._file.emit(record)

    def close(self) -> None:
        """Close the file; later lines open it again."""
        if self._file is not None:
            self._file.close()
            self._file = None
