"""What can go wrong in the scheduler. A task that fails is a result, never one of these.

SchedulerError
├── PlanRejected        the plan cannot be run as it stands: correct it before anything starts
├── ScheduleRejected    a file or function that should give a plan has mistakes: correct them
├── RunNotFound         no such run: name another
├── NotRunning          a request needs a running engine and there is none
├── ReasonNeeded        a request stands in the record with its reason, and has none: give one
├── JournalError        the record of a run cannot be used: stop
│   ├── JournalBusy     another engine writes it: leave that one alone
│   ├── JournalCorrupt  a record in it is damaged: restore it from a backup
│   ├── JournalOutdated  an older Stellwerk wrote it: import it
│   ├── JournalRejected  no journal can be at such an address: correct it
│   ├── JournalUnreachable  its database does not answer: try again when it does
│   └── JournalUnwritable  the disk or the database refuses: make room, then resume
├── LauncherLost        task processes cannot be started any more: resume
├── BackupFailed        a backup could not be made, does not read back, or cannot be reached
├── DestinationRejected backups can never go to such an address: correct it
├── RunExists           a run would be restored over another one: put it beside
└── ClockLost           whoever keeps the time went away
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class SchedulerError(Exception):
    """Root of all errors that the scheduler raises on purpose."""

    exit_code = 3
    """Of a program that ends with this error."""


class PlanRejected(SchedulerError):
    """A plan cannot be run as it stands."""

    exit_code = 2

    def __init__(self, plan: str, reason: str, task: str | None = None) -> None:
        self.plan, self.task, self.reason = plan, task, reason
        where = f"plan {plan!r}" if task is None else f"plan {plan!r}, task {task!r}"
        super().__init__(f"{where}: {reason}")


class ScheduleRejected(SchedulerError):
    """What should give a plan has mistakes; one sentence for each, with file, line and section."""

    exit_code = 2

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(self.mistakes))


class RunNotFound(SchedulerError):
    """There is no such run."""

    exit_code = 2

    def __init__(self, where: Path, hint: str) -> None:
        self.where = where
        super().__init__(f"no run at {where}; {hint}")


class NotRunning(SchedulerError):
    """A request was made of a run that no engine is carrying out."""

    exit_code = 2

    def __init__(self, run_dir: Path, request: str) -> None:
        self.run_dir, self.request = run_dir, request
        super().__init__(f"nobody is carrying out run {run_dir.name}, so there is nothing to {request}")


class ReasonNeeded(SchedulerError):
    """Something was asked of a run that needs a reason, without one."""

    exit_code = 2

    def __init__(self, request: str) -> None:
        self.request = request
        super().__init__(f"to {request} a run needs a reason; it stands in the record")


class JournalError(SchedulerError):
    """The journal of a run cannot be used."""


class JournalBusy(JournalError):
    """Another engine holds the journal."""

    exit_code = 2

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(f"{where} is being written by another engine; wait for it, or stop it first")


class JournalCorrupt(JournalError):
    """A record, or what holds the records, is damaged."""

    def __init__(self, where: Path | str, reason: str, record: int | None = None) -> None:
        self.where, self.reason, self.record = where, reason, record
        place = str(where) if record is None else f"{where}, record {record}"
        super().__init__(f"{place}: {reason}; restore the run from a backup")


class JournalOutdated(JournalError):
    """A journal by an older Stellwerk, which kept lines of JSON."""

    exit_code = 2

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        super().__init__(
            f"an older Stellwerk wrote the journal of run {run_dir.name}; "
            f"take it over with: stellwerk sched import {run_dir}"
        )


class JournalRejected(JournalError):
    """No journal can be at such an address."""

    exit_code = 2

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"that is no address for a journal: {reason}")


class JournalUnreachable(JournalError):
    """The database of a journal does not answer."""

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(f"the journal at {where} cannot be reached ({reason}); is its server running?")


class JournalUnwritable(JournalError):
    """A record could not be made durable."""

    exit_code = 74
    """Input or output failed (EX_IOERR of sysexits)."""

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(f"{where} cannot be written ({reason}); make it writable, then resume the run")


class LauncherLost(SchedulerError):
    """The process that starts task processes is gone, or never came up."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"task processes cannot be started: {reason}")


class BackupFailed(SchedulerError):
    """A backup could not be made, does not read back, or cannot be reached."""

    def __init__(self, where: str, reason: str) -> None:
        self.where, self.reason = where, reason
        super().__init__(f"backup {where}: {reason}")


class DestinationRejected(SchedulerError):
    """No backup can ever go to such an address."""

    exit_code = 2

    def __init__(self, address: str, reason: str) -> None:
        self.address, self.reason = address, reason
        super().__init__(f"backups cannot go to {address!r}: {reason}")


class RunExists(SchedulerError):
    """A run would be put where another one is."""

    exit_code = 2

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        super().__init__(f"{run_dir} is there already; move it away, or put this one beside it with --beside")


class ClockLost(SchedulerError):
    """The clock that a run waits on went away."""
