"""What the run file says of a launch, and what a launch says to people."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fat.degg.master.archive import archive_config
from fat.degg.master.launch_book import LaunchBook
from fat.degg.master.launch_object import first_unfinished, key_of, new_launch, states_of
from fat.degg.master.listing import condensed
from fat.degg.records import RunFile
from fat.degg.schedule.build import sections
from fat.errors import UsageError
from scheduler import JournalRecord, Plan, Task, Verdict
from scheduler.state import RunState, TaskState

NOON = datetime(2026, 3, 1, 12)  # noqa: DTZ001 - a run file has no time zones


@given(st.lists(st.sampled_from([-1, 0, 1]), min_size=1, max_size=12), st.data())
def test_a_recovered_run_begins_at_the_first_task_that_is_not_done(
    values: list[int], data: st.DataObject
) -> None:
    titles = [f"task_{number}" for number in range(len(values))]
    skipped = data.draw(
        st.integers(0, len(values) - 1)
    )  # the launch may be of a run that was recovered before
    launch = new_launch(titles[skipped:], Path("a.ini"), NOON)
    for number, value in enumerate(values[skipped:]):
        launch[key_of(number, titles[skipped + number])] = value
    assert states_of(launch) == list(zip(titles[skipped:], values[skipped:], strict=True))
    left = [place for place in range(skipped, len(values)) if values[place] != 1]
    if not left:
        with pytest.raises(UsageError, match="nothing left to do"):
            first_unfinished(launch, titles)
    elif left[0] == 0:
        with pytest.raises(UsageError, match="no need to recover"):
            first_unfinished(launch, titles)
    else:
        assert first_unfinished(launch, titles) == left[0]


def test_a_launch_of_another_schedule_is_not_recovered() -> None:
    launch = new_launch(["a", "b"], Path("a.ini"), NOON)
    for titles in (["b", "a"], ["a"], ["a", "c"]):
        with pytest.raises(UsageError, match="another schedule"):
            first_unfinished(launch, titles)


def test_no_archived_configuration_is_overwritten(tmp_path: Path) -> None:
    config = tmp_path / "fat.ini"
    for number in range(3):
        config.write_text(str(number))
        assert archive_config(config, tmp_path / "run").name == f"fat_{number}.ini"
    assert [path.read_text() for path in sorted((tmp_path / "run").iterdir())] == ["0", "1", "2"]


def test_the_condensed_schedule_leaves_helpers_out_and_fits_into_a_message() -> None:
    tasks = [Task(s.title, s.title, f"{s.package}:{s.step.task}") for s in sections()]
    lines = list(condensed(tasks))
    assert "235 status_check" in lines[-1]
    named = {line.split("] ")[1].rsplit("_", 1)[0] for line in lines[:-1]}
    assert "measure_gain" in named
    assert not named & {"status_check", "online_mon", "trigger_remote_wrapper_gain", "manual_input"}
    assert len("\n".join(lines)) < 3000


def test_the_run_file_follows_the_journal(tmp_path: Path) -> None:
    run = RunFile.create(tmp_path / "json", "", NOON.date(), {})
    launch = run.begin_launch(new_launch(["a", "b", "c"], Path("a.ini"), NOON))
    keys = {name: key_of(number, name) for number, name in enumerate("abc")}
    book = LaunchBook(run, launch, keys, tmp_path / "fat" / "00001")
    verdicts = {"a": Verdict.FAIL, "b": Verdict.ERROR, "c": Verdict.SKIPPED}
    states = {name: TaskState(Task(name, name, "m:f"), verdict=verdict) for name, verdict in verdicts.items()}
    state = RunState(plan=Plan("p", tuple(task.task for task in states.values())), tasks=states)

    def tell(event: str, **data: object) -> None:
        book.event(JournalRecord(1, 1767225600.0, 0, event, data), state)

    for name, event in zip("abc", ("task_finished", "task_failed", "task_skipped"), strict=True):
        tell(event, task=name)
    assert states_of(run.launches()[launch]) == [("a", 1), ("b", 0), ("c", -1)]
    tell("question_answered", task="a", yes=False)
    assert "ManualInputTime0" not in run.body()
    tell("question_answered", task="a", yes=True)
    assert run.body()["ManualInputTime0"] == "2026-01-01 00:00:00"
    tell("run_interrupted", reason="Ctrl-C", reason_follows=True)
    assert "RunTerminated" not in run.body()
    tell("reason_given", reason="smoke")
    assert run.body()["RunTerminated"] == "smoke"
    tell("run_finished", verdict="FAIL")
    assert run.launches()[launch]["end_time"] == "2026-01-01 00:00:00"
    mirror = tmp_path / "fat" / "00001" / "results" / "json" / run.path.name
    assert mirror.read_bytes() == run.path.read_bytes()
