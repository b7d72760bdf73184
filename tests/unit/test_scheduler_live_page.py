"""What the live page shows, as values: remaining time, values against limits, charts, the end of a log."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.folding import fold
from scheduler.journal import JournalRecord
from scheduler.live import Progress
from scheduler.plan import Plan, Task
from scheduler.schedule.forecast import medians, spans
from scheduler.schedule.remaining import pace_of, remaining
from scheduler.state import RunState, TaskStatus
from scheduler.trends import Point, TrendReader, append_point
from scheduler.verdict import Verdict
from scheduler.web import log_tail
from scheduler.web.chart import Curve, chart, time_steps
from scheduler.web.headline import headline, running
from scheduler.web.history import compare
from scheduler.web.room import Part, Room
from scheduler.web.schedule import Asked, Fold, Row, listing
from scheduler.web.text import figure, harmless, time_of_day
from scheduler.web.trends import Wanted, pictures
from scheduler.web.values import Sheet, Value, bullet, grids, values_of

S = 1_000_000_000


def a_run(tasks: int, done: int, *, pace: float = 1.0, lasts: float = 60.0, **plan: Any) -> RunState:
    """A run whose tasks call one of two functions and took *lasts* seconds, or twice that, of wall time."""
    planned = tuple(Task(f"t{n}", f"Title {n}", f"room:f{n % 2}", **plan) for n in range(tasks))
    records = [("run_created", {"run": "00001", "plan": Plan("p", planned).to_json()}, 0.0)]
    started = {"attempt": 1, "host": "here", "pid": 1, "version": "0"}
    at = 1000.0
    records.append(("run_started", started, at))
    for n in range(done):
        records.append(("task_started", {"task": f"t{n}", "attempt": 1}, at))
        at += lasts * (1 + n % 2)
        ended = {"task": f"t{n}", "verdict": "PASS", "outputs": {}, "wall_s": lasts * (1 + n % 2)}
        records.append(("task_finished", ended, at))
    records.append(("task_started", {"task": f"t{done}", "attempt": 1}, at))
    return fold(
        JournalRecord(seq, t, round((t - 1000.0) * pace * S), event, data)
        for seq, (event, data, t) in enumerate(records, start=1)
    )


def test_what_remains_is_told_by_medians_by_the_plan_and_best_by_the_task_itself() -> None:
    state = a_run(6, 2)
    now_s = 1000.0 + 180.0 + 15.0
    known = medians([spans(state)])
    left = remaining(state, known, None, now_s)
    assert dict(left.tasks_s) == {"t2": 45.0, "t3": 120.0, "t4": 60.0, "t5": 120.0}
    live = Progress("t2", 1, 1, 10, "", 15.0, 135.0, now_s, 0)
    assert remaining(state, known, live, now_s).tasks_s["t2"] == 135.0
    nothing = remaining(state, {}, None, now_s)
    assert (nothing.run_s, nothing.unknown) == (0.0, 4)
    planned = a_run(6, 2, lasts_s=30.0)
    assert remaining(planned, known, None, now_s).run_s == 15.0 + 3 * 30.0
    facts = dict(headline(state, left, None, now_s, alive=True).facts)
    assert facts["Remaining"] == "≈ 6 min"
    assert facts["Ends"] == f"≈ {time_of_day(now_s + 345.0, now_s)}"
    assert (
        dict(headline(state, nothing, None, now_s, alive=True).facts)["Remaining"] == "unknown, for 4 tasks"
    )


def test_analyses_beside_count_only_when_they_last_longer_and_others_are_shown_first() -> None:
    state = a_run(6, 2)
    known, now_s = medians([spans(state)]), 1000.0 + 180.0

    def with_beside(*names: str) -> RunState:
        beside = {
            name: replace(state.tasks[name], task=replace(state.tasks[name].task, beside=True, timed=False))
            for name in names
        }
        return replace(state, tasks={**state.tasks, **beside})

    assert remaining(with_beside("t3"), known, None, now_s).run_s == 60.0 + 60.0 + 120.0
    assert remaining(with_beside("t3", "t5"), known, None, now_s).run_s == 120.0 + 120.0
    both = with_beside("t2")
    both = replace(both, tasks={**both.tasks, "t3": replace(both.tasks["t3"], status=TaskStatus.RUNNING)})
    shown = running(both, remaining(both, known, None, now_s), [], now_s, alive=True)
    assert [(task.id, task.beside) for task in shown] == [("t3", False), ("t2", True)]


def test_a_clock_that_runs_ahead_does_not_make_the_end_late() -> None:
    state = a_run(4, 2, pace=100.0)
    assert pace_of(state) == pytest.approx(100.0)
    left = remaining(state, medians([spans(state)]), None, 1000.0 + 180.0)
    assert left.run_s == pytest.approx(60.0 + 120.0)
    assert pace_of(a_run(4, 2, pace=1.01)) == 1.0
    broken = replace(state.tasks["t0"], verdict=Verdict.ERROR, wall_s=1e6)
    assert pace_of(replace(state, tasks={**state.tasks, "t0": broken})) == pytest.approx(100.0)


def test_a_long_schedule_shows_what_failed_what_runs_and_what_comes_next() -> None:
    state = a_run(1114, 600)
    bad = replace(state.tasks["t17"], verdict=Verdict.FAIL)
    state = replace(state, tasks={**state.tasks, "t17": bad})
    left = remaining(state, medians([spans(state)]), None, 0.0)
    shown = listing(state, left, Sheet(), 0.0, Asked())
    rows = [item.id for item in shown.items if isinstance(item, Row)]
    folds = [item for item in shown.items if isinstance(item, Fold)]
    assert rows == ["t17", *(f"t{n}" for n in range(596, 613))]
    assert [fold.text for fold in folds] == ["17 done: 17 PASS", "578 done: 578 PASS", "501 to come"]
    assert folds[1].kinds == (("f0", 289), ("f1", 289))
    assert dict(shown.counts) == {"open": 514, "done": 600, "bad": 1, "all": 1114}
    assert listing(state, left, Sheet(), 0.0, Asked.read({"show": "open", "page": "99"})).page == 3


def measured(**told: Any) -> dict[str, Any]:
    return {
        "name": "gain",
        "value": 1.5,
        "unit": "V",
        "limit": {"at_least": 1.0, "at_most": 2.0},
        "verdict": "PASS",
    } | told


def test_the_latest_value_counts_and_an_attempt_replaces_the_one_before() -> None:
    sheet = Sheet()
    sheet.take("a", {"measurements": [measured(verdict="FAIL", value=3.0, device="d-1")]})
    sheet.take(
        "b", {"measurements": [measured(device="d-1"), measured(device="d-10"), measured(device="d-9")]}
    )
    key = ("d-1", "", "gain")
    assert [(value.task, value.verdict) for value in sheet.takes(key)] == [("a", "FAIL"), ("b", "PASS")]
    assert sheet.failed_before(key)
    (grid,) = grids(sheet.latest())
    assert [device for device, _ in grid.rows] == ["d-1", "d-9", "d-10"]
    sheet.take("a", {"measurements": [measured(device="d-1")]})
    assert not sheet.failed_before(key)
    assert [value.task for value in sheet.takes(key)] == ["b", "a"]
    red = measured(device="d-1", limit={"at_most": 4.0})
    sheet.take(
        "b", {"measurements": [measured(device="d-1", value=3.0, verdict="FAIL"), red | {"value": 3.0}]}
    )
    assert [str(value.bounds) for value in sheet.latest() if value.verdict is Verdict.FAIL] == ["1 … 2"]
    sheet.take("b", {})
    assert [value.key for value in sheet.latest()] == [key]
    assert grids(value for value in sheet.latest() if value.device == "d-1") == []


@pytest.mark.parametrize(
    ("value", "limit", "place"),
    [
        (1.5, {"at_least": 1.0, "at_most": 2.0}, "within"),
        (2.5, {"at_least": 1.0, "at_most": 2.0}, "beyond"),
        (900.0, {"at_most": 2600.0}, "within"),
        (1e9, {"at_most": 2600.0}, "›"),
        (-1e9, {"at_least": 0.6}, "‹"),
        (12.0, {"equals": 12.0}, "within"),
        (11.0, {"equals": 12.0}, "beyond"),
        (-40.0, {"at_least": -42.0, "at_most": -38.0}, "within"),
        (0.0, {"at_most": 0.0}, "within"),
    ],
)
def test_a_value_lies_on_its_line_where_its_limits_say(
    value: float, limit: dict[str, float], place: str
) -> None:
    (taken,) = values_of("t", {"measurements": [measured(value=value, limit=limit)]})
    line = bullet(taken)
    assert line is not None
    assert 0.0 <= line.low < line.high <= 100.0
    assert 0.0 <= line.value <= 100.0
    assert (line.low <= line.value <= line.high) == (place == "within")
    assert line.beyond == (place if place in "‹›" else "")


ANYTHING = st.floats() | st.integers() | st.text(max_size=3) | st.none() | st.lists(st.none(), max_size=1)
LIMITS = st.dictionaries(st.sampled_from(("at_least", "at_most", "equals")), ANYTHING)
FIELDS = ("name", "value", "unit", "about", "limit", "verdict", "device", "part")


@given(
    st.lists(
        ANYTHING | st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, ANYTHING | LIMITS)), max_size=4
    )
)
def test_no_outputs_are_trusted(told: list[Any]) -> None:
    sheet = Sheet()
    sheet.take("t", {"measurements": told})
    for value in sheet.latest():
        line = bullet(value)
        assert line is None or 0.0 <= line.value <= 100.0
        assert isinstance(value.text + str(value.bounds or ""), str)
    grids(sheet.latest())


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(allow_nan=True, allow_infinity=True))),
    st.floats(-1e99, 1e99),
)
def test_any_points_can_be_drawn(points: list[tuple[float, float]], low: float) -> None:
    drawn = chart("c", "V", [Curve("a", sorted(points), low)], (0.0, 1e6), [(0.0, "0")])
    if drawn is not None:
        assert "nan" not in drawn.lines[0].path
        assert all(-20.0 <= mark.y <= 120.0 for mark in drawn.marks)


def test_a_chart_keeps_gaps_limits_and_the_highest_of_many_points() -> None:
    few = chart("c", "V", [Curve("a", [(0, 1), (1, math.nan), (2, 3), (3, 9)], None, 5.0)], (0, 3), [])
    assert few is not None
    assert few.lines[0].path.count("M") == 2
    assert [(mark.shape, mark.text) for mark in few.marks] == [("▲", "a: 9, above the limits")]
    assert (few.lines[0].state, few.lines[0].outside, few.edges != ()) == ("above", 1, True)
    many = [(float(n), 1000.0 if n == 54_321 else math.sin(n)) for n in range(100_000)]
    drawn = chart("c", "V", [Curve("a", many)], (0, 1e5), [])
    assert drawn is not None
    assert len(drawn.lines[0].path) < 20_000
    assert drawn.lines[0].highest == "1000"
    top = min(
        float(word.split()[1].split("L")[0]) for word in drawn.lines[0].path.replace("M", "L").split("L")[1:]
    )
    assert top < 100.0
    assert time_steps(0.0, 7200.0) == [0.0, 1800.0, 3600.0, 5400.0, 7200.0]


def test_trends_are_drawn_by_group_and_range(tmp_path: Path) -> None:
    for hour in range(48):
        for name, group in (("inside", "Box"), ("a", "Rates")):
            append_point(tmp_path, Point(hour * 3600.0, "t", group, name, hour, "V"))
    reader = TrendReader(tmp_path)
    reader.read()

    def lowest(query: dict[str, str]) -> list[tuple[str, str]]:
        drawn = pictures(reader, [(0.0, 0.0)], Wanted.read(query), None, str)
        return [(picture.title, picture.lines[0].lowest) for picture in drawn.charts]

    assert lowest({}) == [("Box", "0"), ("Rates", "0")]
    assert lowest({"range": "hour", "group": "Box"}) == [("Box", "46")]
    assert lowest({"range": "day", "name": "a"}) == [("Rates", "23")]


def test_the_end_of_a_log_is_short_and_harmless(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    path = tmp_path / "log" / "t.log"
    path.write_bytes(
        b"first\n"
        + b"x" * 1_000_000
        + b"\n\x1b[1;31mred\x1b[0m\x07\x00\n1 %\r2 %\r3 %\n\xff\xe2\x80\xae\nlast"
    )
    lines = log_tail.tail(tmp_path, "t.log").lines
    assert lines == ("red␇␀", "3 %", "\ufffd·", "last")
    assert log_tail.tail(tmp_path, "t.log", most_lines=1).lines == ("last",)
    path.write_bytes(b"y" * 1_000_000)
    (line,) = log_tail.tail(tmp_path, "t.log").lines
    assert len(line) == log_tail.MOST_TEXT
    assert log_tail.tail(tmp_path, "../log/t.log").lines == ()
    assert log_tail.tail(tmp_path, "none.log").lines == ()
    assert harmless("\x1b]0;title\x07a\x1b(Bb\x1bcc", 80) == "a␛(Bb␛cc"


def test_figures_are_short() -> None:
    told = [figure(x) for x in (1412.34, 3.51234, -40.25, 1.23456e-7, 123456.7, 0.0, None, math.inf, 6.02e23)]
    assert told == ["1412", "3.512", "−40.25", "1.23e−07", "123457", "0", "–", "–", "6.02e+23"]


def test_two_runs_are_compared_first_what_became_worse() -> None:
    def values(*told: dict[str, Any]) -> dict[Any, Value]:
        return {value.key: value for value in values_of("t", {"measurements": list(told)})}

    a = values(measured(), measured(name="b", verdict="FAIL"), measured(name="c"), measured(name="only"))
    b = values(measured(value=1.25), measured(name="b"), measured(name="c", verdict="FAIL", value=3.0))
    pairs, more = compare(a, b)
    assert [(pair.key[2], pair.kind) for pair in pairs] == [
        ("c", "worse"), ("b", "better"), ("gain", "same"), ("only", "one"),
    ]  # fmt: skip
    assert [pair.difference for pair in pairs] == ["+1.5", "0", "−0.25", ""]
    assert more == 0


def test_a_part_is_made_anew_only_when_its_version_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scheduler import create_run
    from scheduler.web import room as rooms

    monkeypatch.setattr(rooms, "PAID_OFF", 0)
    room = Room(create_run(tmp_path, Plan("p", (Task("t", "T", "a:b"),))), lambda _plan: [])
    made: list[str] = []

    def part(version: int) -> Part:
        return room.part("schedule", "", version, lambda: made.append("x") or f"html {len(made)}")

    assert [part(1).html, part(1).html, part(2).html] == ["html 1", "html 1", "html 2"]
    room.look()
    assert room.state.run == "00001"
    room.close()
