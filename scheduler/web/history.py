"""All runs: what became of each, one quantity over many of them, two of them side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from scheduler.errors import SchedulerError
from scheduler.journal import being_written
from scheduler.runs import list_runs, open_run
from scheduler.state import RunState
from scheduler.verdict import Verdict
from scheduler.web.chart import Chart, Curve, chart
from scheduler.web.summary import Summary, keep, kept_summary, kept_values, summarise
from scheduler.web.text import figure
from scheduler.web.values import Key, Sheet, Value, natural

BUDGET_S: Final = 3.0
"""How long one page may read journals of runs that were not read before."""
FRESH_S: Final = 5.0
"""How old the summary of a run may be that can still change."""
MOST_RUNS: Final = 40
"""Of which one quantity is shown."""
EARLIER_RUNS: Final = 5
MOST_ROWS: Final = 400

Values = Mapping[Key, Value]


class History:
    """What the journals below one folder tell. For several threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._summaries: dict[str, tuple[float, Summary]] = {}
        self._values: dict[str, Values] = {}

    def summaries(self) -> tuple[list[Summary], int]:
        """The runs, newest first, and how many were not read in the time that a page may take; ask again for those."""
        deadline_s = time.monotonic() + BUDGET_S
        found, unread = [], 0
        for run_dir in reversed(list_runs(self._root)):
            if time.monotonic() > deadline_s and not self._known(run_dir.name):
                unread += 1
                continue
            summary = self.summary(run_dir)
            if summary is not None:
                found.append(summary)
        return found, unread

    def summary(self, run_dir: Path) -> Summary | None:
        """One run; None when its journal cannot be read."""
        with self._lock:
            return self._summary(run_dir)

    def earlier(self, but: Path, plan: str) -> list[Mapping[str, Sequence[float]]]:
        """How long tasks took in the latest finished runs of a plan."""
        deadline_s = time.monotonic() + BUDGET_S
        found: list[Mapping[str, Sequence[float]]] = []
        for run_dir in reversed(list_runs(self._root)):
            if len(found) == EARLIER_RUNS or time.monotonic() > deadline_s:
                break
            summary = None if run_dir.name == but.name else self.summary(run_dir)
            if summary is not None and summary.final and summary.plan == plan:
                found.append(summary.spans)
        return found

    def values(self, run: str) -> Values:
        """The values of a run that count; none when its journal cannot be read."""
        with self._lock:
            summary = self._summary(self._root / run)
            if summary is None:
                return {}
            if run not in self._values:
                kept = kept_values(self._root, run) if summary.final else None
                self._values[run] = self._read(self._root / run)[1] if kept is None else kept
                while len(self._values) > MOST_RUNS + 2:
                    del self._values[next(iter(self._values))]
            return self._values[run]

    def quantity(self, key: Key) -> list[tuple[str, Value]]:
        """One quantity in the latest runs that measured it, oldest first."""
        deadline_s = time.monotonic() + BUDGET_S
        found: list[tuple[str, Value]] = []
        for run_dir in reversed(list_runs(self._root)):
            if len(found) == MOST_RUNS or time.monotonic() > deadline_s:
                break
            value = self.values(run_dir.name).get(key)
            if value is not None:
                found.append((run_dir.name, value))
        return found[::-1]

    def _known(self, run: str) -> bool:
        known = self._summaries.get(run)
        return known is not None and known[1].final

    def _summary(self, run_dir: Path) -> Summary | None:
        run = run_dir.name
        known = self._summaries.get(run)
        if known is not None and (known[1].final or time.monotonic() - known[0] < FRESH_S):
            return known[1]
        summary = kept_summary(self._root, run)
        if summary is None:
            try:
                summary, values = self._read(run_dir)
            except SchedulerError:
                return None
            if summary.final:
                keep(self._root, summary, values)
            self._values.pop(run, None)
        self._summaries[run] = time.monotonic(), summary
        return summary

    def _read(self, run_dir: Path) -> tuple[Summary, Values]:
        alive = being_written(run_dir)
        state = open_run(run_dir)
        sheet = sheet_of(state)
        values = {value.key: value for value in sheet.latest()}
        return summarise(run_dir.name, state, sheet, alive=alive), values


def sheet_of(state: RunState) -> Sheet:
    """The values of a whole run."""
    sheet = Sheet()
    ended = [task for task in state.tasks.values() if task.finished_at is not None]
    for task in sorted(ended, key=lambda task: task.finished_at or 0.0):
        sheet.take(task.task.id, task.outputs)
    return sheet


@dataclass(frozen=True, slots=True)
class Filter:
    """Which runs somebody wants to see."""

    search: str = ""
    verdict: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Filter:
        """From an address."""
        return cls(query.get("q", "")[:80].strip(), query.get("verdict", "")[:20].upper())

    def holds(self, summary: Summary) -> bool:
        """Whether a run is wanted: each word is in its number, plan or operator."""
        if self.verdict and self.verdict not in (summary.verdict, summary.status.upper()):
            return False
        told = f"{summary.run} {summary.plan} {summary.operator}".casefold()
        return all(word in told for word in self.search.casefold().split())


def in_turn(title: str, found: Sequence[tuple[str, Value]]) -> Chart | None:
    """One quantity as it was measured again and again, each with its name, with the limits that hold now."""
    if not found:
        return None
    bounds = found[-1][1].bounds
    low, high = (None, None) if bounds is None else (bounds.at_least, bounds.at_most)
    points = [(float(n), value.value) for n, (_, value) in enumerate(found) if value.value is not None]
    step = -(-len(found) // 8)
    ticks = [(float(n), run.lstrip("0")) for n, (run, _) in enumerate(found) if n % step == 0]
    curve = Curve(title, points, low, high)
    return chart(title, found[-1][1].unit, [curve], (-0.5, len(found) - 0.5), ticks, dots=True)


@dataclass(frozen=True, slots=True)
class Pair:
    """One quantity in two runs."""

    key: Key
    a: Value | None
    b: Value | None
    difference: str
    kind: Literal["worse", "better", "same", "one"]
    """Of the verdict, from a to b; `one` when only one of the runs has it."""


def compare(a: Values, b: Values) -> tuple[list[Pair], int]:
    """Two runs side by side, first what changed its verdict; and how many rows are too many to be shown."""
    pairs = [_pair(key, a.get(key), b.get(key)) for key in dict.fromkeys([*a, *b])]
    order = {"worse": 0, "better": 1, "same": 2, "one": 3}
    pairs.sort(key=lambda pair: (order[pair.kind], natural(" ".join(pair.key))))
    return pairs[:MOST_ROWS], len(pairs) - len(pairs[:MOST_ROWS])


def _pair(key: Key, a: Value | None, b: Value | None) -> Pair:
    if a is None or b is None:
        return Pair(key, a, b, "", "one")
    difference = "" if a.value is None or b.value is None else _signed(b.value - a.value)
    failed = a.verdict is Verdict.FAIL, b.verdict is Verdict.FAIL
    kind: Literal["worse", "better", "same"] = (
        "worse" if failed == (False, True) else "better" if failed == (True, False) else "same"
    )
    return Pair(key, a, b, difference, kind)


def _signed(difference: float) -> str:
    return f"+{figure(difference)}" if difference > 0 else figure(difference)
