"""Plans, verdicts, configuration, progress: values without processes."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys

import pytest
from pydantic import ValidationError

import scheduler
from scheduler import Plan, SchedulerTable, Task, Verdict, overall
from scheduler.channel import Lines, LineTooLong, pack
from scheduler.errors import PlanRejected, SchedulerError
from scheduler.jobs import job_of
from scheduler.live import LiveFile, Progress, read_live, remaining_s
from scheduler.state import RunState, TaskState, TaskStatus
from scheduler.verdict import EXIT_CODES, WORST_FIRST


def plan(**more) -> Plan:
    task = {"id": "a", "title": "A", "call": "m:f"} | more
    return Plan("p", (Task(**task),))


def test_a_plan_reads_back():
    whole = Plan(
        "p",
        (
            Task("a", "A", "m.n:f", {"x": [1, None]}, backup=True, on_fail="stop"),
            Task("b", "B", "m:g", always=True),
        ),
        ("m:check",),
        {"serial": "7"},
    )
    assert Plan.from_json(json.loads(json.dumps(whole.to_json()))) == whole


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"id": "../a"}, "an identifier is"),
        ({"id": ""}, "an identifier is"),
        ({"call": "m.f"}, "must be written as module:function"),
        ({"on_fail": "retry"}, "it must be continue or stop"),
        ({"timeout_s": 0.0}, "must be above 0"),
        ({"timeout_s": float("nan")}, "must be above 0"),
        ({"arguments": {"x": {1}}}, "arguments must be JSON"),
        ({"arguments": {"x": (1,)}}, "arguments must be JSON as it is"),
        ({"arguments": {"x": float("inf")}}, "arguments must be JSON"),
    ],
)
def test_a_plan_that_cannot_run_does_not_exist(wrong, told):
    with pytest.raises(PlanRejected, match=told) as caught:
        plan(**wrong)
    assert caught.value.task == wrong.get("id", "a")


def test_plans_need_tasks_with_names_of_their_own():
    with pytest.raises(PlanRejected, match="has no tasks"):
        Plan("p", ())
    with pytest.raises(PlanRejected, match="is there twice"):
        Plan("p", (Task("a", "A", "m:f"), Task("a", "B", "m:f")))
    with pytest.raises(PlanRejected, match="check 'well'"):
        Plan("p", (Task("a", "A", "m:f"),), ("well",))


@pytest.mark.parametrize(
    "body", [{}, {"name": "p"}, {"name": "p", "tasks": [{"id": "a"}]}, {"name": "p", "tasks": 3}]
)
def test_json_that_is_no_plan_is_refused(body):
    with pytest.raises(PlanRejected):
        Plan.from_json(body)


def test_json_with_a_word_nobody_knows_names_it():
    body = plan().to_json()
    body["tasks"][0]["repeats"] = 3
    with pytest.raises(PlanRejected, match="unknown repeats"):
        Plan.from_json(body)


def test_the_worst_verdict_decides_and_neutral_ones_never():
    assert WORST_FIRST == (Verdict.ERROR, Verdict.ABORTED, Verdict.FAIL, Verdict.PASS)
    assert overall(Verdict) is Verdict.ERROR
    assert overall([Verdict.PASS, Verdict.SKIPPED, Verdict.UNSET]) is Verdict.PASS
    assert overall([Verdict.SKIPPED, Verdict.UNSET]) is Verdict.UNSET
    assert overall([]) is Verdict.UNSET


def test_every_verdict_has_an_exit_code_and_only_pass_has_zero():
    assert EXIT_CODES.keys() == set(Verdict)
    assert [verdict for verdict, code in EXIT_CODES.items() if code == 0] == [Verdict.PASS]
    assert (EXIT_CODES[Verdict.FAIL], EXIT_CODES[Verdict.ERROR], EXIT_CODES[Verdict.ABORTED]) == (1, 3, 75)


def test_the_table_takes_what_toml_gives_and_nothing_else():
    table = SchedulerTable.model_validate(
        {"backup_to": ["b", "ssh://fat@storage/srv"], "backup_include": ["*.json"], "stop_grace_s": 2}
    )
    assert (table.backup_include, table.backup_to) == (("*.json",), ("b", "ssh://fat@storage/srv"))
    with pytest.raises(ValidationError, match="backup_folder"):
        SchedulerTable.model_validate({"backup_folder": "b"})


def progress(done: float, total: float) -> Progress:
    return Progress("a", 1, done, total, "", 1.0, None, 0.0, 0)


def test_remaining_time_goes_by_the_pace_so_far():
    assert remaining_s(1, 4, 10.0) == 30.0
    assert remaining_s(4, 4, 10.0) == 0.0
    assert remaining_s(5, 4, 10.0) == 0.0
    assert remaining_s(0, 4, 10.0) is None
    assert remaining_s(1, 0, 10.0) is None


def test_the_live_file_is_thinned_but_shows_the_end(tmp_path):
    now_s = 0.0
    live = LiveFile(tmp_path, lambda: now_s)
    live.show(progress(1, 4))
    live.show(progress(2, 4))
    assert read_live(tmp_path) == progress(1, 4)
    now_s = 0.3
    live.show(progress(3, 4))
    assert read_live(tmp_path) == progress(3, 4)
    live.show(progress(4, 4))
    assert read_live(tmp_path) == progress(4, 4)
    live.clear()
    assert read_live(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"task": "a"}'])
def test_a_live_file_that_cannot_be_read_is_no_progress(tmp_path, content):
    (tmp_path / "live.json").write_text(content)
    assert read_live(tmp_path) is None


def test_lines_are_cut_wherever_the_stream_is():
    stream = pack({"note": "a\nb"}) + pack({"id": 1, "now": 2})
    for cut in range(len(stream)):
        lines = Lines()
        assert [*lines.feed(stream[:cut]), *lines.feed(stream[cut:])] == [
            {"note": "a\nb"},
            {"id": 1, "now": 2},
        ]


def test_a_line_without_end_is_refused(monkeypatch):
    monkeypatch.setattr("scheduler.channel.MAX_LINE", 100)
    with pytest.raises(LineTooLong):
        list(Lines().feed(b"x" * 101))


def test_what_is_offered_is_there_and_sorted():
    assert scheduler.__all__ == sorted(
        scheduler.__all__, key=lambda name: (name.upper() != name, name.islower(), name)
    )
    for name in scheduler.__all__:
        assert getattr(scheduler, name) is not None
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = scheduler.nothing_like_it


def test_the_tree_of_errors_names_every_error():
    errors = importlib.import_module("scheduler.errors")
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, SchedulerError):
            assert name in (errors.__doc__ or "")


def test_the_command_line_starts_light():
    heavy = "pydantic", "structlog", "rich.live", "numpy", "asyncio"
    program = f"import sys, scheduler.commands; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_task_is_told_what_earlier_ones_found_but_not_what_was_measured_for_people(tmp_path):
    first, second = (Task(name, name, "m:f") for name in ("first", "second"))
    found = {"gains": [1, 2], "measurements": [{"name": "noise", "value": 3.0}]}
    state = RunState(
        plan=Plan("p", (first, second)),
        tasks={
            "first": TaskState(first, TaskStatus.DONE, Verdict.PASS, outputs=found, finished_at=1.0),
            "second": TaskState(second),
        },
    )
    job = job_of(state, "task", "m:f", state.tasks["second"], tmp_path, {})
    assert job.results() == {"first": {"gains": [1, 2]}}
