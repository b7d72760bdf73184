"""Tasks of test_degg_beside.py: an analysis that begins to read when the measurement after it has ended."""

from __future__ import annotations

import os
import signal
import time

from fat.degg.tasks import boots, monitoring
from fat.degg.tasks.remote import trigger_remote_wrapper
from scheduler import TaskContext, TaskResult


def measured(context: TaskContext, what: str) -> TaskResult:
    """A measurement that says when it has ended."""
    if what == "bootmon":
        result = boots.bootmon(context, "reboot")
    else:
        result = getattr(monitoring, what)(context, "beside")
    (context.run_dir / f"done_{context.task_id}").touch()
    return result


def late(context: TaskContext, analysis: str, until: str = "", dies: bool = False) -> TaskResult:
    """An analysis that waits for the end of a later measurement; the first attempt may be killed then."""
    while until and not (context.run_dir / f"done_{until}").exists():
        time.sleep(0.01)
    if dies and context.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return trigger_remote_wrapper(context, analysis)
