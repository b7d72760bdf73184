"""Tasks beside tasks, in real processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scheduler import Engine, Plan, SchedulerTable, Task, Verdict, create_run, open_run, read_journal
from scheduler.live import read_all_live
from scheduler.requests import submit

SECOND_NS = 1_000_000_000


@dataclass
class JumpClock:
    """Time that jumps to where somebody waits for."""

    time_ns: int = 0

    def now_ns(self) -> int:
        return self.time_ns

    def wait_until(self, t_ns: int) -> int:
        self.time_ns = max(self.time_ns, t_ns)
        return self.time_ns

    def interrupt(self) -> None:
        pass


@dataclass
class Ear:
    """Answers an event of a task by an act, once."""

    acts: dict[tuple[str, str], object] = field(default_factory=dict)

    def event(self, record, state):
        act = self.acts.pop((record.event, record.data.get("task", "")), None)
        if callable(act):
            act()

    def progress(self, progress):
        pass


@pytest.fixture(autouse=True)
def _functions(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def task(name: str, function: str, **more) -> Task:
    return Task(name, name.upper(), f"scheduler_tasks:{function}", **more)


def carry_out(tmp_path: Path, *tasks: Task, acts=None, resources=None) -> tuple[int, Path]:
    run_dir = create_run(tmp_path / "fat", Plan("plan", tasks, resources=resources or {}))
    table = SchedulerTable()
    return Engine(
        run_dir, None, JumpClock(), {"token": ""}, table, [Ear(acts or {})]
    ).run().exit_code, run_dir


def test_an_analysis_runs_beside_the_next_measurement_and_only_who_comes_after_it_has_its_result(tmp_path):
    code, run_dir = carry_out(
        tmp_path,
        task("first", "passes"),
        task("analyse", "meets", arguments={"whom": "second"}, beside=True, timed=False),
        task("second", "meets", arguments={"whom": "analyse"}),
        task("last", "tells_all", after=("analyse",)),
    )
    assert code == 0
    tasks = open_run(run_dir).tasks
    assert tasks["second"].outputs == {"results": ["first"]}
    assert set(tasks["last"].outputs["results"]) == {"first", "analyse", "second"}


def test_time_moves_only_when_all_who_take_part_in_it_wait(tmp_path):
    code, run_dir = carry_out(
        tmp_path,
        task("long", "waits_and_tells", arguments={"s": [10, 20]}, beside=True),
        task("short", "waits_and_tells", arguments={"s": [4, 10, 12]}),
    )
    assert code == 0
    tasks = open_run(run_dir).tasks
    assert tasks["long"].outputs == {"times_s": [10, 30]}
    assert tasks["short"].outputs == {"times_s": [4, 14, 26]}


def test_an_analysis_holds_no_time_and_cannot_wait_for_it(tmp_path):
    code, run_dir = carry_out(
        tmp_path,
        # Ends only when the measurement's waits are over, which needs time to go on meanwhile.
        task("a", "waits_for_file", arguments={"file": "here_m"}, beside=True, timed=False),
        task("m", "waits_and_tells", arguments={"s": [5]}),
    )
    assert (code, open_run(run_dir).sim_ns) == (0, 5 * SECOND_NS)
    code, run_dir = carry_out(tmp_path / "2", task("a", "waits", timed=False))
    assert code == 3
    assert "takes no part in time" in open_run(run_dir).tasks["a"].error


def test_a_resource_of_one_is_used_by_one(tmp_path):
    code, run_dir = carry_out(
        tmp_path,
        *(task(name, "passes", beside=True, uses={"core": 1}) for name in "ab"),
        task("c", "passes", always=True),
        resources={"core": 1},
    )
    assert code == 0
    order = [(r.event, r.data["task"]) for r in read_journal(run_dir) if r.event.startswith("task_")]
    assert order.index(("task_finished", "a")) < order.index(("task_started", "b"))


def test_an_error_lets_what_runs_beside_it_end_and_then_cleans_up(tmp_path):
    seen = []
    run_dir = tmp_path / "fat" / "00001"

    def look() -> None:
        seen.append([progress.task for progress in read_all_live(run_dir)])
        (run_dir / "go").touch()

    code, run_dir = carry_out(
        tmp_path,
        task("a", "breaks", beside=True),
        task("b", "waits_for_file", arguments={"file": "go"}),
        task("c", "passes"),
        task("off", "passes", always=True),
        acts={("task_failed", "a"): look},
    )
    assert code == 3
    verdicts = {name: t.verdict for name, t in open_run(run_dir).tasks.items()}
    assert verdicts == {"a": Verdict.ERROR, "b": Verdict.PASS, "c": Verdict.UNSET, "off": Verdict.PASS}
    assert seen == [["b"]] or seen == [[]]


def test_an_interruption_stops_all_that_run(tmp_path):
    run_dir = tmp_path / "fat" / "00001"
    code, run_dir = carry_out(
        tmp_path,
        task("a", "waits_for_file", arguments={"file": "never"}, beside=True),
        task("b", "dawdles"),
        task("off", "passes", always=True),
        acts={("task_note", "b"): lambda: submit(run_dir, "abort", reason="smoke")},
    )
    assert code == 75
    verdicts = {name: t.verdict for name, t in open_run(run_dir).tasks.items()}
    assert verdicts == {"a": Verdict.ABORTED, "b": Verdict.ABORTED, "off": Verdict.PASS}
