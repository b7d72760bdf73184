"""What stands on top of every page of a run: where it stands, how long it will take, what people are asked. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scheduler.live import Progress
from scheduler.schedule.remaining import Remaining
from scheduler.state import RunState, RunStatus, TaskState, TaskStatus
from scheduler.verdict import Verdict
from scheduler.web.schedule import BAD
from scheduler.web.text import MARKS, about, duration, harmless, time_of_day

TONES = {Verdict.PASS: "pass", Verdict.FAIL: "fail"}


@dataclass(frozen=True, slots=True)
class Headline:
    """Where a run stands."""

    number: str
    plan: str
    text: str
    tone: str
    """pass, fail, error, running, waiting, stopped: a class of the style sheet."""
    mark: str
    advice: str
    per_cent: float
    """Of the time when all lengths are known, else of the tasks."""
    facts: tuple[tuple[str, str], ...]
    title: str
    """For the browser's tab."""
    said: str
    """For those who listen to the page: changes when a task ends, not with each step."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A question that waits for people."""

    task: str
    title: str
    text: tuple[str, ...]
    """Its lines."""
    seq: int
    denied: bool
    since: str


@dataclass(frozen=True, slots=True)
class Running:
    """A task that runs now."""

    id: str
    title: str
    attempt: int
    per_cent: float | None
    text: str
    elapsed: str
    left: str
    beside: bool
    """Others do not wait for it."""


def headline(
    state: RunState, left: Remaining, live: Progress | None, now_s: float, *, alive: bool
) -> Headline:
    """The top of the page."""
    text, tone, advice = _standing(state, alive=alive)
    tasks = state.tasks.values()
    done = sum(task.status is TaskStatus.DONE for task in tasks)
    bad = sum(task.verdict in BAD for task in tasks)
    mark = MARKS.get(state.verdict, "") if state.status is RunStatus.FINISHED else ""
    number = state.run
    asked = bool(state.questions) and alive
    title = f"{mark or ('?' if asked else '▶' if alive else '■')} {done}/{len(state.tasks)} · Run {number}"
    last = max(
        (task for task in tasks if task.finished_at is not None),
        key=lambda task: task.finished_at or 0.0,
        default=None,
    )
    latest = "" if last is None else f" {last.task.id}: {last.verdict}."
    return Headline(
        number=number,
        plan=harmless(state.plan.name, 120) if state.plan is not None else "",
        text=text,
        tone=tone,
        mark=mark,
        advice=advice,
        per_cent=_per_cent(state, left, live, done, now_s, alive=alive),
        facts=tuple(_facts(state, left, done, bad, now_s, alive=alive)),
        title=f"Question: {title}" if asked else title,
        said=f"{text}, {done} of {len(state.tasks)} tasks done.{latest}{' A question waits.' if asked else ''}",
    )


def _standing(state: RunState, *, alive: bool) -> tuple[str, str, str]:
    """Word, tone and advice."""
    if state.status is RunStatus.FINISHED:
        return str(state.verdict), TONES.get(state.verdict, "error"), ""
    if alive and state.questions:
        return "Waiting for an answer", "waiting", ""
    if alive and state.status is RunStatus.PAUSED:
        return "Paused", "waiting", f"by {harmless(state.by or 'somebody', 80)}"
    if alive:
        return "Running", "running", ""
    if state.status is RunStatus.CREATED:
        return "Not started", "waiting", ""
    why = state.stop.text if state.stop is not None else "Its process is gone."
    return "Stopped", "stopped", f"{harmless(why, 600).rstrip('.')}. Go on with: stellwerk fat resume"


def _per_cent(
    state: RunState, left: Remaining, live: Progress | None, done: int, now_s: float, *, alive: bool
) -> float:
    if alive and left.unknown == 0 and left.tasks_s:
        spent = sum(task.wall_s or 0.0 for task in state.tasks.values() if task.status is TaskStatus.DONE)
        spent += sum(now_s - task.started_at for task in _running(state) if task.started_at is not None)
        return 100.0 * spent / max(spent + left.run_s, 1e-9)
    part = (live.fraction or 0.0) if live is not None and alive else 0.0
    return 100.0 * min(len(state.tasks), done + part) / max(1, len(state.tasks))


def _facts(
    state: RunState, left: Remaining, done: int, bad: int, now_s: float, *, alive: bool
) -> list[tuple[str, str]]:
    facts = [("Tasks", f"{done} of {len(state.tasks)}")]
    if bad:
        facts.append(("Not passed", f"✘ {bad}"))
    end = state.ended_at or (now_s if alive else state.updated_at)
    if state.started_at is not None and end is not None:
        facts.append(("Elapsed", duration(end - state.started_at)))
    if alive and state.status is not RunStatus.FINISHED and (left.tasks_s or left.unknown):
        facts += _forecast(state, left, now_s)
    elif state.ended_at is not None:
        facts.append(("Ended", time_of_day(state.ended_at, now_s)))
    if left.pace != 1.0 and state.sim_ns:
        facts.append(("Its clock", about(state.sim_ns / 1e9)))
    operator = state.plan.parameters.get("operator") if state.plan is not None else None
    if isinstance(operator, str) and operator:
        facts.append(("Operator", harmless(operator, 60)))
    facts.append(("Host", harmless(state.host, 60) or "–"))
    if state.attempt > 1:
        facts.append(("Attempt", str(state.attempt)))
    return facts


def _forecast(state: RunState, left: Remaining, now_s: float) -> list[tuple[str, str]]:
    if not left.tasks_s:
        return [("Remaining", f"unknown, for {left.unknown} tasks")]
    at_least = "≥ " if left.unknown else "≈ "
    unknown = f" + {left.unknown} unknown" if left.unknown else ""
    facts = [("Remaining", f"{at_least}{about(left.run_s)}{unknown}")]
    if state.status is RunStatus.RUNNING and not state.questions:
        facts.append(("Ends", f"{at_least}{time_of_day(now_s + left.run_s, now_s)}"))
    return facts


def _running(state: RunState) -> list[TaskState]:
    return [task for task in state.tasks.values() if task.status is TaskStatus.RUNNING]


def in_turn_first(state: RunState) -> list[TaskState]:
    """The tasks that run, those that others wait for before those beside them."""
    return sorted(_running(state), key=lambda task: task.task.beside)


def running(
    state: RunState, left: Remaining, lives: Sequence[Progress], now_s: float, *, alive: bool
) -> list[Running]:
    """The tasks that run now, those first that others wait for."""
    told = {live.task: live for live in lives}
    found = []
    for task in in_turn_first(state) if alive else []:
        live = told.get(task.task.id)
        elapsed_s = None if task.started_at is None else max(0.0, now_s - task.started_at)
        left_s = left.tasks_s.get(task.task.id)
        fraction = live.fraction if live is not None else None
        if fraction is None and left_s is not None and elapsed_s is not None and elapsed_s + left_s > 0:
            fraction = elapsed_s / (elapsed_s + left_s)
        found.append(
            Running(
                id=task.task.id,
                title=harmless(task.task.title, 120),
                attempt=task.attempt,
                per_cent=None if fraction is None else 100 * fraction,
                text=_told(live),
                elapsed=duration(elapsed_s),
                left="" if left_s is None else f"≈ {about(left_s)} left",
                beside=task.task.beside,
            )
        )
    return found


def _told(live: Progress | None) -> str:
    if live is None:
        return ""
    steps = f"{live.done:.0f} of {live.total:.0f}" if live.total > 0 else ""
    return " · ".join(filter(None, (harmless(live.text, 200), steps)))


def asking(state: RunState, now_s: float, *, alive: bool) -> list[Asking]:
    """The questions that wait, oldest first."""
    found = []
    for question in state.questions.values() if alive else ():
        task = state.tasks.get(question.task)
        lines = [harmless(line, 400) for line in question.text[:4000].splitlines()[:20]]
        found.append(
            Asking(
                task=question.task,
                title=harmless(task.task.title, 120) if task else question.task,
                text=tuple(lines),
                seq=question.seq,
                denied=question.denied,
                since=time_of_day(question.asked_at, now_s),
            )
        )
    return found
