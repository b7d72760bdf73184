"""The cold path's closed formulas against the same equations integrated in small steps."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sim.kernel import SimTime
from sim.lab.figures import ColdFigures, LabFigures
from sim.lab.world import ColdPath, World

HOUR = 3600 * 10**9
STEP_H = 0.001
Change = Callable[[ColdPath, SimTime], None]


def to(celsius: float) -> Change:
    return lambda cold, now: cold.set_freezer(now, celsius)


def door(open_: bool) -> Change:
    return lambda cold, now: cold.open_door(now, open_)


def compressor(running: bool) -> Change:
    return lambda cold, now: cold.run(now, running)


class Integrated:
    """d(air)/dt and so on, by the midpoint rule."""

    def __init__(self, figures: ColdFigures) -> None:
        self.f = figures
        self.air = self.glass = figures.start_c
        self.humidity = figures.humidity_open
        self.set_point, self.open, self.running = figures.start_c, False, True

    def slopes(self, air: float, glass: float, humidity: float) -> tuple[float, float, float]:
        f = self.f
        target = self.set_point if self.running and not self.open else f.room_c
        lag = f.open_lag_h if self.open else f.air_lag_h
        dry = f.humidity_open if self.open else f.humidity_closed + f.humidity_per_c * (air - f.room_c)
        return (target - air) / lag, (air - glass) / f.glass_lag_h, (dry - humidity) / f.humidity_lag_h

    def run(self, hours: float) -> None:
        for _ in range(round(hours / STEP_H)):
            now = (self.air, self.glass, self.humidity)
            half = [v + STEP_H / 2 * s for v, s in zip(now, self.slopes(*now), strict=True)]
            self.air, self.glass, self.humidity = (
                v + STEP_H * s for v, s in zip(now, self.slopes(*half), strict=True)
            )


PROFILES: dict[str, list[tuple[Change, float]]] = {
    "cooling in one step": [(to(-40), 12.0)],
    "the profile of a test in short": [(to(-40), 6.0), (to(-20), 3.0), (to(20), 4.0), (to(-40), 2.0)],
    "opened while cold": [(to(-30), 5.0), (door(True), 0.4), (door(False), 2.0)],
    "the compressor fails": [(to(-40), 4.0), (compressor(False), 3.0), (compressor(True), 1.0)],
    "opened while the compressor stands": [(compressor(False), 1.0), (door(True), 1.0), (door(False), 1.0)],
}


@pytest.mark.parametrize("lags", [{}, {"air_lag_h": 2.0}, {"air_lag_h": 3.01}, {"humidity_lag_h": 3.0}])
@pytest.mark.parametrize("name", PROFILES)
def test_temperatures_and_humidity_follow_the_equations(name: str, lags: dict[str, float]) -> None:
    figures = ColdFigures(**lags)
    cold, expected, now = ColdPath(figures), Integrated(figures), 0.0
    for change, hours in PROFILES[name]:
        change(cold, SimTime(round(now * HOUR)))
        expected.set_point, expected.open, expected.running = cold.set_point, cold.open, cold.running
        now += hours
        expected.run(hours)
        at = SimTime(round(now * HOUR))
        assert cold.air(at) == pytest.approx(expected.air, abs=1e-3)
        assert cold.glass(at) == pytest.approx(expected.glass, abs=1e-3)
        assert cold.humidity(at) == pytest.approx(max(0.0, expected.humidity), abs=1e-2)


def test_asking_changes_nothing_and_a_change_that_changes_nothing_neither() -> None:
    asked, quiet = ColdPath(ColdFigures()), ColdPath(ColdFigures())
    for cold in (asked, quiet):
        cold.set_freezer(SimTime(0), -40.0)
    for hour in range(10):
        asked.set_freezer(SimTime(hour * HOUR), -40.0)
        asked.glass(SimTime(hour * HOUR))
    at = SimTime(10 * HOUR)
    assert asked.air(at) == pytest.approx(quiet.air(at))
    assert asked.glass(at) == pytest.approx(quiet.glass(at))
    assert asked.humidity(at) == pytest.approx(quiet.humidity(at))


@pytest.mark.parametrize(("asked", "set_point"), [(-80.0, -57.0), (45.0, 30.0), (-40.0, -40.0)])
def test_a_set_point_stays_within_what_the_freezer_can_do(asked: float, set_point: float) -> None:
    cold = ColdPath(ColdFigures())
    cold.set_freezer(SimTime(0), asked)
    assert cold.set_point == set_point
    assert cold.air(SimTime(1000 * HOUR)) == pytest.approx(set_point)


def test_twenty_hours_are_enough_for_minus_forty_and_the_air_dries() -> None:
    # fat.md, section 10: room to -40 C takes about 20 h; humidity falls on cooling and rises when opened.
    cold = ColdPath(ColdFigures())
    cold.set_freezer(SimTime(0), -40.0)
    assert cold.glass(SimTime(20 * HOUR)) == pytest.approx(-40.0, abs=1.0)
    assert cold.glass(SimTime(3 * HOUR)) > cold.air(SimTime(3 * HOUR)) + 5
    dry = cold.humidity(SimTime(20 * HOUR))
    assert dry < 10
    cold.open_door(SimTime(20 * HOUR), True)
    assert cold.humidity(SimTime(21 * HOUR)) == pytest.approx(45.0, abs=0.1)
    assert cold.glass(SimTime(21 * HOUR)) > -40.0 + 10


def test_a_board_warms_up_with_power_and_cools_down_to_its_glass_without() -> None:
    # fat.md, section 10: boards run 10..15 C warmer than the box.
    world = World(LabFigures(), [5000, 5001])
    room = world.room(5000, 12.0)
    assert room.board_temperature(SimTime(HOUR)) == pytest.approx(
        room.glass_temperature(SimTime(HOUR)) + 12.0
    )

    def warmth(hours: float) -> float:
        at = SimTime(round(hours * HOUR))
        return room.board_temperature(at) - room.glass_temperature(at)

    # After one lag, half an hour, 1 - 1/e of the way.
    world.power.set_mainboard(SimTime(HOUR), 5000, False)
    assert warmth(1.5) == pytest.approx(12.0 * 0.368, abs=0.01)
    assert warmth(9.0) == pytest.approx(0.0, abs=1e-5)
    world.power.set_mainboard(SimTime(9 * HOUR), 5000, True)
    assert warmth(9.5) == pytest.approx(12.0 * 0.632, abs=0.01)
    assert warmth(15.0) == pytest.approx(12.0, abs=1e-3)


def test_a_moment_without_power_leaves_a_board_as_warm_as_it_was() -> None:
    # A warm reboot takes seconds; where a box is -20 C its boards must not say -32 C for the next hour.
    world = World(LabFigures(), [5000])
    room = world.room(5000, 12.0)
    for moment, on in ((0, False), (5, True), (9, False), (14, True)):
        world.power.set_mainboard(SimTime(HOUR + moment * 10**9), 5000, on)
    at = SimTime(HOUR + 14 * 10**9)
    assert room.board_temperature(at) - room.glass_temperature(at) == pytest.approx(12.0, abs=0.1)
