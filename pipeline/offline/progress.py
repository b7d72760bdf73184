"""Progress over files: a bar with the time that remains on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY_S: Final = 10.0


class FileProgress:
    """Shows files done of files in all, on stderr."""

    def __init__(self, *, shown: bool) -> None:
        console = Console(stderr=True)
        self._lines = shown and not console.is_terminal
        self._bar = Progress(
            TextColumn("correct"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("files,"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=console,
            disable=not (shown and console.is_terminal),
        )
        self._task = self._bar.add_task("", total=None)
        self._next_line_s = time.monotonic() + LINE_EVERY_S

    def tell(self, done: int, total: int) -> None:
        """So many of so many files are done."""
        self._bar.update(self._task, completed=done, total=total)
        if self._lines and (time.monotonic() >= self._next_line_s or done == total):
            print(f"corrected {done} of {total} files", file=sys.stderr)  # noqa: T201 - a line of the log
            self._next_line_s = time.monotonic() + LINE_EVERY_S

    def __enter__(self) -> FileProgress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
