"""Task functions that tell people something."""

from __future__ import annotations

import threading

from scheduler.task import CheckResult, TaskContext, TaskResult
from scheduler.verdict import Verdict


def passes(context: TaskContext) -> None:
    pass


def fails(context: TaskContext) -> TaskResult:
    return TaskResult(Verdict.FAIL)


def tells(context: TaskContext) -> None:
    context.notify(f"{context.task_id} begins")
    picture = context.run_dir / "rates.png"
    picture.write_bytes(b"\x89PNG of " + context.task_id.encode())
    context.notify("rates", severity="monitoring", picture=picture, title="Dark rates")
    picture.write_bytes(b"\x89PNG of something else")
    context.notify("it is hot", severity="critical", picture=context.run_dir / "lost.png")


def tells_too_much(context: TaskContext) -> None:
    for number in range(300):
        context.notify(f"{number}: {'x' * 10_000}")


def tells_nonsense(context: TaskContext) -> None:
    context.notify("oh", severity="catastrophe")


def tells_while_it_is_stopped(context: TaskContext) -> None:
    try:
        context.note("begun")
        threading.Event().wait()
    finally:
        context.notify("the lamp cannot be switched off", severity="critical")


def well_and_tells(context: TaskContext) -> CheckResult:
    context.notify("all modules rebooted")
    return CheckResult(True, "well")
