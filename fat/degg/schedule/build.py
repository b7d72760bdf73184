"""The full acceptance test: 1114 tasks of about five days (1086 without the scan of the high voltage while warming up).

How often each task comes is that of the published schedule (counts and order of the phases: the acceptance test's
own generator). Where it leaves open which phase a repetition belongs to, the distribution is ours.

    room, 20 C   laser off, self-tests, gain                      then a person says yes
    20 -> -40    20 loops of monitoring, with a warm reboot each
    -40          everything, cameras and flasher too, a cold boot after eight hours without power
    -40 -> -20   16 loops
    -20          everything but cameras and flasher, 16 times constant monitoring
    -20 -> 20    24 loops
    20           dark rates
    20 -> -40    20 loops
    -40          everything but cameras and flasher
    -40 -> 20    37 scans of the high voltage (or 24 times monitoring)

How long the freezer moves: 20 -> -40 about 20 h and -40 -> -20 about 10 h are published; the others are ours, an hour
for each loop of 24 as for each of the 20. The box follows with a lag of 2 to 4 h and vessels with 3 h more, so that
after 20 h they are 1.5 C from where they go, or nearer.
"""

from __future__ import annotations

from collections.abc import Iterator

from fat.degg.schedule.economy import economical
from fat.degg.schedule.section import Section, Step, titled
from fat.degg.schedule.steps import (
    all_lights_off,
    ask,
    bootmon,
    constant_monitor,
    freezer,
    laser_off,
    measurement,
    online_mon,
    remote,
    slowmon,
    status_check,
)

ROOM_C, COLD_C, COOL_C = 20.0, -40.0, -20.0
TO_COLD_H, TO_COOL_H, TO_ROOM_H = 20.0, 10.0, 24.0
"""How long a move of the freezer lasts, by where it goes."""


def sections(*, no_hv: bool = False, fewer_events: bool = False) -> tuple[Section, ...]:
    """All sections in their order.

    no_hv         leave the scans of the high voltage out: 24 times monitoring takes their place
    fewer_events  for simulated modules (`fat.degg.schedule.economy`)
    """
    steps = _steps(no_hv=no_hv)
    return titled(economical(steps) if fewer_events else steps)


def _steps(*, no_hv: bool) -> Iterator[Step]:
    yield from _begin()
    yield from _move(ROOM_C, COLD_C, loops=20, hours=TO_COLD_H)
    yield from _cold()
    yield from _move(COLD_C, COOL_C, loops=16, hours=TO_COOL_H)
    yield from _cool()
    yield from _move(COOL_C, ROOM_C, loops=24, hours=TO_ROOM_H)
    yield from _warm()
    yield from _move(ROOM_C, COLD_C, loops=20, hours=TO_COLD_H)
    yield from _cold_again()
    yield from _end(no_hv=no_hv)


def _begin() -> Iterator[Step]:
    yield laser_off()
    yield from _self_tests("at room temperature", "")
    yield from _gain("at room temperature", "")
    yield ask("Are the gain and STF OK?")
    yield status_check()


def _cold() -> Iterator[Step]:
    state = "very_cold0"
    yield from _gain("at -40 C", state)
    yield from _constant(state, 3)
    yield from _dark("at -40 C", state)
    yield from _light("at -40 C", state)
    yield laser_off()
    yield status_check()
    yield measurement("measure_camera", "cameras", "dark noise at -40 C")
    yield status_check()
    yield measurement("measure_baseline_flasher", "flasher", "at -40 C")
    yield remote("flasher_chargestamp")
    yield all_lights_off()
    yield status_check()
    yield measurement("measure_pattern", "cameras", "pattern at -40 C")
    yield Step("camera_file_checker", "cameras", backup=False)
    yield from _constant(f"{state}_postIllumination", 10)
    yield from _self_tests("at -40 C", state)
    yield status_check()
    yield bootmon("coldboot")
    yield remote("reboot_monitoring")
    yield online_mon(state)
    yield remote("quick_monitoring")
    yield from _constant(state, 10)


def _cool() -> Iterator[Step]:
    state = "kinda_cold0"
    yield from _gain("at -20 C", state)
    yield from _constant(state, 16)
    yield from _dark("at -20 C", state)
    yield from _light("at -20 C", state)
    yield laser_off()
    yield from _self_tests("at -20 C", state)


def _warm() -> Iterator[Step]:
    yield from _constant("warm", 16)
    yield status_check()
    yield measurement("measure_scaler", "scaler", "at 20 C")
    yield remote("darkrate")
    yield status_check()
    yield measurement("measure_spe", "spe", "at 20 C")
    yield remote("spe")
    yield remote("dt")
    yield online_mon("warm")
    yield remote("quick_monitoring")
    yield ask("The modules were warm again. Has nothing changed in the freezer, and may they be cooled?")
    yield status_check()


def _cold_again() -> Iterator[Step]:
    state = "very_cold1"
    yield from _gain("at -40 C again", state)
    yield from _constant(state, 3)
    yield from _dark("at -40 C again", state)
    yield from _light("at -40 C again", state)
    yield laser_off()
    yield all_lights_off()
    yield from _constant(f"{state}_postIllumination", 10)
    yield from _self_tests("at -40 C again", state)
    yield from _constant(state, 13)


def _end(*, no_hv: bool) -> Iterator[Step]:
    yield status_check()
    yield freezer(COLD_C, ROOM_C - COLD_C)
    loops = 24 if no_hv else 37
    for _ in range(loops):
        if no_hv:
            yield constant_monitor("moving")
            yield remote("detailed_monitoring")
        else:
            yield measurement("measure_hv", "high_voltage", "moving")
        yield status_check()
        yield online_mon("moving", _share(TO_ROOM_H, loops))
        yield remote("quick_monitoring")
    yield ask("Run is Finished, install dehumidifiers!")
    yield status_check()


def _share(hours: float, loops: int) -> float:
    """Minutes of a move that fall to each of its loops."""
    return round(hours * 60.0 / loops, 1)


def _move(before: float, after: float, *, loops: int, hours: float) -> Iterator[Step]:
    """Another temperature, and monitoring on the way, in even steps."""
    yield status_check()
    yield freezer(before, after - before)
    for _ in range(loops):
        yield slowmon("moving")
        yield remote("gainscan_monitoring")
        yield status_check()
        yield online_mon("moving", _share(hours, loops))
        yield remote("quick_monitoring")
        yield bootmon("reboot")


def _constant(state: str, times: int) -> Iterator[Step]:
    for _ in range(times):
        yield online_mon(state)
        yield constant_monitor(state)
        yield remote("detailed_monitoring")  # of both
        yield status_check()


def _measured(state: str) -> Iterator[Step]:
    """Quick monitoring after a measurement; none before the freezer is on."""
    if state:
        yield online_mon(state)
        yield remote("quick_monitoring")


def _self_tests(comment: str, state: str) -> Iterator[Step]:
    yield status_check()
    yield measurement("measure_stf", "self_tests", comment)
    yield Step("stf_ana", "self_tests")
    yield from _measured(state)


def _gain(comment: str, state: str) -> Iterator[Step]:
    yield status_check()
    yield measurement("measure_gain", "gain", comment)
    yield Step("analysis_wrapper", "gain")
    yield Step("validate_gain", "gain", backup=False)
    yield from _measured(state)


def _dark(comment: str, state: str) -> Iterator[Step]:
    yield status_check()
    yield measurement("measure_scaler", "scaler", comment)
    yield remote("darkrate")
    yield from _measured(state)
    yield status_check()
    yield measurement("measure_spe", "spe", comment)
    yield remote("spe")
    yield remote("dt")
    yield from _measured(state)


def _light(comment: str, state: str) -> Iterator[Step]:
    for task, module, analysis in (
        ("measure_linearity", "linearity", "linearity"),
        ("measure_pulsed_waveform", "pulses", "double_pulse"),
        ("run_timing", "timing", "tts"),
    ):
        yield status_check()
        yield measurement(task, module, comment)
        yield remote(analysis)
        yield from _measured(state)
