"""Schedules: what is read, what is refused and where, what order is forbidden, when it all would end."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scheduler import Plan, Task
from scheduler.commands import app
from scheduler.errors import PlanRejected, ScheduleRejected
from scheduler.schedule.durations import seconds, spoken
from scheduler.schedule.forecast import forecast, lengths
from scheduler.schedule.gantt import draw_gantt
from scheduler.schedule.reading import check_end, check_functions, read_schedule
from scheduler.state import RunState, TaskState
from scheduler.verdict import Verdict

FUNCTIONS = """
from scheduler import Plan, Task, TaskContext

def measure(context: TaskContext, comment: str, events: int, cold: bool = False) -> None: ...
def plain(context): ...
def night():
    return Plan("night", (Task("a", "A", "lab_tasks:plain"),))
def no_plan():
    return 3
def loops(parameters, count: int):
    return [Task(f"loop_{n}", parameters["run_file"], "lab_tasks:plain") for n in range(count)]
def breaks(parameters):
    raise OSError("the disk is gone")
"""
NIGHT = """
[plan]
begins = { laser = "off" }
checks = ["lab_tasks:plain"]
[plan.parameters]
operator = "A. Shifter"

[[task]]
id = "gain"
title = "Gain in the dark"
call = "lab_tasks:measure"
arguments = { comment = "cold", events = 1000 }
lasts = "1 h 30 min"
needs = { laser = "off" }
backup = true

[[task]]
id = "light"
call = "lab_tasks:plain"
lasts = 60
timeout = "2 d"
leaves = { laser = "on" }
"""
INI = """
[constants]
run_file = {run_file}
verbose = False
[measure_0]
package = lab_tasks
task = measure
run_backup = False
Comment = first scan
events = 500
cold = TRUE
[loops]
package = lab_tasks
fragment = loops
count = 2
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a module of task functions, which child processes find too."""
    (tmp_path / "lab_tasks.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def written(folder: Path, text: str, name: str = "night.toml") -> str:
    (folder / name).write_text(text)
    return name


def mistakes(source: str, *, functions: bool = False) -> list[str]:
    schedule = read_schedule(source) if functions else None
    with pytest.raises(ScheduleRejected) as caught:
        read_schedule(source) if schedule is None else check_functions(schedule)
    return list(caught.value.mistakes)


def test_a_toml_schedule_says_all_that_a_plan_holds(folder):
    schedule = read_schedule(written(folder, NIGHT))
    gain, light = schedule.plan.tasks
    assert schedule.plan.name == "night"
    assert schedule.plan.parameters == {"operator": "A. Shifter"}
    assert (gain.title, gain.lasts_s, gain.backup, dict(gain.needs)) == (
        "Gain in the dark",
        5400.0,
        True,
        {"laser": "off"},
    )
    assert (light.title, light.lasts_s, light.timeout_s) == ("light", 60.0, 172800.0)
    assert schedule.where == {"gain": "night.toml:8", "light": "night.toml:17"}
    check_functions(schedule)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('lasts = "1 h 30 min"', 'lasts = "soon"', "night.toml:13: lasts: 'soon' is no length of time"),
        (
            'id = "light"',
            'id = "gain"',
            "night.toml:17: the identifier 'gain' stands at night.toml:8 already",
        ),
        ('id = "light"', 'id = "a b"', "night.toml:17: an identifier is 1 to 64 letters"),
        ("backup = true", "backups = true", "night.toml:15: unknown key 'backups'; did you mean 'backup'?"),
        ("backup = true", 'backup = "yes"', "night.toml:15: backup: Input should be a valid boolean"),
        ('call = "lab_tasks:plain"', "", "night.toml:17: lacks the key 'call'"),
        (
            "[plan.parameters]",
            "[plans]",
            "night.toml:5: unknown table 'plans'; there are [plan] and [[task]]",
        ),
        (
            'begins = { laser = "off" }',
            'begins = { laser = "on" }',
            "night.toml:8: gain: needs laser = off, but",
        ),
        (
            'begins = { laser = "off" }',
            "",
            "night.toml:8: gain: needs laser = off, and no task before it says",
        ),
        ("[plan]", "[plan", "night.toml: is no TOML"),
        ("begins", "latest_end = 2026-01-01T00:00:00\nbegins", "night.toml:3: latest_end needs its offset"),
    ],
)
def test_a_mistake_in_toml_is_told_with_file_and_line(folder, old, new, told):
    assert old in NIGHT
    found = mistakes(written(folder, NIGHT.replace(old, new, 1)))
    assert [line for line in found if line.startswith(told)], found


def test_all_mistakes_are_told_at_once(folder):
    text = NIGHT.replace("backup = true", "backups = true").replace("lasts = 60", 'lasts = "x"')
    assert len(mistakes(written(folder, text))) == 2


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (":plain", ":absent", "night.toml:17: lab_tasks:absent: module lab_tasks has no function absent"),
        ("lab_tasks:measure", "no_such:f", "night.toml:8: no_such:f: module no_such cannot be imported"),
        (
            ", events = 1000",
            "",
            "night.toml:8: lab_tasks:measure(comment, events, cold=False): missing a required",
        ),
        ("events = 1000", 'events = "many"', "night.toml:8: lab_tasks:measure: events cannot be 'many'"),
        ("events = 1000", "evnts = 1, events = 2", "got an unexpected keyword argument 'evnts'"),
    ],
)
def test_functions_and_arguments_are_checked_before_the_first_task(folder, old, new, told):
    head, tail = NIGHT.split("[[task]]", 1)
    found = mistakes(written(folder, head + "[[task]]" + tail.replace(old, new, 1)), functions=True)
    assert len(found) == 1
    assert told in found[0]


def test_an_ini_schedule_hands_arguments_over_by_position(folder):
    (folder / "run_00012.json").write_text("{}")
    source = written(folder, INI.format(run_file="run_00012.json"), "fat.ini")
    schedule = read_schedule(source)
    check_functions(schedule)
    measure, first, second = schedule.plan.tasks
    assert (measure.call, measure.positional, measure.backup) == (
        "lab_tasks:measure",
        ("first scan", "500", True),
        False,
    )
    assert (first.id, second.id, first.title) == ("loop_0", "loop_1", "run_00012.json")
    assert schedule.plan.parameters == {"run_file": "run_00012.json", "verbose": False}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("run_00012.json", "run.txt", "fat.ini:2, [constants]: run_file must end in .json"),
        (
            "run_00012.json",
            "run_00013.json",
            "fat.ini:2, [constants]: run_file run_00013.json does not exist",
        ),
        ("verbose = False", "verbose = maybe", "fat.ini:2, [constants]: verbose must be True or False"),
        ("task = measure", "", "fat.ini:5, [measure_0]: needs package, and exactly one of task and fragment"),
        ("run_backup = False", "run_backup = 0", "fat.ini:5, [measure_0]: run_backup must be True or False"),
        (
            "fragment = loops",
            "fragment = breaks",
            "fat.ini:12, [loops]: lab_tasks:breaks(): too many positional",
        ),
        ("count = 2", "count = two", "fat.ini:12, [loops]: lab_tasks:loops: count cannot be 'two'"),
        ("[loops]", "[measure_0]", "section 'measure_0' already exists"),
    ],
)
def test_a_mistake_in_ini_is_told_with_file_line_and_section(folder, old, new, told):
    (folder / "run_00012.json").write_text("{}")
    text = INI.format(run_file="run_00012.json")
    assert old in text
    found = mistakes(written(folder, text.replace(old, new, 1), "fat.ini"))
    assert [line for line in found if told in line], found


def test_a_fragment_that_raises_is_a_mistake_of_its_section(folder):
    (folder / "run_00012.json").write_text("{}")
    text = INI.format(run_file="run_00012.json").replace("fragment = loops\ncount = 2", "fragment = breaks")
    (told,) = mistakes(written(folder, text, "fat.ini"))
    assert told == "fat.ini:12, [loops]: OSError: the disk is gone"


def test_a_schedule_comes_from_python(folder):
    assert read_schedule("lab_tasks:night").plan == Plan("night", (Task("a", "A", "lab_tasks:plain"),))
    assert mistakes("lab_tasks:no_plan") == ["lab_tasks:no_plan returned int; it must return a Plan"]
    assert mistakes("night.txt") == [
        "night.txt: a schedule is a .toml file, an .ini file, or module:function"
    ]
    assert mistakes("absent.toml") == ["absent.toml: there is no such file"]


DECLARED = """
from scheduler import TaskContext, declares

@declares(leaves={"laser": "off"}, lasts_s=60)
def laser_off(context: TaskContext) -> None: ...
@declares(leaves={"laser": "on"})
def light(context: TaskContext) -> None: ...
@declares(needs={"laser": "off"}, lasts_s=3600, timeout_s=7200, always=True)
def dark(context: TaskContext) -> None: ...
"""
DARK_NIGHT = """
[constants]
run_file = {run_file}
[off]
package = own_words
task = laser_off
[dark]
package = own_words
task = dark
"""


def declared(folder: Path, schedule: str) -> Path:
    (folder / "own_words.py").write_text(DECLARED)
    (folder / "run.json").write_text("{}")
    path = folder / "dark.ini"
    path.write_text(schedule.format(run_file=folder / "run.json"))
    return path


def test_functions_say_themselves_what_an_ini_schedule_cannot(folder):
    off, dark = read_schedule(str(declared(folder, DARK_NIGHT))).plan.tasks
    assert off.leaves == {"laser": "off"}
    assert (dark.needs, dark.lasts_s, dark.timeout_s, dark.always) == ({"laser": "off"}, 3600, 7200, True)


def test_an_order_that_functions_forbid_is_told_with_its_section(folder):
    lit = DARK_NIGHT.replace("[dark]", "[lit]\npackage = own_words\ntask = light\n[dark]")
    with pytest.raises(ScheduleRejected) as refused:
        read_schedule(str(declared(folder, lit)))
    assert "dark.ini:10, [dark]: dark: needs laser = off, but lit before it" in str(refused.value)


ARRANGED = """
from dataclasses import replace
from scheduler import Plan, TaskContext, declares

@declares(lasts_s=3600)
def measure(context: TaskContext) -> None: ...
@declares(arranged_by="beside_words:fits_beside", lasts_s=3000)
def fit(context: TaskContext) -> None: ...
def fits_beside(plan: Plan) -> Plan:
    if MISTAKE:
        return plan.tasks
    fits = (replace(t, beside=t.call.endswith("fit"), after=("fit_0",) * (t.id == FOLLOWS)) for t in plan.tasks)
    return replace(plan, tasks=tuple(fits))
"""
FITS = "[constants]\nrun_file = {run_file}\n" + "".join(
    f"[measure_{n}]\npackage = beside_words\ntask = measure\n[fit_{n}]\npackage = beside_words\ntask = fit\n"
    for n in range(40)
)


def arranged(folder: Path, *, mistake: bool = False, follows: str = "") -> str:
    (folder / "beside_words.py").write_text(f"MISTAKE, FOLLOWS = {mistake}, {follows!r}\n{ARRANGED}")
    return str(declared(folder, FITS))


def test_a_function_arranges_the_schedules_in_which_it_is_called(folder):
    source = arranged(folder)
    done = CliRunner().invoke(app, ["plan", source, "--begin", "2026-12-01 06:00"])
    assert (
        "80 tasks, 1 d 16 h, from 2026-12-01 06:00 to 2026-12-02 22:50; 40 of them, 1 d 9 h, beside"
        in done.stdout
    )
    (row,) = (line for line in done.stdout.splitlines() if line.strip().startswith("fit"))
    assert row.split() == ["fit", "40", "Tue", "07:00", "1", "d", "9", "h", "beside", "others"]


def test_what_a_function_makes_of_a_schedule_is_judged_like_any(folder):
    assert mistakes(arranged(folder, mistake=True)) == [
        "beside_words:fits_beside returned tuple; it must return a Plan"
    ]
    told = "plan 'dark', task 'measure_0': comes after 'fit_0', which is no task before it"
    assert mistakes(arranged(folder, follows="measure_0")) == [told]


def test_what_a_schedule_says_has_the_last_word(folder):
    declared(folder, DARK_NIGHT)
    path = folder / "dark.toml"
    path.write_text(
        '[plan]\nbegins = { laser = "on" }\n[[task]]\nid = "d"\ncall = "own_words:dark"\nlasts = 5\n'
        'needs = { laser = "on" }\n'
    )
    (dark,) = read_schedule(str(path)).plan.tasks
    assert (dark.lasts_s, dark.timeout_s, dark.needs) == (5, 7200, {"laser": "on"})


def test_an_order_that_a_condition_forbids_is_no_plan():
    on = Task("on", "On", "m:f", leaves={"laser": "on"})
    enter = Task("enter", "Freezer access", "m:f", needs={"laser": "off"})
    off = Task("off", "Off", "m:f", leaves={"laser": "off"})
    Plan("p", (on, off, enter))
    with pytest.raises(
        PlanRejected, match="needs laser = off, but on before it ends with laser = on"
    ) as caught:
        Plan("p", (off, on, enter))
    assert caught.value.task == "enter"


@pytest.mark.parametrize(
    ("text", "length"), [(5, 5.0), ("40 s", 40.0), ("1h30min", 5400.0), ("2 d", 172800.0), ("0.5 h", 1800.0)]
)
def test_lengths_of_time(text, length):
    assert seconds(text) == length


@pytest.mark.parametrize("text", ["", "soon", "5 parsecs", "-5 s", True, None])
def test_what_is_no_length_of_time(text):
    with pytest.raises(ValueError, match="no length of time"):
        seconds(text)


def test_lengths_are_spoken_with_two_units():
    assert [spoken(s) for s in (0, 0.2, 40, 5400, 180_000)] == [
        "0 s",
        "< 1 s",
        "40 s",
        "1 h 30 min",
        "2 d 2 h",
    ]


def test_the_end_is_checked_against_the_latest_end(folder):
    text = NIGHT.replace("[plan]", "[plan]\nlatest_end = 2026-12-01T08:00:00Z")
    schedule = read_schedule(written(folder, text))
    expected = forecast(schedule.plan)
    check_end(schedule, expected, datetime(2026, 12, 1, 6, 28, tzinfo=UTC))
    with pytest.raises(ScheduleRejected, match="1 min after its latest_end"):
        check_end(schedule, expected, datetime(2026, 12, 1, 6, 30, tzinfo=UTC))


def test_what_the_plan_does_not_tell_comes_from_earlier_runs():
    plan = Plan("p", (Task("a", "A", "m:f", lasts_s=5.0), Task("b", "B", "m:g"), Task("c", "C", "m:h")))
    told = forecast(plan, {"m:f": 9.0, "m:g": 7.0})
    assert [(e.begins_s, e.lasts_s, e.known) for e in told.tasks] == [
        (0.0, 5.0, "plan"),
        (5.0, 7.0, "earlier runs"),
        (12.0, 0.0, "nothing"),
    ]
    assert told.unknown == 1


def test_the_same_arguments_tell_more_than_the_same_function():
    """One cold boot is no measure for eighty warm ones, nor they for it; the ini form gives arguments by position."""
    warm = [Task(f"w{n}", "W", "m:boot", positional=("reboot",)) for n in range(3)]
    cold = Task("c", "C", "m:boot", positional=("coldboot",))
    other = Task("o", "O", "m:boot", arguments={"mode": "other"})
    plan = Plan("p", (*warm, cold, other))
    took = {**dict.fromkeys(("w0", "w1", "w2"), 20.0), "c": 28_800.0, "o": 20.0}
    tasks = {
        task.id: TaskState(
            task, verdict=Verdict.PASS, started_sim_ns=0, finished_sim_ns=round(took[task.id] * 1e9)
        )
        for task in plan.tasks
    }
    known = lengths([RunState(plan=plan, tasks=tasks)])
    assert [e.lasts_s for e in forecast(plan, known).tasks] == [20.0, 20.0, 20.0, 28_800.0, 20.0]
    unseen = Plan("q", (Task("u", "U", "m:boot", positional=("another",)),))
    assert forecast(unseen, known).tasks[0].lasts_s == 20.0


def test_a_thousand_tasks_are_one_page(tmp_path):
    tasks = [Task(f"t{n}", "T", f"m:f{n % 20}", lasts_s=60.0 * (n % 7)) for n in range(1114)]
    path = tmp_path / "plan.png"
    draw_gantt(forecast(Plan("fat", tuple(tasks))), {}, datetime(2026, 12, 1, tzinfo=UTC), "fat", path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_command_shows_checks_and_draws(folder):
    call: Any = CliRunner().invoke
    source = written(folder, NIGHT)
    done = call(app, ["plan", source, "--check", "--picture", "plan.svg", "--begin", "2026-12-01 06:00:00"])
    assert done.exit_code == 0, done.output
    assert "night: 2 tasks, 1 h 31 min, from 2026-12-01 06:00 to 2026-12-01 07:31" in done.output
    assert (folder / "plan.svg").read_text().startswith("<?xml")
    told = json.loads(call(app, ["plan", source, "--json"]).stdout)
    assert [e["begins_s"] for e in told["expected"]] == [0.0, 5400.0]
    wrong = call(app, ["plan", written(folder, NIGHT.replace(":plain", ":absent")), "--check"])
    assert wrong.exit_code == 2
    assert "has no function absent" in wrong.output


def test_a_bench_tells_a_schedule_all_that_its_own_plan_would_be_told(folder):
    from fat.acceptance.launch import planned
    from fat.configs import shipped_bench

    schedule, _ = planned(shipped_bench("mini"), written(folder, NIGHT))
    own, _ = planned(shipped_bench("mini"))
    assert [task.id for task in schedule.plan.tasks] == ["gain", "light"]
    assert schedule.plan.checks == ("lab_tasks:plain",)
    assert schedule.plan.parameters == {**own.plan.parameters, "operator": "A. Shifter"}


BESIDE = """
[plan.resources]
cores = 1

[[task]]
id = "gain"
call = "lab_tasks:plain"
lasts = "2 h"

[[task]]
id = "fit"
call = "lab_tasks:plain"
lasts = "1 h"
beside = true
timed = false
uses = { cores = 1 }

[[task]]
id = "rate"
call = "lab_tasks:plain"
lasts = "30 min"

[[task]]
id = "rate_fit"
call = "lab_tasks:plain"
lasts = "1 h"
beside = true
uses = { cores = 1 }

[[task]]
id = "report"
call = "lab_tasks:plain"
after = ["*"]
lasts = "1 min"
retries = 2
retry_pause = "30 s"
heartbeat = "5 min"
on_resume = "again"
"""


def test_what_runs_beside_is_laid_beside(folder):
    schedule = read_schedule(written(folder, BESIDE))
    laid = forecast(schedule.plan)
    hours = {e.task.id: (e.begins_s / 3600, e.lasts_s / 3600) for e in laid.tasks}
    assert {name: hours[name][0] for name in hours} == {
        "gain": 0,
        "fit": 2,
        "rate": 2,
        "rate_fit": 3,
        "report": 4,
    }
    assert laid.lasts_s == 4 * 3600 + 60
    report = schedule.plan.tasks[-1]
    assert (report.retries, report.retry_pause_s, report.heartbeat_s) == (2, 30.0, 300.0)
    assert (report.on_resume, report.after) == ("again", ("*",))
    shown = CliRunner().invoke(app, ["plan", str(folder / "night.toml")], env={"COLUMNS": "160"}).stdout
    assert "beside others, takes no part in time, uses 1 cores" in shown
    assert "after all" in shown


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("cores = 1\n\n", "cores = 0\n\n", "there are 0 of resource 'cores'"),
        ("uses = { cores = 1 }", "uses = { cores = 2 }", "fit: uses 2 of 'cores', and there is 1"),
        ('after = ["*"]', 'after = ["absent"]', "report: comes after 'absent', which is no task before it"),
    ],
)
def test_what_could_never_run_beside_is_told_with_its_place(folder, old, new, told):
    assert told in mistakes(written(folder, BESIDE.replace(old, new, 1)))[0]
