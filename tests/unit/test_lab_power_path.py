"""The power path: a mainboard has power while mains, wire pair and its own switch are on."""

from __future__ import annotations

import math
from itertools import product

import pytest

from sim.kernel import SimTime
from sim.lab.world import PowerPath

HOUR = 3600 * 10**9
PORTS = [5000, 5003, 5004, 5015]


@pytest.mark.parametrize(("mains", "pair", "board"), [*product([False, True], repeat=3)])
def test_all_three_switches_must_be_on(mains: bool, pair: bool, board: bool) -> None:
    power = PowerPath(PORTS, 0.5)
    power.set_mains(SimTime(1), mains)
    power.set_wire_pair(SimTime(2), 5000, pair)
    power.set_mainboard(SimTime(3), 5003, board)
    assert power.reaches(5003) is (mains and pair)
    assert (power.powered_since(5003) is not None) is (mains and pair and board)
    assert (power.powered_since(5000) is not None) is (mains and pair)
    assert (power.powered_since(5015) is not None) is mains


def test_groups_of_four_ports_share_a_wire_pair() -> None:
    power = PowerPath(PORTS, 0.5)
    assert set(power.wire_pairs) == {5000, 5004, 5012}
    power.set_wire_pair(SimTime(1), 5000, False)
    assert [port for port in PORTS if power.powered_since(port) is None] == [5000, 5003]
    with pytest.raises(KeyError):
        power.set_wire_pair(SimTime(1), 5008, True)
    with pytest.raises(KeyError):
        power.set_mainboard(SimTime(1), 5001, True)


def test_watchers_hear_of_changes_and_of_nothing_else() -> None:
    power = PowerPath(PORTS, 0.5)
    heard: list[tuple[int, bool, int]] = []
    power.watch(lambda port, on, now: heard.append((port, on, now)))
    power.set_mains(SimTime(1), True)
    power.set_mainboard(SimTime(2), 5004, False)
    power.set_mains(SimTime(3), False)
    power.set_wire_pair(SimTime(4), 5000, False)
    power.set_mains(SimTime(5), True)
    assert heard == [
        (5004, False, 2),
        *((port, False, 3) for port in (5000, 5003, 5015)),
        (5015, True, 5),
    ]


def test_since_when_and_how_long_without() -> None:
    power = PowerPath(PORTS, 0.5)
    assert power.powered_since(5000) == 0
    assert power.unpowered_for_h(5000, SimTime(HOUR)) == 0.0
    power.set_mainboard(SimTime(HOUR), 5000, False)
    assert power.unpowered_for_h(5000, SimTime(9 * HOUR)) == 8.0
    power.set_mainboard(SimTime(9 * HOUR), 5000, True)
    assert power.powered_since(5000) == 9 * HOUR
    assert PowerPath(PORTS, 0.5, on=False).unpowered_for_h(5000, SimTime(HOUR)) == math.inf
