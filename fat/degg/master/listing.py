"""What a launch says: the greeting, and the schedule, whole or condensed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from fat.degg.master.launch_object import key_of
from scheduler import Task

HELPERS: Final = frozenset(
    {
        "status_check",
        "disable_laser",
        "wrapper",
        "manual_input",
        "online_mon",
        "bootmon",
        "slowmon",
        "trigger_remote_wrapper",
        "analysis_wrapper",
        "dummy_wrapper",
        "validate_gain",
        "constant_monitor",
    }
)
"""Left out of a condensed schedule."""


def greeting(run: str, devices: Sequence[tuple[int, Path]], *, verbose: bool, recover: bool) -> list[str]:
    """The run and its modules.

    devices  port and device file of each
    """
    return [
        f"   -- Current Run: {run}",
        f"   -- Verbose: {verbose}, Recover: {recover}",
        "   -- D-Egg IDs:",
        *(f"      {port}: {path.name}" for port, path in devices),
    ]


def schedule(tasks: Sequence[Task], first: int = 0) -> Iterator[str]:
    """One line for each task."""
    return (key_of(number - first, tasks[number].title) for number in range(first, len(tasks)))


def condensed(tasks: Sequence[Task], first: int = 0) -> Iterator[str]:
    """The measurements, without the tasks that only help, and how many those are."""
    hidden: Counter[str] = Counter()
    for number in range(first, len(tasks)):
        name = tasks[number].call.partition(":")[2]
        if name in HELPERS:
            hidden[name] += 1
        else:
            yield key_of(number - first, tasks[number].title)
    if hidden:
        told = ", ".join(f"{count} {name}" for name, count in sorted(hidden.items()))
        yield f"and {hidden.total()} more: {told}"
