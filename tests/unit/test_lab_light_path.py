"""The light path: who may stop the light, and since when it has been dark."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from sim.kernel import SimTime
from sim.lab.figures import LabFigures, LightFigures
from sim.lab.world import Generator, LightPath, World
from sim.lab.world.light import KEPT_CHANGES

S = 10**9
TRIGGER = Generator(on=True, frequency_hz=100.0, amplitude_vpp=3.0)


def lit() -> LightPath:
    path = LightPath(LightFigures())
    path.set_supply(SimTime(1 * S), 12.0, True)
    path.set_generator(SimTime(2 * S), TRIGGER)
    return path


@pytest.mark.parametrize(
    ("volts", "switched_on", "generator_on", "amplitude"),
    [*product([0.0, 11.39, 11.4, 12.0, 12.6, 12.61], [False, True], [False, True], [1.99, 2.0])],
)
def test_light_needs_the_supply_in_its_window_and_a_trigger_that_is_large_enough(
    volts: float, switched_on: bool, generator_on: bool, amplitude: float
) -> None:
    path = LightPath(LightFigures())
    path.set_supply(SimTime(0), volts, switched_on)
    path.set_generator(SimTime(S), Generator(generator_on, 100.0, amplitude))
    fires = switched_on and generator_on and 11.4 <= volts <= 12.6 and amplitude >= 2.0
    assert path.fires is fires
    assert (path.light(SimTime(2 * S)) is not None) is fires
    assert (path.sync(SimTime(2 * S)) is not None) is fires


@pytest.mark.parametrize(("first", "second"), [*product([1.0, 0.25, 0.0], [1.0, 0.5, 0.0])])
def test_filters_multiply_and_do_not_touch_the_sync(first: float, second: float) -> None:
    path = lit()
    path.set_strength(SimTime(3 * S), 0, first)
    path.set_strength(SimTime(4 * S), 1, second)
    light, sync = path.light(SimTime(5 * S)), path.sync(SimTime(5 * S))
    assert (0.0 if light is None else light.strength) == first * second
    assert sync is not None
    assert (sync.strength, sync.since, sync.frequency_hz) == (1.0, 2 * S, 100.0)


def test_the_phase_goes_on_through_a_filter_change_and_begins_anew_with_the_generator() -> None:
    path = lit()
    path.set_strength(SimTime(3 * S), 0, 0.0)
    path.set_strength(SimTime(4 * S), 0, 0.5)
    light = path.light(SimTime(4 * S))
    assert light is not None
    assert light.since == 2 * S
    path.set_generator(SimTime(5 * S), replace(TRIGGER, frequency_hz=500.0, pulses=2, spacing_ns=20.0))
    light = path.light(SimTime(5 * S))
    assert light is not None
    assert (light.since, light.frequency_hz, light.pulses, light.spacing_ns) == (5 * S, 500.0, 2, 20.0)


def test_a_pulled_sync_cable_leaves_the_light_on() -> None:
    path = lit()
    path.block_sync(SimTime(3 * S), True)
    assert path.sync(SimTime(3 * S)) is None
    assert path.light(SimTime(3 * S)) is not None
    path.block_sync(SimTime(4 * S), False)
    assert path.sync(SimTime(4 * S)) is not None


def test_the_past_is_as_it_was_and_the_next_change_is_known() -> None:
    path = lit()
    path.set_strength(SimTime(3 * S), 1, 0.1)
    assert path.light(SimTime(2 * S - 1)) is None
    before, after = path.light(SimTime(3 * S - 1)), path.light(SimTime(3 * S))
    assert before is not None
    assert after is not None
    assert (before.strength, after.strength) == (1.0, 0.1)
    assert path.changes_after(SimTime(0)) == 2 * S
    assert path.changes_after(SimTime(2 * S)) == 3 * S
    assert path.changes_after(SimTime(3 * S)) is None


def test_how_long_it_has_been_dark() -> None:
    path = LightPath(LightFigures())
    assert path.dark_for_s(SimTime(9 * S)) == float("inf")
    path.set_supply(SimTime(1 * S), 12.0, True)
    path.set_generator(SimTime(2 * S), TRIGGER)
    assert path.dark_for_s(SimTime(1 * S)) == float("inf")
    assert path.dark_for_s(SimTime(5 * S)) == 0.0
    path.set_strength(SimTime(6 * S), 0, 0.0)
    path.set_generator(SimTime(7 * S), replace(TRIGGER, on=False))
    path.set_strength(SimTime(8 * S), 0, 1.0)
    assert path.dark_for_s(SimTime(5 * S)) == 0.0
    assert path.dark_for_s(SimTime(10 * S)) == 4.0


def test_many_changes_are_forgotten_the_latest_are_not() -> None:
    path = lit()
    for number in range(3 * KEPT_CHANGES):
        path.set_strength(SimTime((3 + number) * S), 0, 0.5 if number % 2 else 1.0)
    last = SimTime((3 + 3 * KEPT_CHANGES - 1) * S)
    kept = [path.light(SimTime(last - back * S)) for back in range(KEPT_CHANGES - 2)]
    assert all(light is not None for light in kept)
    assert [light.strength for light in kept[:3] if light] == [0.5, 1.0, 0.5]
    assert len(path._states) <= KEPT_CHANGES + 1


def test_every_module_sees_the_same_light() -> None:
    world = World(LabFigures(), [5000, 5015])
    world.light.set_supply(SimTime(0), 12.0, True)
    world.light.set_generator(SimTime(S), TRIGGER)
    world.light.set_strength(SimTime(S), 0, 0.05)
    at = SimTime(2 * S)
    seen = {world.room(port, 12.0).light(at) for port in (5000, 5015)}
    assert [light.strength for light in seen if light] == [0.05]
    assert world.room(5000, 12.0).sync(at) == world.light.sync(at)
