"""Verdicts: what became of a task, and of a run."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Verdict(StrEnum):
    """What became of a task or a run. Only FAIL speaks about the device under test."""

    PASS = "PASS"
    FAIL = "FAIL"
    """The device under test missed a limit."""
    ERROR = "ERROR"
    """The bench or the software failed; says nothing about the device."""
    SKIPPED = "SKIPPED"
    """Left out on purpose."""
    ABORTED = "ABORTED"
    """Stopped by a person; can be resumed."""
    UNSET = "UNSET"
    """Not judged, or not yet."""


WORST_FIRST: Final = (Verdict.ERROR, Verdict.ABORTED, Verdict.FAIL, Verdict.PASS)
"""SKIPPED and UNSET are neutral: they never decide a run."""

EXIT_INTERRUPTED: Final = 75
EXIT_CODES: Final = {
    Verdict.PASS: 0,
    Verdict.FAIL: 1,
    Verdict.ERROR: 3,
    Verdict.UNSET: 3,
    Verdict.SKIPPED: 3,
    Verdict.ABORTED: EXIT_INTERRUPTED,
}
"""Exit code of a process that ends with this verdict. A run that judged nothing is a failure of the bench."""


def overall(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of the verdicts: ERROR, then ABORTED, FAIL, PASS. UNSET if none of these is among them."""
    seen = set(verdicts)
    return next((verdict for verdict in WORST_FIRST if verdict in seen), Verdict.UNSET)
