"""Tasks that end badly, for test_scheduler_kill.py."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

from scheduler.task import TaskContext, TaskResult


def linger(context: TaskContext) -> None:
    """Tell the process ids of this task and of one it started; then never end."""
    child = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    Path(context.environment["tell"]).write_text(f"{os.getpid()}\n{child.pid}\n")
    if context.arguments["busy"] == "sleeps":
        threading.Event().wait()
    sys.setswitchinterval(1000)
    while True:
        pass


def breaks_once(context: TaskContext) -> TaskResult:
    """An error in the first attempt, none in the second."""
    context.clock.wait_until(context.clock.now_ns() + 7)
    if context.attempt == 1:
        raise RuntimeError("a cable is loose")
    return TaskResult()


def engine(root: str, tell: str, busy: str) -> None:
    """Carry out a plan that lingers."""
    from scheduler import Engine, Plan, SchedulerTable, Task, WallClock, create_run

    plan = Plan("linger", (Task("linger", "Linger", "scheduler_toy_linger:linger", {"busy": busy}),))
    Engine(create_run(Path(root), plan), plan, WallClock(), {"tell": tell}, SchedulerTable()).run()
