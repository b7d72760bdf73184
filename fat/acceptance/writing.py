"""Shows people how far a report is: that of a whole test takes a while, and who ends it halfway has half of it."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from fat.output import console

PLAIN_PERIOD_S: Final = 5.0
"""Between lines where nothing can move, as in a log file."""
Told = Callable[[int, int, str], None]
"""Hears how many reports are written, of how many, and which one comes next."""


@contextlib.contextmanager
def shown(*, quiet: bool = False) -> Iterator[Told]:
    """Show it on standard error, as a bar or in lines; standard output may be read by programs."""
    screen = console(sys.stderr)
    if quiet:
        yield lambda _done, _total, _text: None
    elif screen.is_interactive:
        columns = (
            TextColumn("   report"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=screen, transient=True) as bar:
            task = bar.add_task("", total=None)
            yield lambda done, total, text: bar.update(task, completed=done, total=total, description=text)
    else:
        yield _Lines(screen).tell


class _Lines:
    """A line now and then. Raises nothing when nobody is left to read them."""

    def __init__(self, screen: Console) -> None:
        self._screen = screen
        self._said = time.monotonic()

    def tell(self, done: int, total: int, text: str) -> None:
        now = time.monotonic()
        if text and now - self._said > PLAIN_PERIOD_S:
            self._said = now
            with contextlib.suppress(OSError):
                self._screen.print(f"   report: {done} of {total} written, next {text}", soft_wrap=True)
