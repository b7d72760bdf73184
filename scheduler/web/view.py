"""What the pages show, as plain values made from journals. Pure but for reading the run's folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from scheduler.folding import fold
from scheduler.journal import being_written, read_journal
from scheduler.live import Progress, read_live
from scheduler.state import RunState, RunStatus, TaskState, TaskStatus
from scheduler.verdict import Verdict

MARKS: Final = {
    Verdict.PASS: "✔",
    Verdict.FAIL: "✘",
    Verdict.ERROR: "!",
    Verdict.ABORTED: "■",
    Verdict.SKIPPED: "–",
    Verdict.UNSET: "",
}
"""A shape for each verdict: nobody needs its colour."""
RESULT_FILES: Final = ("report.html", "record.json")


@dataclass(frozen=True, slots=True)
class TaskRow:
    """One line of the schedule."""

    number: int
    id: str
    title: str
    status: str
    """pending, running, done."""
    verdict: str
    mark: str
    took: str
    simulated: str
    attempt: int
    notes: tuple[str, ...]
    checks: tuple[tuple[str, bool, str], ...]
    backup: str
    error: str


@dataclass(frozen=True, slots=True)
class RunView:
    """One run as its page shows it."""

    number: str
    plan: str
    headline: str
    tone: str
    """pass, fail, error, running, waiting, stopped: a class of the style sheet."""
    mark: str
    advice: str
    alive: bool
    paused: bool
    done: int
    total: int
    elapsed: str
    simulated: str
    host: str
    attempt: int
    rows: tuple[TaskRow, ...]
    progress: Progress | None
    files: tuple[str, ...]

    @property
    def per_cent(self) -> float:
        """Tasks done, with the fraction of the running one."""
        running = (self.progress.fraction or 0.0) if self.progress is not None else 0.0
        return 100.0 * min(self.total, self.done + running) / max(1, self.total)


def view(run_dir: Path) -> RunView:
    """The view of a run. Raises RunNotFound, JournalCorrupt."""
    state = fold(read_journal(run_dir))
    alive = being_written(run_dir)
    headline, tone, advice = _headline(state, alive)
    progress = read_live(run_dir) if alive else None
    done = sum(task.status is TaskStatus.DONE for task in state.tasks.values())
    end = state.ended_at or (datetime.now(UTC).timestamp() if alive else state.updated_at)
    return RunView(
        number=state.run or run_dir.name,
        plan=state.plan.name if state.plan is not None else "",
        headline=headline,
        tone=tone,
        mark=MARKS.get(state.verdict, "") if state.status is RunStatus.FINISHED else "",
        advice=advice,
        alive=alive,
        paused=state.status is RunStatus.PAUSED,
        done=done,
        total=len(state.tasks),
        elapsed=duration(None if state.started_at is None or end is None else end - state.started_at),
        simulated=duration(state.sim_ns / 1e9),
        host=state.host,
        attempt=state.attempt,
        rows=tuple(_row(number, task) for number, task in enumerate(state.tasks.values(), start=1)),
        progress=progress,
        files=tuple(name for name in RESULT_FILES if (run_dir / name).is_file()),
    )


def _headline(state: RunState, alive: bool) -> tuple[str, str, str]:
    """Headline, tone and advice."""
    if state.status is RunStatus.FINISHED:
        tones = {Verdict.PASS: "pass", Verdict.FAIL: "fail"}
        return str(state.verdict), tones.get(state.verdict, "error"), ""
    if alive and state.status is RunStatus.PAUSED:
        return "Paused", "waiting", f"by {state.by or 'somebody'}"
    if alive:
        return "Running", "running", ""
    if state.status is RunStatus.CREATED:
        return "Not started", "waiting", ""
    why = state.stop.text if state.stop is not None else "Its process is gone."
    return "Stopped", "stopped", f"{why} Go on with: stellwerk fat resume"


def _row(number: int, task: TaskState) -> TaskRow:
    backup = ""
    if task.backup is not None:
        backup = (
            f"backup verified, {task.backup.files} files"
            if task.backup.verified
            else f"backup failed: {task.backup.error}"
        )
    span = None
    if task.started_sim_ns is not None and task.finished_sim_ns is not None:
        span = (task.finished_sim_ns - task.started_sim_ns) / 1e9
    return TaskRow(
        number=number,
        id=task.task.id,
        title=task.task.title,
        status=str(task.status),
        verdict="" if task.verdict is Verdict.UNSET else str(task.verdict),
        mark=MARKS.get(task.verdict, ""),
        took=duration(task.wall_s),
        simulated=duration(span),
        attempt=task.attempt,
        notes=task.notes[-6:],
        checks=tuple((name.rsplit(":", 1)[-1], seen.ok, seen.told) for name, seen in task.checks.items()),
        backup=backup,
        error=task.error or task.reason,
    )


def duration(seconds: float | None) -> str:
    """Text of a duration: `0.4 s`, `12 s`, `3:05`, `2:03:05`; nothing for None."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
