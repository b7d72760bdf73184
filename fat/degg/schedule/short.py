"""A short schedule: every kind of task once, at the temperature that is. For a first look at modules, and for tests."""

from __future__ import annotations

from collections.abc import Iterator

from fat.degg.schedule.economy import economical
from fat.degg.schedule.section import Section, Step, titled
from fat.degg.schedule.steps import (
    all_lights_off,
    bootmon,
    constant_monitor,
    laser_off,
    measurement,
    online_mon,
    remote,
    slowmon,
    status_check,
)

COMMENT = "short schedule"


def short_sections(*, fewer_events: bool = False) -> tuple[Section, ...]:
    """All sections in their order; nobody is asked, and the freezer stays as it is."""
    steps = (*_dark(), *_light(), *_lights_of_their_own(), *_end())
    return titled(economical(steps) if fewer_events else steps)


def _dark() -> Iterator[Step]:
    yield laser_off()
    yield status_check()
    yield measurement("measure_stf", "self_tests", COMMENT)
    yield Step("stf_ana", "self_tests")
    yield measurement("measure_gain", "gain", COMMENT)
    yield Step("analysis_wrapper", "gain")
    yield measurement("measure_scaler", "scaler", COMMENT)
    yield remote("darkrate")
    yield measurement("measure_spe", "spe", COMMENT)
    yield remote("spe")
    yield remote("dt")
    yield measurement("measure_hv", "high_voltage", COMMENT)
    yield online_mon(COMMENT)
    yield remote("quick_monitoring")
    yield constant_monitor(COMMENT)
    yield remote("detailed_monitoring")
    yield slowmon(COMMENT)
    yield remote("gainscan_monitoring")


def _light() -> Iterator[Step]:
    yield status_check()
    yield measurement("measure_linearity", "linearity", COMMENT)
    yield remote("linearity")
    yield measurement("measure_pulsed_waveform", "pulses", COMMENT)
    yield remote("double_pulse")
    yield measurement("measure_long_waveform", "pulses", COMMENT)
    yield measurement("run_timing", "timing", COMMENT)
    yield remote("tts")
    yield laser_off()


def _lights_of_their_own() -> Iterator[Step]:
    yield measurement("measure_camera", "cameras", COMMENT)
    yield measurement("measure_baseline_flasher", "flasher", COMMENT)
    yield remote("flasher_chargestamp")
    yield all_lights_off()
    yield measurement("measure_pattern", "cameras", COMMENT)
    yield Step("camera_file_checker", "cameras", backup=False)


def _end() -> Iterator[Step]:
    yield bootmon("reboot")
    yield remote("reboot_monitoring")
    yield status_check()
