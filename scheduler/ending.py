"""How child processes end, and the limits at which they are ended."""

from __future__ import annotations

import math
import os
import signal
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ending:
    """How a child process ended: with a result, or with an error."""

    result: dict[str, Any] | None = None
    error: str = ""
    traceback: str = ""
    stopped: bool = False
    """Because the run was interrupted; then the rest does not count."""
    wall_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a process may take, and be silent; wall time, seconds."""

    timeout_s: float
    heartbeat_s: float = math.inf

    def broken(self, worked_s: float, silent_s: float) -> str | None:
        """A sentence on the limit that is broken, if one is."""
        if worked_s > self.timeout_s:
            return f"took longer than {self.timeout_s:g} s and was stopped"
        if silent_s > self.heartbeat_s:
            return (
                f"gave no sign of life for {self.heartbeat_s:g} s and was stopped: it is suspended, or hangs in a "
                f"call that does not return"
            )
        return None


def last_words(status: int) -> str:
    """What is said of a process that ended without a word. *status* is its wait status."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"the task process was killed by {signal.Signals(-code).name}; its log may tell more"
    return f"the task process ended with exit code {code} and no result; its log may tell more"
