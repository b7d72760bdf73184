"""The full schedule of the acceptance test of optical modules: how often each task comes, and in which order.

Origin of the counts: the published generator's output, as the reference of this project lists it (sections 5 and 7).
"""

from __future__ import annotations

import importlib
import inspect
import itertools
from collections import Counter

import pytest

from fat.degg.schedule.beside import ANALYSIS, MOST_OPEN, analyses_beside
from fat.degg.schedule.build import sections
from fat.degg.schedule.once_more import PAUSE_S, errors_once_more
from fat.degg.schedule.plan import safe_at_the_end, task_of
from fat.degg.schedule.section import Section
from fat.degg.schedule.short import short_sections
from scheduler import Plan, Task
from scheduler.order import earlier, ready
from scheduler.schedule.reading import read_schedule

COUNTS = {
    "trigger_remote_wrapper": 324,
    "status_check": 235,
    "online_mon": 221,
    "constant_monitor": 81,
    "bootmon": 81,
    "slowmon": 80,
    "measure_hv": 37,
    "dummy_wrapper": 5,
    **dict.fromkeys(
        [
            "validate_gain",
            "stf_ana",
            "measure_stf",
            "measure_spe",
            "measure_scaler",
            "measure_gain",
            "disable_laser",
            "analysis_wrapper",
        ],
        4,
    ),
    **dict.fromkeys(["run_timing", "measure_pulsed_waveform", "measure_linearity", "manual_input"], 3),
    "disable_all_lights": 2,
    **dict.fromkeys(
        ["measure_pattern", "measure_camera", "measure_baseline_flasher", "camera_file_checker"], 1
    ),
}


def test_the_full_schedule_has_each_task_as_often_as_the_real_one():
    made = sections()
    assert Counter(section.step.task for section in made) == COUNTS
    assert len(made) == 1114


def test_without_scans_of_the_high_voltage_monitoring_takes_their_place():
    made = sections(no_hv=True)
    assert len(made) == 1086
    assert Counter(section.step.task for section in made)["constant_monitor"] == 81 + 24
    assert "measure_hv" not in {section.step.task for section in made}


@pytest.mark.parametrize("no_hv", [False, True])
def test_titles_are_unique_and_count_each_kind(no_hv):
    titles = [section.title for section in sections(no_hv=no_hv)]
    assert len(set(titles)) == len(titles)
    assert {"disable_laser_0", "bootmon_0_reboot", "trigger_remote_wrapper_darkrate_3"} <= set(titles)


def test_the_freezer_goes_where_it_was_left():
    steps = [section.step.arguments for section in sections() if section.step.task == "dummy_wrapper"]
    assert [step["fcurrent"] for step in steps] == [20, -40, -20, 20, -40]
    assert all(a["fcurrent"] + a["fdelta"] == b["fcurrent"] for a, b in itertools.pairwise(steps))


def test_light_is_off_before_the_cameras_and_before_each_loop_of_a_moving_freezer():
    lit, seen = False, []
    for section in sections():
        task = section.step.task
        if task in ("measure_linearity", "measure_pulsed_waveform", "run_timing"):
            lit = True
        elif task in ("disable_laser", "disable_all_lights"):
            lit = False
        elif task in (
            "measure_camera",
            "dummy_wrapper",
            "measure_gain",
            "measure_stf",
            "measure_scaler",
            "slowmon",
        ):
            seen.append((section.title, lit))
    assert [title for title, was in seen if was] == []


def test_the_short_schedule_has_every_kind_of_task_that_asks_nobody():
    made = short_sections()
    kinds = {section.step.task for section in made}
    assert set(COUNTS) - kinds == {"dummy_wrapper", "manual_input", "validate_gain"}
    assert len({section.title for section in made}) == len(made) < 50


@pytest.mark.parametrize("sections_of", [sections, short_sections])
def test_fewer_events_change_no_order_and_every_argument_fits_its_function(sections_of):
    published, fewer = sections_of(), sections_of(fewer_events=True)
    assert [section.title for section in fewer] == [section.title for section in published]
    assert sum(a != b for a, b in zip(published, fewer, strict=True)) >= 3
    for section in fewer:
        function = getattr(importlib.import_module(section.package), section.step.task)
        _context, *parameters = inspect.signature(function).parameters
        assert list(section.step.arguments) == parameters[: len(section.step.arguments)], (
            "they go by position"
        )


def arranged(made: tuple[Section, ...]) -> Plan:
    return safe_at_the_end(analyses_beside(Plan("degg", tuple(map(task_of, made)))))


def test_a_schedule_that_is_looked_at_shows_analyses_beside_as_they_will_run(tmp_path):
    run_file, ini = tmp_path / "run_00001.json", tmp_path / "fat.ini"
    run_file.write_text("{}")
    lines = [f"[constants]\nrun_file = {run_file}", *(line for s in short_sections() for line in s.lines())]
    ini.write_text("\n".join(lines))
    read = read_schedule(str(ini)).plan
    beside = [task for task in read.tasks if task.beside]
    assert {task.call for task in beside} == {ANALYSIS}
    assert all(not task.timed and task.uses for task in beside)
    assert analyses_beside(read) is read


@pytest.mark.parametrize("sections_of", [sections, short_sections])
def test_analyses_run_beside_what_follows_one_at_a_time_and_never_pile_up(sections_of):
    """As slow as analyses can be: one ends only when nothing else is left that could begin."""
    plan = arranged(sections_of())
    left, done, running, most = list(plan.tasks), set(), set(), 0
    while left:
        begin = list(ready(left, done, running, plan.resources))
        for task in begin:
            if not task.beside:
                waiting = [t.id for t in left[: left.index(task)] if t.beside]
                most = max(most, len(waiting))
                assert not (waiting and task.call == "scheduler.manual:manual_input")
                assert not (waiting and task.always)
                done.add(task.id)
            else:
                running.add(task.id)
        assert len(running) <= 1
        if all(task.beside for task in begin):
            done |= running
            running = set()
        left = [task for task in left if task.id not in done]
    assert most == MOST_OPEN


def test_each_task_of_the_test_is_tried_once_more_and_what_cleans_up_or_asks_is_not():
    plan = errors_once_more(arranged(sections()))
    assert {task.call: (task.retries, task.retry_pause_s) for task in plan.tasks if task.retries != 1} == {
        "scheduler.manual:manual_input": (0, 0.0),
        "fat.degg.tasks.safety:leave_safe": (0, 0.0),
    }
    assert {task.retry_pause_s for task in plan.tasks if task.beside} == {0.0}
    assert {task.retry_pause_s for task in plan.tasks if task.retries and not task.beside} == {PAUSE_S}
    mine = Task("mine", "", "fat.degg.tasks.spe:measure_spe", retries=3, retry_pause_s=1.0)
    assert errors_once_more(Plan("mine", (mine,))).tasks == (mine,)


def test_gain_is_waited_for_and_so_is_all_else_before_a_task_of_ones_own():
    plan = arranged(sections())
    assert all(task.beside == (task.call == ANALYSIS) and task.timed != task.beside for task in plan.tasks)
    own = (
        Task("spe", "", ANALYSIS, positional=("spe",)),
        Task("gain", "", ANALYSIS, positional=("gain",)),
        Task("next", "", "fat.degg.tasks.gain:measure_gain"),
        Task("own", "", "my_tasks:draws"),
    )
    spe, gain, following, mine = analyses_beside(Plan("mine", own)).tasks
    assert (spe.beside, gain.beside, following.after, mine.after) == (True, False, (), ("*",))
    said = Plan("mine", (*own[:3], Task("own", "", "my_tasks:draws", after=("spe",))))
    assert analyses_beside(said) is said


def test_each_analysis_comes_after_its_measurement_and_not_after_the_next_one():
    plan = arranged(sections())
    names = [task.id for task in plan.tasks]
    before = earlier(plan.tasks, "trigger_remote_wrapper_quick_monitoring_7")
    assert {"online_mon_7", "online_mon_6"} <= before
    assert not before & set(names[names.index("online_mon_7") + 2 :])
