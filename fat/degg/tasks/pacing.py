"""Bench time that a task lets pass before it begins: with fewer events the freezer would not have the time it needs."""

from __future__ import annotations

from typing import Final

from fat.degg.station.station import Station
from fat.errors import UsageError
from scheduler import TaskContext

LONGEST_MIN: Final = 180.0
STEP_S: Final = 600.0
"""People see every ten minutes how much is left."""
UNTIL: Final = "until_ns"


def let_pass(context: TaskContext, station: Station, minutes: float) -> None:
    """Wait so long by the bench's clock, and show what is left of it; 0 waits for nothing.

    An attempt after one that was cut short waits for what that one has left. Raises UsageError for minutes that are
    negative or more than `LONGEST_MIN`.
    """
    if not 0 <= minutes <= LONGEST_MIN:
        raise UsageError(f"minutes must be 0 to {LONGEST_MIN:g}, not {minutes:g}")
    if minutes == 0:
        return
    whole_s = minutes * 60.0
    until_ns = _until(context, whole_s)
    while (left_s := min(whole_s, (until_ns - context.clock.now_ns()) / 1e9)) > 0:
        context.progress(
            whole_s - left_s, whole_s, f"{left_s / 60:.0f} min of the freezer's move to wait for"
        )
        station.wait(min(STEP_S, left_s))
    context.progress(whole_s, whole_s, "waited for the freezer")


def _until(context: TaskContext, whole_s: float) -> int:
    """When the wait ends; kept, so that a task that is resumed does not wait again."""
    now_ns = context.clock.now_ns()
    if isinstance(context.kept, dict) and UNTIL in context.kept:
        return min(int(context.kept[UNTIL]), now_ns + round(whole_s * 1e9))
    until_ns = now_ns + round(whole_s * 1e9)
    context.keep({UNTIL: until_ns})
    return until_ns
