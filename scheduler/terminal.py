"""The terminal at which a run was started, as somewhere to ask people."""

from __future__ import annotations

import contextlib
import os
import select
import termios
from collections.abc import Callable
from typing import Final, Protocol

MOST_BYTES: Final = 4096
"""Of one line; of a longer one the end is kept."""
HUNG_UP: Final = 3
"""So many ends of input in a row are no Ctrl-D."""


class Terminal(Protocol):
    """Where a person may type an answer."""

    def ask(self, text: str) -> None:
        """Show this and make room for a line to be typed. What was typed before is no answer to it."""
        ...

    def lines(self) -> list[str]:
        """What was typed since, without waiting."""
        ...

    def done(self) -> None:
        """Nothing is asked any more."""
        ...

    @property
    def gone(self) -> bool:
        """Whether nothing can be typed any more."""
        ...


class Keyboard:
    """A terminal: lines from a descriptor, texts shown by functions of the display.

    show  called with each text that asks for a line
    done  called when nothing is asked any more
    """

    def __init__(
        self, descriptor: int, show: Callable[[str], None], done: Callable[[], None] = lambda: None
    ) -> None:
        self._descriptor, self._show, self._done = descriptor, show, done
        self._rest = b""
        self._gone = False

    def ask(self, text: str) -> None:
        """Show it."""
        self._rest = b""
        with contextlib.suppress(termios.error, OSError):
            termios.tcflush(self._descriptor, termios.TCIFLUSH)
        self._show(text)

    def lines(self) -> list[str]:
        """What was typed since; nothing from a terminal that another program uses, or that is gone."""
        ends = 0
        while not self.gone and self._ours() and select.select([self._descriptor], [], [], 0)[0]:
            try:
                data = os.read(self._descriptor, MOST_BYTES)
            except OSError:  # hung up
                ends, data = HUNG_UP, b""
            ends = 0 if data else ends + 1
            self._gone = ends >= HUNG_UP
            self._rest = (self._rest + data)[-MOST_BYTES:]
        *whole, self._rest = self._rest.split(b"\n")
        return [line.decode("utf-8", errors="replace").strip() for line in whole]

    def done(self) -> None:
        """Let the display go on."""
        self._done()

    @property
    def gone(self) -> bool:
        """Whether the terminal has hung up."""
        return self._gone

    def _ours(self) -> bool:
        """Reading in the background would stop this process."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError:  # not the terminal of this session: nobody stops us there
            return True
