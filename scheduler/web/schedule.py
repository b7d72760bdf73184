"""The schedule as the page shows it: a whole short one, or of a long one what matters now. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from scheduler.schedule.remaining import Remaining
from scheduler.state import RunState, RunStatus, TaskState, TaskStatus
from scheduler.verdict import Verdict
from scheduler.web.text import about, duration, harmless, signal, time_of_day
from scheduler.web.values import Sheet

SHORT: Final = 60
"""A schedule of no more tasks is shown whole."""
DONE_SHOWN: Final = 4
TO_COME_SHOWN: Final = 12
BAD_SHOWN: Final = 30
PAGE: Final = 200
KINDS_SHOWN: Final = 14
MOST_TEXT: Final = 600
BAD: Final = (Verdict.FAIL, Verdict.ERROR, Verdict.ABORTED)

Show = Literal["", "open", "done", "bad", "all"]
SHOWS: Final[tuple[Show, ...]] = get_args(Show)


@dataclass(frozen=True, slots=True)
class Row:
    """One task."""

    number: int
    id: str
    title: str
    status: str
    """pending, running, done."""
    verdict: str
    mark: str
    word: str
    time: str
    """How long it took; or how long it will take, and when it begins."""
    attempt: int
    notes: tuple[str, ...]
    checks: tuple[tuple[str, bool, str], ...]
    backup: str
    error: str
    values: str
    """How many values it measured, and how many are outside their limits."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Many tasks in one line."""

    key: str
    text: str
    kinds: tuple[tuple[str, int], ...]
    """What they call, and how often."""
    more: int
    """Kinds that are not named."""
    show: Show
    time: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What is shown of a schedule."""

    items: tuple[Row | Fold, ...]
    counts: Mapping[str, int]
    """Tasks by what `show` would show."""
    show: Show
    search: str
    page: int
    pages: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What part of the schedule somebody wants to see."""

    show: Show = ""
    search: str = ""
    page: int = 1

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Asked:
        """From an address; what is not understood is the default."""
        show: Show = next((s for s in SHOWS if s == query.get("show")), "")
        number = query.get("page", "1")
        page = int(number) if number.isdecimal() and len(number) < 6 else 1
        return cls(show, query.get("q", "")[:80].strip(), max(1, page))


def listing(state: RunState, left: Remaining, sheet: Sheet, now_s: float, asked: Asked) -> Listing:
    """The schedule as *asked*."""
    tasks = list(state.tasks.values())
    maker = _maker(state, left, sheet, now_s)
    counts = {
        "open": sum(task.status is not TaskStatus.DONE for task in tasks),
        "done": sum(task.status is TaskStatus.DONE for task in tasks),
        "bad": sum(task.verdict in BAD for task in tasks),
        "all": len(tasks),
    }
    if not asked.show and not asked.search:
        items = [maker.row(t) for t in tasks] if len(tasks) <= SHORT else _window(tasks, maker)
        return Listing(tuple(items), counts, "", "", 1, 1)
    found = [task for task in tasks if _wanted(task, asked)]
    pages = max(1, -(-len(found) // PAGE))
    page = min(asked.page, pages)
    rows = tuple(maker.row(task) for task in found[(page - 1) * PAGE : page * PAGE])
    return Listing(rows, counts, asked.show, asked.search, page, pages)


def row_of(state: RunState, name: str, left: Remaining, sheet: Sheet, now_s: float) -> Row:
    """One task of a run. Raises KeyError."""
    return _maker(state, left, sheet, now_s).row(state.tasks[name])


def _maker(state: RunState, left: Remaining, sheet: Sheet, now_s: float) -> _Maker:
    tasks = list(state.tasks.values())
    begins = _begins(tasks, left, now_s, going=state.status is RunStatus.RUNNING)
    return _Maker({task.task.id: n for n, task in enumerate(tasks, start=1)}, begins, left, sheet, now_s)


def _wanted(task: TaskState, asked: Asked) -> bool:
    by_show = {
        "open": task.status is not TaskStatus.DONE,
        "done": task.status is TaskStatus.DONE,
        "bad": task.verdict in BAD,
    }
    if not by_show.get(asked.show, True):
        return False
    words = asked.search.casefold()
    return any(words in text.casefold() for text in (task.task.id, task.task.title, task.task.call))


def _window(tasks: Sequence[TaskState], maker: _Maker) -> list[Row | Fold]:
    """Around now: what went wrong, the latest that are done, what runs, what comes next. The rest is folded."""
    last = max((n for n, task in enumerate(tasks) if task.status is not TaskStatus.PENDING), default=-1)
    bad = [n for n, task in enumerate(tasks) if task.verdict in BAD][-BAD_SHOWN:]
    near = range(last - DONE_SHOWN, last + 1 + TO_COME_SHOWN)
    shown = {n for n, task in enumerate(tasks) if n in near or task.status is TaskStatus.RUNNING} | set(bad)
    items: list[Row | Fold] = []
    folded: list[TaskState] = []
    for n, task in enumerate(tasks):
        if folded and (
            n in shown or (task.status is TaskStatus.DONE) != (folded[-1].status is TaskStatus.DONE)
        ):
            items.append(maker.fold(folded))
            folded = []
        if n in shown:
            items.append(maker.row(task))
        else:
            folded.append(task)
    return [*items, maker.fold(folded)] if folded else items


def _begins(tasks: Sequence[TaskState], left: Remaining, now_s: float, *, going: bool) -> dict[str, float]:
    """When each task to come will probably begin, Unix time; up to the first whose length nobody knows."""
    begins: dict[str, float] = {}
    at = now_s
    for task in tasks if going else ():
        if task.status is TaskStatus.DONE:
            continue
        begins[task.task.id] = at
        if task.task.id not in left.tasks_s:
            break
        at += left.tasks_s[task.task.id]
    return begins


class _Maker:
    def __init__(
        self,
        numbers: Mapping[str, int],
        begins: Mapping[str, float],
        left: Remaining,
        sheet: Sheet,
        now_s: float,
    ) -> None:
        self._numbers, self._begins, self._left = numbers, begins, left
        self._sheet, self._now_s = sheet, now_s

    def row(self, task: TaskState) -> Row:
        """One task."""
        mark, word = signal(task.status, task.verdict)
        return Row(
            number=self._numbers[task.task.id],
            id=task.task.id,
            title=harmless(task.task.title, 120),
            status=str(task.status),
            verdict="" if task.verdict is Verdict.UNSET else str(task.verdict),
            mark=mark,
            word=word,
            time=self._time(task),
            attempt=task.attempt,
            notes=tuple(harmless(note, MOST_TEXT) for note in task.notes[-6:]),
            checks=tuple(
                (harmless(name.rsplit(":", 1)[-1], 80), seen.ok, harmless(seen.told, MOST_TEXT))
                for name, seen in list(task.checks.items())[-20:]
            ),
            backup=_backup(task),
            error=harmless(task.error or task.reason, MOST_TEXT),
            values=self._values(task),
        )

    def fold(self, tasks: Sequence[TaskState]) -> Fold:
        """Many tasks in one line, all done or all to come."""
        kinds = Counter(task.task.call.rsplit(":", 1)[-1] for task in tasks).most_common()
        done = tasks[0].status is TaskStatus.DONE
        counts = Counter(task.verdict for task in tasks)
        told = [f"{count} {verdict}" for verdict, count in counts.most_common() if verdict in MARKED]
        lasts = [self._left.tasks_s.get(task.task.id) for task in tasks]
        known = sum(seconds for seconds in lasts if seconds is not None)
        took = sum(task.wall_s or 0.0 for task in tasks)
        return Fold(
            key=tasks[0].task.id,
            text=f"{len(tasks)} done: {', '.join(told)}" if done and told else f"{len(tasks)} to come",
            kinds=tuple(kinds[:KINDS_SHOWN]),
            more=len(kinds) - len(kinds[:KINDS_SHOWN]),
            show="done" if done else "open",
            time=duration(took) if done else (f"≈ {about(known)}" if known else ""),
        )

    def _time(self, task: TaskState) -> str:
        if task.status is TaskStatus.DONE:
            return duration(task.wall_s)
        if task.status is TaskStatus.RUNNING:
            return ""
        lasts_s, begins = self._left.tasks_s.get(task.task.id), self._begins.get(task.task.id)
        told = [] if lasts_s is None else [f"≈ {about(lasts_s)}"]
        return " · ".join([*told, *([f"at {time_of_day(begins, self._now_s)}"] if begins else [])])

    def _values(self, task: TaskState) -> str:
        values = self._sheet.of_task(task.task.id)
        outside = sum(value.verdict is Verdict.FAIL for value in values)
        if not values:
            return ""
        word = "value" if len(values) == 1 else "values"
        return f"{len(values)} {word}, {outside} outside" if outside else f"{len(values)} {word}"


MARKED: Final = tuple(verdict for verdict in Verdict if verdict is not Verdict.UNSET)


def _backup(task: TaskState) -> str:
    backup = task.backup
    if backup is None:
        return ""
    if backup.verified:
        return f"backup verified, {backup.files} files"
    return f"backup failed: {harmless(backup.error, MOST_TEXT)}"
