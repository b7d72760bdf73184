"""Draws and times of a module are those of the slow way to make them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from sim.degg.clock import DomClock
from sim.degg.digitiser.queues import Queue, in_order
from sim.degg.digitiser.records import STAMP_BYTES, stamps
from sim.degg.keys import generator, normals


def test_normals_are_the_first_draws_of_the_generator() -> None:
    of_own = generator(7, "DEgg", "hv", 1)
    expected = [float(of_own.standard_normal()) for _ in range(3)]
    normals(2, 7, "another", 1)
    assert normals(3, 7, "DEgg", "hv", 1) == expected
    assert normals(1, 7, "DEgg", "hv", 1) == expected[:1]


@pytest.mark.parametrize("ppm", [0.0, 0.7, -3.25])
def test_the_clock_begins_to_show_a_tick_in_the_nanosecond_that_fractions_give(ppm: float) -> None:
    clock = DomClock(12_345_678_901, ppm)
    for tick in (0, 1, 239_999_999, 10**15 + 7):
        exact = Fraction(tick) / clock.rate - clock.offset_ns
        assert 0 <= clock.at(tick) - exact < 1


def queue(channel: int, *ticks: int) -> Queue:
    return Queue(stamps(channel, np.array(ticks, np.int64), np.zeros(len(ticks))))


def test_stamps_of_one_tick_come_by_channel_and_what_is_too_many_stays() -> None:
    far = (1 << 49) + 5
    taken = {0: [queue(0, 3, 7), queue(0, far)], 1: [queue(1, 7, far, far + 1)]}
    rows, ticks, left = in_order(taken, {0: queue(0), 1: queue(1, far + 9)}, 5)
    assert ticks.tolist() == [3, 7, 7, far, far]
    assert rows[:, 1].tolist() == [0, 0, 1, 0, 1]
    assert {ch: Queue(stays.tobytes()).ticks.tolist() for ch, stays in left.items()} == {
        0: [],
        1: [far + 1, far + 9],
    }
    assert rows.shape == (5, STAMP_BYTES)
