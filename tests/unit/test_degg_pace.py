"""Moves of the freezer take their time with fewer events too; a measurement is where its name says, or people are told.

Origin of the hours: the acceptance test's published description (sections 5 and 10 of this project's reference).
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fat.degg.commands.create_ini import create_ini
from fat.degg.records.run_file import RunFile
from fat.degg.schedule.build import sections
from fat.degg.schedule.plan import task_of
from fat.degg.schedule.section import Section
from fat.degg.tasks.monitoring import online_mon
from fat.degg.tasks.named_temperature import AWAY_C, celsius_as_it_begins, named_celsius
from fat.degg.tasks.pacing import LONGEST_MIN, let_pass
from fat.errors import UsageError
from fat.testing.task_lab import Told
from scheduler import TaskContext
from scheduler.calling import bound
from scheduler.declared import declarations
from scheduler.schedule.ini_form import read_ini
from sim.kernel import SimTime
from sim.lab.figures import ColdFigures
from sim.lab.world import ColdPath

HOUR = 3600 * 10**9
MOVES = [(20.0, -40.0, 20, 20.0), (-40.0, -20.0, 16, 10.0), (-20.0, 20.0, 24, 24.0), (20.0, -40.0, 20, 20.0)]
"""From, to, loops, hours; then the last one, which differs with and without scans of the high voltage."""


def moves(made: tuple[Section, ...]) -> Iterator[tuple[float, float, list[float]]]:
    """From, to, and the minutes that each quick monitoring of the move waits."""
    waits: list[float] = []
    begun: tuple[float, float] | None = None
    for section in made:
        arguments: Any = section.step.arguments
        if section.step.task == "dummy_wrapper":
            if begun is not None:
                yield *begun, waits
            begun, waits = (arguments["fcurrent"], arguments["fcurrent"] + arguments["fdelta"]), []
        elif section.step.task == "online_mon" and arguments["comment"] == "moving":
            waits.append(arguments.get("minutes", 0.0))
    assert begun is not None
    yield *begun, waits


@pytest.mark.parametrize(("no_hv", "last_loops"), [(False, 37), (True, 24)])
def test_with_fewer_events_each_move_lasts_as_long_as_the_published_one(no_hv: bool, last_loops: int) -> None:
    made = sections(no_hv=no_hv, fewer_events=True)
    assert len(made) == (1086 if no_hv else 1114)
    found = list(moves(made))
    assert [(a, b, len(waits)) for a, b, waits in found] == [
        *((a, b, loops) for a, b, loops, _ in MOVES),
        (-40.0, 20.0, last_loops),
    ]
    hours = [sum(waits) / 60 for _, _, waits in found]
    assert hours == pytest.approx([*(hours for *_, hours in MOVES), 24.0], abs=0.1)
    assert all(len(set(waits)) == 1 for *_, waits in found), "the steps are even"
    days = (sum(hours) + 8.0) / 24  # and eight hours without power
    assert 4.0 < days < 5.0
    still = [s for s in made if s.step.task == "online_mon" and s.step.arguments["comment"] != "moving"]
    assert not any("minutes" in section.step.arguments for section in still)


def test_published_events_take_their_time_by_themselves() -> None:
    assert not any("minutes" in section.step.arguments for section in sections())


@pytest.mark.parametrize("lag_h", [2.0, 3.0, 4.0])
def test_after_a_move_everything_is_where_its_phase_is_named_after(lag_h: float) -> None:
    # fat.md section 10: tau 2..4 h for the air of the box, and 3 h more for glass.
    cold, now = ColdPath(ColdFigures(air_lag_h=lag_h, glass_lag_h=3.01)), 0
    for _, goal, waits in moves(sections(fewer_events=True)):
        cold.set_freezer(SimTime(now), goal)
        now += round(sum(waits) * 60e9)
        away = abs(cold.glass(SimTime(now)) - goal)
        assert away < (1.5 if sum(waits) > 1000 else 4.5)
        assert abs(cold.air(SimTime(now)) - goal) < 2.0
        now += HOUR  # measurements
    assert AWAY_C > 4.5, "the published ten hours are no fault of the freezer"


def test_the_ini_form_hands_the_minutes_over_by_position(tmp_path: Path) -> None:
    run_file = tmp_path / "run_00001.json"
    run_file.write_text('{"comment": "", "date": "2026-01-01"}')
    create_ini(
        run_file, tmp_path / "fat.ini", no_hv=False, short=False, fewer_events=True, verbose=False, overwrite=False
    )  # fmt: skip
    task = next(t for t in read_ini(tmp_path / "fat.ini").plan.tasks if t.id == "online_mon_0")
    values, _ = bound(online_mon, task.call, task.positional, {})
    assert list(values) == ["moving", 4, 3, 60.0]
    first = next(s for s in sections(fewer_events=True) if s.step.task == "online_mon")
    defaults = inspect.signature(online_mon).parameters
    assert all(first.step.arguments[name] == defaults[name].default for name in ("n_jobs", "repeats"))


def test_a_wait_of_three_hours_on_a_clock_of_wall_time_is_no_hang() -> None:
    section = next(s for s in sections(fewer_events=True) if s.step.task == "online_mon")
    call = task_of(section).call
    assert declarations([call])[call]["timeout_s"] >= LONGEST_MIN * 60 + 3600


@dataclass
class Heard(Told):
    """What was told, shown and kept."""

    shown: list[str] = field(default_factory=list)
    kept: Any = None

    def progress(self, done: float, total: float, text: str) -> None:
        assert 0 <= done <= total
        self.shown.append(text)

    def keep(self, value: Any) -> None:
        self.kept = value


@dataclass
class Lab:
    """A clock that waits at once, and who is told what."""

    now: int = 5 * HOUR
    steps_s: list[float] = field(default_factory=list)
    told: Heard = field(default_factory=Heard)

    def now_ns(self) -> int:
        return self.now

    def wait_until(self, t_ns: int) -> int:
        self.now = max(self.now, t_ns)
        return self.now

    def wait(self, seconds: float) -> None:
        self.steps_s.append(seconds)
        self.now += round(seconds * 1e9)

    def context(self, kept: Any = None, **parameters: str) -> TaskContext:
        made = TaskContext(Path(), "online_mon_0", "online_mon_0", 1, {}, parameters, {}, {}, self, self.told)
        return replace(made, kept=kept)


@dataclass(frozen=True)
class Board:
    """A module, as far as the box asks."""

    port: int


@pytest.fixture
def run_file(tmp_path: Path) -> str:
    """A run of three modules."""
    papers = {}
    for port in (5000, 5001, 5002):
        papers[f"DEgg2021-3-{port}"] = path = tmp_path / f"{port}.json"
        path.write_text(json.dumps({"DEggSerialNumber": f"DEgg2021-3-{port}", "Port": port}))
    return str(RunFile.create(tmp_path / "json", "", date(2026, 3, 1), papers).path)


def passes(lab: Lab, minutes: float, kept: Any = None) -> None:
    let_pass(lab.context(kept), lab, minutes)  # type: ignore[arg-type]


def test_what_is_left_of_a_wait_is_shown() -> None:
    lab = Lab()
    passes(lab, 25.0)
    assert lab.steps_s == [600.0, 600.0, 300.0]
    assert [text.split()[0] for text in lab.told.shown] == ["25", "15", "5", "waited"]
    assert "freezer" in lab.told.shown[0]


def test_an_attempt_that_follows_waits_for_what_is_left() -> None:
    lab = Lab()
    passes(lab, 60.0)
    lab.now, lab.steps_s = 5 * HOUR + 40 * 60 * 10**9, []  # killed after forty minutes
    passes(lab, 60.0, lab.told.kept)
    assert sum(lab.steps_s) == pytest.approx(20 * 60)
    lab.now, lab.steps_s = 0, []  # a clock that began anew: never more than was asked for
    passes(lab, 60.0, lab.told.kept)
    assert sum(lab.steps_s) == pytest.approx(3600)


def test_nothing_is_waited_for_where_nothing_is_asked_for() -> None:
    lab = Lab()
    passes(lab, 0.0)
    assert (lab.steps_s, lab.told.shown, lab.told.kept) == ([], [], None)
    for wrong in (-1.0, LONGEST_MIN + 1, float("nan")):
        with pytest.raises(UsageError, match="minutes must be"):
            passes(lab, wrong)


@pytest.mark.parametrize(
    ("comment", "celsius"),
    [
        ("at -40 C", -40.0),
        ("dark noise at -40 C", -40.0),
        ("at -40 C again", -40.0),
        ("at \N{MINUS SIGN}20.5 \N{DEGREE SIGN}C", -20.5),
        ("at 20 C", 20.0),
        ("at room temperature", None),
        ("short schedule", None),
        ("very_cold0", None),
        ("at 100 Counts", None),
    ],
)
def test_a_comment_may_name_a_temperature(comment: str, celsius: float | None) -> None:
    assert named_celsius(comment) == celsius


def test_a_measurement_that_begins_elsewhere_is_told_of(run_file: str) -> None:
    boards: Any = {Board(5000): 15.5, Board(5001): 14.5, Board(5002): 13.5}
    lab = Lab()
    context = lab.context(run_file=run_file)
    assert celsius_as_it_begins(context, boards, "at -40 C") == pytest.approx(2.0)
    assert lab.told.warnings() == "online_mon_0 (at -40 C) began while the box was at 2 C, 42 C away"
    assert lab.told.notes == ["online_mon_0 (at -40 C) began while the box was at 2 C"]


def test_a_measurement_that_begins_where_it_should_is_not(run_file: str) -> None:
    boards: Any = {Board(5000): 14.5}
    lab = Lab()
    context = lab.context(run_file=run_file)
    for comment in ("at 5 C", "at room temperature", "moving"):
        celsius_as_it_begins(context, boards, comment)
    celsius_as_it_begins(context, {}, "at -40 C")
    assert (lab.told.notices, lab.told.notes) == ([], [])


def test_every_measurement_of_the_schedule_that_names_a_temperature_looks_whether_it_is_there() -> None:
    named = {
        f"{section.package}:{section.step.task}"
        for section in sections()
        if named_celsius(str(section.step.arguments.get("comment", ""))) is not None
    }
    assert len(named) == 10
    for call in named:
        module = importlib.import_module(call.partition(":")[0])
        assert module.celsius_as_it_begins is celsius_as_it_begins, call
