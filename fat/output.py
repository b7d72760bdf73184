"""Standard output at the end of a program: whoever read it may be gone."""

from __future__ import annotations

import os
import sys


def let_go_of_output() -> None:
    """Write what is left; to nobody when the reader has closed the pipe (`| head`) or the terminal has hung up.

    Otherwise the interpreter tries again as it ends, and its own exit code takes the place of the program's.
    """
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
