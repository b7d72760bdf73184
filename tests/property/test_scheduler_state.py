"""Fold and decide, driven without any process: any run that is cut short anywhere ends as if it had not been."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scheduler.backup.seen import Making, superfluous
from scheduler.decide import Action, Finish, Leave, MakeBackup, RunCheck, RunTask, SkipTask, decide
from scheduler.folding import HANDLERS, apply, fold
from scheduler.journal import JournalRecord
from scheduler.plan import Plan, Task
from scheduler.records import as_record, comparable
from scheduler.state import RunStatus, TaskStatus, resumable
from scheduler.verdict import Verdict, overall

TASKS = 4
BOUND = 200
"""More records than any of these runs can need."""


@dataclass
class PureEngine:
    """The engine without its processes: obeys `decide`, invents the endings from *verdicts*."""

    plan: Plan
    verdicts: list[Verdict]
    records: list[JournalRecord] = field(default_factory=list)
    lag: int = 0
    """So many other things happen while a backup is made."""
    making: tuple[str, Making, int] | None = None
    """After which task; and how many things may happen yet."""

    def __post_init__(self) -> None:
        self.state = fold(self.records)

    def write(self, event: str, **data: Any) -> None:
        seq = len(self.records) + 1
        self.records.append(JournalRecord(seq, float(seq), 0, event, data))
        # As the real engine does; that a fold of all gives the same, the tests say at the end.
        self.state = apply(self.state, self.records[-1])

    def create(self) -> None:
        self.write("run_created", run="00001", plan=self.plan.to_json(), parameters={})

    def take_up(self) -> None:
        attempt = self.state.attempt + 1
        begun = {"attempt": attempt, "host": "h", "pid": 1, "version": "1", "resumed": attempt > 1}
        self.write("run_started", **begun, backup_to=["near", "far"])

    def step(self) -> bool:
        action = decide(self.state, None if self.making is None else self.making[1])
        if self.making is not None and (
            self.making[2] == 0 or isinstance(action, MakeBackup | Finish | Leave)
        ):
            self.save()
            return True
        if self.making is not None:
            self.making = (*self.making[:2], self.making[2] - 1)
        self.obey(action)
        return not isinstance(action, Leave)

    def obey(self, action: Action) -> None:
        match action:
            case Leave():
                pass
            case Finish(verdict):
                self.write("run_finished", verdict=str(verdict))
            case SkipTask(task, reason):
                self.write("task_skipped", task=task.task.id, reason=reason)
            case MakeBackup(task, to):
                self.making = task.task.id, Making(to, len(self.records)), self.lag
            case RunCheck(check, before):
                self.write("check_finished", check=check, before=before.task.id, ok=True, text="")
            case RunTask(task) if task.status is TaskStatus.PENDING:
                self.write("task_started", task=task.task.id, attempt=task.attempt + 1)
                self.end(task.task.id)

    def save(self) -> None:
        assert self.making is not None
        (task, making, _), self.making = self.making, None
        to, records = making.to, making.records
        made = {"task": task, "to": to, "file": f"f{records}", "sha256": "s", "files": 1, "records": records}
        self.write("backup_finished", **made, verified=True)
        archives = self.state.archives
        old = [archive.file for archive in superfluous(archives, to, keep_last=1, keep_days=None, now_s=0)]
        if old:
            self.write("backup_pruned", to=to, files=old, error="")

    def end(self, task: str) -> None:
        self.write("task_note", task=task, text="n")
        verdict = self.verdicts[int(task)]
        self.write("task_finished", task=task, attempt=1, verdict=str(verdict), outputs={}, wall_s=1.0)

    def to_the_end(self) -> list[JournalRecord]:
        while self.step():
            assert len(self.records) < BOUND
        return self.records


tasks = st.builds(
    lambda backup, on_fail, always: {"backup": backup, "on_fail": on_fail, "always": always},
    st.booleans(),
    st.sampled_from(["continue", "stop"]),
    st.booleans(),
)
plans = st.builds(
    lambda flags, checks: Plan(
        "p",
        tuple(Task(str(n), f"task {n}", "m:f", **kind) for n, kind in enumerate(flags)),
        tuple(f"m:check_{n}" for n in range(checks)),
    ),
    st.lists(tasks, min_size=TASKS, max_size=TASKS),
    st.integers(0, 2),
)
results = st.lists(
    st.sampled_from([Verdict.PASS, Verdict.FAIL, Verdict.SKIPPED]), min_size=TASKS, max_size=TASKS
)


lags = st.integers(0, 6)


def undisturbed(plan: Plan, verdicts: list[Verdict], lag: int = 0) -> list[JournalRecord]:
    engine = PureEngine(plan, verdicts, lag=lag)
    engine.create()
    engine.take_up()
    return engine.to_the_end()


@given(plans, results, lags)
def test_every_beginning_of_a_journal_can_be_resumed_to_the_same_record(plan, verdicts, lag):
    whole = undisturbed(plan, verdicts, lag)
    expected = comparable(as_record(fold(undisturbed(plan, verdicts))))
    assert comparable(as_record(fold(whole))) == expected
    for length in range(1, len(whole)):
        engine = PureEngine(plan, verdicts, list(whole[:length]), lag)
        assert resumable(fold(engine.records))
        engine.take_up()
        engine.to_the_end()
        assert comparable(as_record(fold(engine.records))) == expected


@given(plans, results, st.lists(st.integers(0, 30), max_size=4), lags)
def test_interruptions_anywhere_change_nothing_in_the_end(plan, verdicts, steps, lag):
    engine = PureEngine(plan, verdicts, lag=lag)
    engine.create()
    for count in steps:
        engine.take_up()
        running = all(engine.step() for _ in range(count))
        if not running and not resumable(fold(engine.records)):
            break
        engine.write("run_interrupted", reason="by hand")
        engine.to_the_end()
        state = fold(engine.records)
        assert state.status is RunStatus.INTERRUPTED
        assert all(task.status is TaskStatus.DONE for task in state.tasks.values() if task.task.always)
    if resumable(fold(engine.records)):
        engine.take_up()
        engine.to_the_end()
    expected = comparable(as_record(fold(undisturbed(plan, verdicts))))
    assert comparable(as_record(fold(engine.records))) == expected


@given(plans, results, lags)
def test_a_finished_run_has_the_worst_verdict_and_nothing_left(plan, verdicts, lag):
    state = fold(undisturbed(plan, verdicts, lag))
    assert state.status is RunStatus.FINISHED
    assert state.verdict == overall(task.verdict for task in state.tasks.values())
    assert not resumable(state) or state.verdict in (Verdict.ERROR, Verdict.ABORTED)
    assert state.misfits == 0
    flagged = [task for task in state.tasks.values() if task.task.backup and task.verdict in ("PASS", "FAIL")]
    assert all(task.saved.seen.keys() == {"near", "far"} for task in flagged)
    lying = {(archive.to, archive.file) for archive in state.archives}
    assert all((to, seen.file) in lying for task in flagged for to, seen in task.saved.seen.items())


odd_values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.sampled_from([*"0123", "m:f", "PASS"])
)
ODD_KEYS = tuple(
    re.findall(
        r"\w+",
        "task before check ok text verdict attempt outputs wall_s plan run by reason error traceback "
        "file sha256 files verified host pid version to backup_to",
    )
)
odd_data = st.dictionaries(
    st.sampled_from(ODD_KEYS),
    odd_values,
    max_size=12,
)
odd_records = st.builds(
    JournalRecord,
    st.integers(),
    st.floats(),
    st.integers(),
    st.sampled_from([*HANDLERS, "unheard_of"]),
    odd_data,
)


@given(plans, results, st.lists(odd_records, max_size=12))
def test_fold_is_total_and_decide_answers(plan, verdicts, strange):
    engine = PureEngine(plan, verdicts)
    engine.create()
    state = fold(engine.records)
    for record in strange:
        state = apply(state, record)
        assert decide(state)
    assert as_record(fold(strange))["run"] is not None
