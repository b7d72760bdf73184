"""How carrying a run out ended."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Outcome:
    """How carrying a run out ended."""

    verdict: Verdict
    exit_code: int
    interrupted: bool
    """Stopped by a person or a signal; the run can be resumed."""
    nothing_left: bool = False
    """The run had ended before; nothing was done. The exit code is then 0."""
