"""A generic crash-proof task scheduler. It knows no detector word.

A plan is made into a run (`create_run`), an `Engine` carries the run out, and if it is killed at any moment another
engine goes on from the journal. Tasks are functions of one `TaskContext`, each in a process of its own.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduler.clock import Clock, WallClock
    from scheduler.config import SchedulerTable
    from scheduler.declared import declares
    from scheduler.engine import Engine
    from scheduler.errors import SchedulerError
    from scheduler.folding import resume_time_ns
    from scheduler.journal import JournalRecord, read_journal
    from scheduler.listening import Listener
    from scheduler.live import Progress, read_live
    from scheduler.outcome import Outcome
    from scheduler.plan import Plan, Task
    from scheduler.question import Answer, Question
    from scheduler.records import comparable, record
    from scheduler.runs import create_run, list_runs, open_run, open_runs, point_latest, resumable
    from scheduler.state import RunState
    from scheduler.task import CheckResult, TaskContext, TaskResult
    from scheduler.terminal import Keyboard, Terminal
    from scheduler.verdict import EXIT_CODES, Verdict, overall

__all__ = [
    "EXIT_CODES",
    "Answer",
    "CheckResult",
    "Clock",
    "Engine",
    "JournalRecord",
    "Keyboard",
    "Listener",
    "Outcome",
    "Plan",
    "Progress",
    "Question",
    "RunState",
    "SchedulerError",
    "SchedulerTable",
    "Task",
    "TaskContext",
    "TaskResult",
    "Terminal",
    "Verdict",
    "WallClock",
    "comparable",
    "create_run",
    "declares",
    "list_runs",
    "open_run",
    "open_runs",
    "overall",
    "point_latest",
    "read_journal",
    "read_live",
    "record",
    "resumable",
    "resume_time_ns",
]

_ROOMS = {
    "scheduler.clock": ("Clock", "WallClock"),
    "scheduler.config": ("SchedulerTable",),
    "scheduler.declared": ("declares",),
    "scheduler.engine": ("Engine",),
    "scheduler.listening": ("Listener",),
    "scheduler.errors": ("SchedulerError",),
    "scheduler.journal": ("JournalRecord", "read_journal"),
    "scheduler.live": ("Progress", "read_live"),
    "scheduler.outcome": ("Outcome",),
    "scheduler.plan": ("Plan", "Task"),
    "scheduler.question": ("Answer", "Question"),
    "scheduler.records": ("comparable", "record"),
    "scheduler.runs": ("create_run", "list_runs", "open_run", "open_runs", "point_latest", "resumable"),
    "scheduler.folding": ("resume_time_ns",),
    "scheduler.state": ("RunState",),
    "scheduler.task": ("CheckResult", "TaskContext", "TaskResult"),
    "scheduler.terminal": ("Keyboard", "Terminal"),
    "scheduler.verdict": ("EXIT_CODES", "Verdict", "overall"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a room when something in it is asked for: the command line must start without pydantic and structlog."""
    if name not in _ROOM_OF:
        raise AttributeError(f"module 'scheduler' has no attribute {name!r}")
    return getattr(import_module(_ROOM_OF[name]), name)
