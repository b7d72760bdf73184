"""What a task function is given, and what it gives back.

A task is a function of one argument, in a module that can be imported:

    def measure_dark(context: TaskContext) -> TaskResult:
        context.progress(0, 100)
        ...
        return TaskResult(Verdict.PASS, {"noise_adu": 3.1})

It runs in a process of its own. An exception is an ERROR: it never counts against the device under test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from scheduler.artefacts import FOLDER
from scheduler.notify.notice import Notice, Severity
from scheduler.question import Answer
from scheduler.trends import Point, append_point
from scheduler.verdict import Verdict


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What a task found."""

    verdict: Verdict = Verdict.PASS
    outputs: Mapping[str, Any] = field(default_factory=dict)
    """JSON, at most 1 MiB as text; larger results belong into files below the run folder."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check between tasks found. One that is not ok, `check_attempts` times, stops the run with ERROR."""

    ok: bool
    text: str
    """One sentence for people: what is well, or what is wrong and what to do."""
    repaired: str = ""
    """What it put right, for people: "module 5003 was flashed again"."""


class TaskClock(Protocol):
    """Time as a task sees it."""

    def now_ns(self) -> int:
        """The time now, nanoseconds."""
        ...

    def wait_until(self, t_ns: int) -> int:
        """Block until then; returns the time."""
        ...


class Reporter(Protocol):
    """Where a task's words go."""

    def progress(self, done: float, total: float, text: str) -> None:
        """Show how far the task is."""
        ...

    def note(self, text: str) -> None:
        """Write a sentence into the journal."""
        ...

    def notify(self, notice: Notice) -> None:
        """Tell people."""
        ...

    def ask(self, text: str, severity: Severity) -> Answer:
        """Wait until a person has said yes."""
        ...

    def keep(self, value: Any) -> None:
        """Make it durable for the next attempt."""
        ...


@dataclass(frozen=True, slots=True)
class TaskContext:
    """All that a task or a check is told."""

    run_dir: Path
    task_id: str
    """For a check: the task that it precedes."""
    title: str
    attempt: int
    """1, then one more for each time that the task was begun and did not end; 0 when cleaning up without a record."""
    arguments: Mapping[str, Any]
    parameters: Mapping[str, Any]
    """The plan's."""
    results: Mapping[str, Mapping[str, Any]]
    """Outputs of the tasks that have finished, by task."""
    environment: Mapping[str, Any]
    """What the application gave at launch: addresses, tokens. Never journalled."""
    clock: TaskClock
    reporter: Reporter
    failures: int = 0
    """How often it was tried in vain since the run was taken up (`retries`); a check: how often it was not content."""
    kept: Any = None
    """What an earlier attempt kept of its work; None for nothing, or when the plan wants it `again` from its start."""
    since: int = 0
    """The attempt that began at the start; its folder of artefacts is the one in use."""
    call: str = ""
    """`module:function` of the task; for a check: of the task that it precedes."""
    unsure: frozenset[str] = frozenset()
    """Tasks of the plan that have not certainly ended when this one begins: those after it, and those beside it. What
    they leave in files may be there or not; who leaves it out finds the same on every machine and in every attempt.
    Empty for a check."""

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Show how far the task is, in any unit. Not journalled; more than ten times a second is thinned."""
        self.reporter.progress(done, total, text)

    def note(self, text: str) -> None:
        """Write a sentence into the journal. It is durable when the engine has read it."""
        self.reporter.note(text)

    def notify(
        self,
        text: str,
        *,
        severity: Severity | str = Severity.MESSAGE,
        picture: Path | str | None = None,
        title: str = "",
    ) -> None:
        """Tell people. It goes to the journal first, so it is delivered even if the network or this process dies.

        severity  `message`, `warning`, `critical` or `monitoring`: who gets it (docs/scheduler.md)
        picture   a file, copied at once to `pictures/` below the run folder
        title     of the picture; default: its name

        A picture that cannot be read, or is too large, is named in the text instead: telling never breaks a task.
        After 100 notices of one process the rest is left out. Raises ValueError for a severity that there is not.
        """
        self.reporter.notify(
            Notice(Severity(severity), text, picture="" if picture is None else str(picture), title=title)
        )

    def ask(self, text: str, *, severity: Severity | str = Severity.MESSAGE) -> Answer:
        """Ask people a question, and wait until one of them has said yes; returns who, when, and with which words.

        severity  who is told that the run waits; `critical` wakes everybody

        A *no* does not come back: it is asked again, and when it is confirmed the run is interrupted with the reason
        that was given. The clock of a simulated bench stands meanwhile, as in any work of a task; wall time goes on,
        but not the task's `timeout_s`. An attempt after one that was cut short finds the answers that were given to
        the same questions in the same order. Not for checks: they must answer by themselves (RuntimeError).
        Raises ValueError for a severity that there is not.
        """
        return self.reporter.ask(text, Severity(severity))

    def trend(
        self,
        name: str,
        value: float,
        unit: str,
        *,
        limits: tuple[float | None, float | None] | None = None,
        group: str = "",
        at_ns: int | None = None,
    ) -> None:
        """Add a point to a time series that the live page draws; it is kept in `trends.csv`, not in the journal.

        name    of the series, in its group; a group's series of one unit share a picture
        value   what is no finite number is a gap
        limits  (low, high), either may be None: where the value should be
        at_ns   when it was measured, by the run's clock; default: now, which is asked of the engine

        A point that cannot be written is left out: no task ends by that. Raises ClockLost.
        """
        clock_s = (self.clock.now_ns() if at_ns is None else at_ns) / 1e9
        low, high = limits or (None, None)
        append_point(self.run_dir, Point(clock_s, self.task_id, group, name, value, unit, low, high))

    def keep(self, value: Any) -> None:
        """Keep what is done of the work, as JSON of at most 64 KiB; it is durable when this returns.

        An attempt that follows finds the latest in `kept`, and goes on from there; files belong into `artefacts`. Not
        for checks (RuntimeError). Raises ValueError when it is no JSON or too large.
        """
        self.reporter.keep(value)

    @property
    def artefacts(self) -> Path:
        """The folder for files that the task leaves, made when it is asked for.

        What is in it when the task ends well is listed in the journal with size and SHA-256, at most 1000 files. An
        attempt that goes on from what was kept has the same folder, and may find there what was cut short.
        """
        folder = self.run_dir / FOLDER / self.task_id / str(self.since or self.attempt)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
