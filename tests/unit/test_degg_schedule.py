"""The full schedule of the acceptance test of optical modules: how often each task comes, and in which order.

Origin of the counts: the published generator's output, as the reference of this project lists it (sections 5 and 7).
"""

from __future__ import annotations

import importlib
import inspect
import itertools
from collections import Counter

import pytest

from fat.degg.schedule.build import sections
from fat.degg.schedule.short import short_sections

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
