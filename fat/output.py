"""What programs show: who keeps it, and standard output at the end, when whoever read it may be gone."""

from __future__ import annotations

import os
import sys
from typing import Any, Final, TextIO

from rich.console import Console

LOGGED: Final = "STELLWERK_LOGGED"
"""`1` where a terminal's output is kept in a log file, as in the sessions of `stellwerk fat screen`."""


def console(stream: TextIO, *, width: int | None = None) -> Console:
    """A console for people. In a log file nothing moves and nothing has colours: a bar would fill a disk in days."""
    plain: dict[str, Any] = {"color_system": None, "force_interactive": False}
    logged = os.environ.get(LOGGED) == "1"
    return Console(file=stream, highlight=False, width=width, **(plain if logged else {}))


def let_go_of_output() -> None:
    """Write what is left; to nobody when the reader has closed the pipe (`| head`) or the terminal has hung up.

    Otherwise the interpreter tries again as it ends, and its own exit code takes the place of the program's.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
