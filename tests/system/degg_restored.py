"""Tasks of test_degg_restored.py: a measurement that pauses when it has begun its entries, an analysis that waits.

Gates are pipes that the test holds open: reading waits until somebody has written.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import patch

from fat.degg.tasks import monitoring_constant
from fat.degg.tasks.remote import trigger_remote_wrapper
from scheduler import TaskContext, TaskResult


def open_gate(path: str) -> None:
    with Path(path).open("wb") as pipe:
        pipe.write(b"x")


def wait_at(path: str) -> None:
    with Path(path).open("rb", buffering=0) as pipe:
        pipe.read(1)


def measured(context: TaskContext, begun: str = "", saved: str = "") -> TaskResult:
    """Constant monitoring; the first attempt opens *begun* when it has begun, and then waits at *saved*."""
    take_stamps = monitoring_constant.take_stamps

    def pausing(*arguments: Any) -> Any:
        if begun and context.attempt == 1:
            open_gate(begun)
            wait_at(saved)
        return take_stamps(*arguments)

    with patch.object(monitoring_constant, "take_stamps", pausing):
        return monitoring_constant.constant_monitor(context, "very_cold0", events=300)


def analysed(context: TaskContext, analysis: str, at: str = "") -> TaskResult:
    """An analysis; the first attempt waits at a gate."""
    if at and context.attempt == 1:
        wait_at(at)
    return trigger_remote_wrapper(context, analysis)
