"""The object of a launch in the run file, `MasterFAT_NN`: what became of each task. Pure.

{"[0] disable_laser_0": 1, "[1] status_check_0": 0, "[2] measure_stf_0": -1, "ConfigPath": …, "Date": …}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fat.errors import UsageError

NOT_RUN, FAILED, DONE = -1, 0, 1
_TASK: Final = re.compile(r"\[(\d+)\] (.+)")


def key_of(number: int, title: str) -> str:
    """`[3] measure_gain_0`"""
    return f"[{number}] {title}"


def new_launch(titles: Sequence[str], config: Path, now: datetime) -> dict[str, Any]:
    """A launch of which nothing has run."""
    tasks = {key_of(number, title): NOT_RUN for number, title in enumerate(titles)}
    return {**tasks, "ConfigPath": str(config), "Date": f"{now:%Y-%m-%d %H:%M:%S}"}


def states_of(launch: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Titles and values of a launch's tasks, in their order; whatever else is in it is left out."""
    found = [(int(m[1]), m[2], value) for key, value in launch.items() if (m := _TASK.fullmatch(key))]
    return [(title, value) for _, title, value in sorted(found)]


def first_unfinished(launch: Mapping[str, Any], titles: Sequence[str]) -> int:
    """Where in the full schedule a recovered run begins: its first unfinished task; all after it run again in order.

    titles  of the full schedule; the launch is of all of it, or, itself recovered, of its end

    Raises UsageError when nothing is left, when nothing was done yet, and when the launch is of another schedule.
    """
    states = states_of(launch)
    offset = len(titles) - len(states)
    if offset < 0 or [title for title, _ in states] != list(titles[offset:]):
        raise UsageError(
            "the run was launched with another schedule; recover it with the configuration that is archived beside "
            "its device files"
        )
    left = next((place for place, (_, value) in enumerate(states) if value != DONE), None)
    if left is None:
        raise UsageError("all tasks of the run are done; there is nothing left to do")
    if offset + left == 0:
        raise UsageError("nothing of the run is done yet, so there is no need to recover")
    return offset + left
