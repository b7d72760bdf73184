"""Tasks beside tasks: the same record whatever the machine does, however often the engine is killed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.decide import (
    Finish,
    Leave,
    MakeBackup,
    RunCheck,
    RunTask,
    SkipTask,
    Wait,
    decide,
    to_be_retried,
)
from scheduler.errors import PlanRejected
from scheduler.folding import apply, fold
from scheduler.journal import JournalRecord
from scheduler.order import earlier, ready
from scheduler.plan import Plan, Task
from scheduler.records import as_record, comparable
from scheduler.state import RunState, TaskStatus, resumable, resume_position, resumed

TASKS = 6
BOUND = 400
CHECK_NS = 2
CHECK = "check"


@dataclass
class Machine:
    """An engine and its tasks without processes: time goes on as a bench's clock does, all else is *chance*.

    Each task takes *lengths* of time, and fails as often as *failures* says.
    """

    plan: Plan
    lengths: list[int]
    failures: list[int]
    verdicts: list[str]
    chance: Any
    records: list[JournalRecord] = field(default_factory=list)
    now_ns: int = 0

    def __post_init__(self) -> None:
        self.state = fold(self.records)
        self.ends: dict[str, int] = {}
        """When the tasks that run end, by their own count; those that take no part in time end when chance will."""
        self.checking: dict[str, Any] | None = None

    def write(self, event: str, **data: Any) -> None:
        seq = len(self.records) + 1
        self.records.append(JournalRecord(seq, float(seq), self.now_ns, event, data))
        self.state = apply(self.state, self.records[-1])
        self.judge()

    def judge(self) -> None:
        """What must hold at any moment."""
        running = [t.task for t in self.state.tasks.values() if t.status is TaskStatus.RUNNING]
        assert sum(not task.beside for task in running) <= 1
        for name, number in self.plan.resources.items():
            assert sum(task.uses.get(name, 0) for task in running) <= number
        for task in running:
            assert all(self.state.tasks[name].status is TaskStatus.DONE for name in task.after if name != "*")

    def take_up(self) -> None:
        if not self.records:
            self.write("run_created", run="00001", plan=self.plan.to_json(), parameters={})
        self.now_ns = resume_position(resumed(self.state)) or 0
        attempt = self.state.attempt + 1
        self.write(
            "run_started", attempt=attempt, host="h", pid=1, version="1", resumed=attempt > 1, backup_to=["x"]
        )

    def step(self) -> bool:
        if self.checking is not None:  # the engine begins nothing else meanwhile
            self.wait(None, stands=False)
            return True
        match decide(self.state):
            case Leave():
                return False
            case Finish(verdict):
                self.write("run_finished", verdict=str(verdict))
            case SkipTask(task, reason):
                self.write("task_skipped", task=task.task.id, reason=reason)
            case MakeBackup(task, to):
                body = {
                    "task": task.task.id,
                    "to": to,
                    "file": f"f{len(self.records)}",
                    "sha256": "s",
                    "files": 1,
                }
                self.write("backup_finished", **body, verified=True)
            case RunCheck(check, before):
                if self.ends:
                    self.write("check_started", check=check, before=before.task.id)
                self.checking = {"check": check, "before": before.task.id, "begun_sim_ns": self.now_ns}
                self.ends[CHECK] = self.now_ns + CHECK_NS
            case RunTask(task):
                self.begin(task.task.id)
            case Wait(until_ns, stands):
                self.wait(until_ns, stands=stands)
        return True

    def begin(self, name: str) -> None:
        task = self.state.tasks[name]
        self.write("task_started", task=name, attempt=task.attempt + 1)
        self.ends[name] = self.now_ns + self.lengths[int(name)]

    def wait(self, until_ns: int | None, *, stands: bool) -> None:
        free = [name for name in self.ends if name != CHECK and not self.state.tasks[name].task.timed]
        timed = {name: ns for name, ns in self.ends.items() if name not in free}
        if free and (stands or not (timed or until_ns) or self.chance(2)):
            self.end(free[self.chance(len(free))])
            return
        assert not stands
        next_ns = min([*timed.values(), *([until_ns] if until_ns is not None else [])])
        self.now_ns = max(self.now_ns, next_ns)
        due = [name for name, ns in timed.items() if ns <= self.now_ns]
        if due:
            self.end(min(due))  # what ends at the same nanosecond has the plan's order, then comes a check
        else:
            self.write("clock_reached", lost=False)

    def end(self, name: str) -> None:
        del self.ends[name]
        if self.checking is not None and name == CHECK:
            self.write("check_finished", **self.checking, ok=True, text="")
            self.checking = None
            return
        task = self.state.tasks[name]
        if len(task.failures) < self.failures[int(name)]:
            retried = to_be_retried(self.state, name)
            self.write("task_failed", task=name, attempt=1, error="e", traceback="", retried=retried)
            return
        self.write("task_note", task=name, text="n")
        told = {"verdict": self.verdicts[int(name)], "outputs": self.results(name), "artefacts": []}
        self.write("task_finished", task=name, attempt=1, **told, wall_s=1.0)

    def results(self, name: str) -> dict[str, Any]:
        """What the task is told of those before it, as outputs: so that the record shows it."""
        before = earlier([t.task for t in self.state.tasks.values()], name)
        return {"before": sorted(n for n in before if self.state.tasks[n].finished_at is not None)}

    def to_the_end(self) -> None:
        while self.step():
            assert len(self.records) < BOUND


KINDS = {
    "main": {},
    "beside": {"beside": True},
    "analysis": {"beside": True, "timed": False, "uses": {"x": 1}},
    "waits": {"after": ("*",)},
}


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    tasks = []
    for number in range(TASKS):
        kind = draw(st.sampled_from(["beside", "main", "analysis", "main", "beside", "waits"]))
        more: dict[str, Any] = dict(KINDS[kind])
        if number and kind != "waits" and draw(st.integers(0, 2)) == 0:
            more["after"] = (str(draw(st.integers(0, number - 1))),)
        if draw(st.integers(0, 3)) == 0:
            more["uses"] = {"x": 1}
        if draw(st.integers(0, 3)) == 0:
            more |= {"retries": 1, "backup": True}
        if draw(st.integers(0, 5)) == 0:
            more["on_fail"] = "stop"
        tasks.append(Task(str(number), "", "m:f", **more))
    tidy = Task(str(TASKS), "", "m:f", always=True)
    return Plan("p", (*tasks, tidy), ("m:c",) * draw(st.integers(0, 1)), resources={"x": 1})


lengths = st.lists(st.integers(1, 30), min_size=TASKS + 1, max_size=TASKS + 1)
verdicts = st.lists(st.sampled_from(["PASS", "PASS", "FAIL"]), min_size=TASKS + 1, max_size=TASKS + 1)


def chance_of(draw: Any) -> Any:
    return lambda count: draw(st.integers(0, count - 1)) if count > 1 else 0


def carried_out(machine: Machine) -> dict[str, Any]:
    machine.take_up()
    machine.to_the_end()
    state: RunState = fold(machine.records)
    assert state.misfits == 0
    assert not resumable(state)
    return comparable(as_record(state))


@given(plans(), lengths, verdicts, st.lists(st.integers(0, 99), min_size=1, max_size=3), st.data())
def test_the_record_is_the_same_whatever_ends_first_and_wherever_the_engine_is_killed(
    plan, lasts, ends, cuts, data
):
    failures = [task.retries for task in plan.tasks]
    expected = carried_out(Machine(plan, lasts, failures, ends, lambda _: 0))

    chance = chance_of(data.draw)
    records: list[JournalRecord] = []
    for cut in cuts:
        machine = Machine(plan, lasts, failures, ends, chance, records)
        machine.take_up()
        machine.to_the_end()
        records = machine.records[: 2 + cut % (len(machine.records) - 2)]
    assert carried_out(Machine(plan, lasts, failures, ends, chance, records)) == expected


def task(name: str, **more: Any) -> Task:
    return Task(name, "", "m:f", **more)


def test_what_waits_for_a_resource_is_not_overtaken_by_what_uses_it_too():
    tasks = (
        task("a", beside=True, uses={"x": 1}),
        task("b", beside=True, uses={"x": 2}),
        task("c", beside=True, uses={"x": 1}),
        task("d", uses={"y": 1}),
    )
    may = [t.id for t in ready(tasks, set(), {"a"}, {"x": 2, "y": 1})]
    assert may == ["d"]


@pytest.mark.parametrize(
    ("tasks", "told"),
    [
        ((task("a", after=("b",)), task("b")), "comes after 'b', which is no task before it"),
        ((task("a", uses={"z": 1}),), "uses 'z'; the plan's resources are: x"),
        ((task("a", uses={"x": 3}),), "uses 3 of 'x', and there is 2"),
        ((task("a", beside=True, always=True),), "it cannot run beside others"),
        ((task("a", beside=True, leaves={"laser": "on"}),), "cannot leave conditions"),
        (
            (task("a", beside=True, needs={"laser": "off"}), task("b", leaves={"laser": "on"})),
            "changes what a may still need beside it (laser = off); let it come after = ['a']",
        ),
    ],
)
def test_a_plan_that_could_never_run_is_refused(tasks, told):
    with pytest.raises(PlanRejected) as refused:
        Plan("p", tasks, begins={"laser": "off"}, resources={"x": 2})
    assert told in str(refused.value)


def names_begun_without(tasks: list[Task], held: str) -> set[str]:
    """What begins although one task never ends."""
    left, done, begun = list(tasks), set[str](), set[str]()
    while may := [t.id for t in ready(left, done, {held} & begun, {}) if t.id not in begun]:
        begun.update(may)
        done.update(name for name in may if name != held)
        left = [task for task in left if task.id not in done]
    return begun


@given(st.data())
def test_a_task_certainly_comes_after_those_without_whose_end_it_does_not_begin(data):
    tasks: list[Task] = []
    for number in range(data.draw(st.integers(2, 7))):
        always = data.draw(st.booleans()) and number > 3
        after = data.draw(st.lists(st.sampled_from([t.id for t in tasks] or ["*"]), max_size=2, unique=True))
        beside = not always and data.draw(st.booleans())
        tasks.append(task(f"t{number}", beside=beside, always=always, after=tuple(after)))
    for held in tasks:
        begun = names_begun_without(tasks, held.id)
        for place, other in enumerate(tasks):
            certain = place > tasks.index(held) and other.id not in begun
            assert (held.id in earlier(tasks, other.id)) == certain
