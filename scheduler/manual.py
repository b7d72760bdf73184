"""A task that only asks: a schedule waits here until somebody has said yes."""

from __future__ import annotations

from scheduler.notify.notice import Severity
from scheduler.task import TaskContext, TaskResult


def manual_input(context: TaskContext, message: str, severity: Severity = Severity.MESSAGE) -> TaskResult:
    """Ask *message* and wait for a yes (`TaskContext.ask`); the outputs tell who gave it, with which comment."""
    answer = context.ask(message, severity=severity)
    return TaskResult(outputs={"by": answer.by, "comment": answer.comment})
