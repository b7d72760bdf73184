"""Arrival times: through two clocks, as the timing measurement reconstructs them."""

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

QUANTUM_NS = 1e3 / 240


def seconds_after(degg: Any, data: bytes, clock: Any, since: int) -> NDArray[np.float64]:
    """Nanoseconds of charge stamps after a moment, by the clock's own law: what RAPCal gives an analysis."""
    times, _ = degg.stamps(data)
    base = clock.ticks(since)
    return np.asarray((times - base) / (0.24 * (1 + clock.ppm * 1e-6)))


def differences(
    degg: Any, strength: float, counts: float, hertz: float = 500.0, events: int = 4000
) -> NDArray[np.float64]:
    """Module less tabletop, matched pulse by pulse, nanoseconds."""
    room = degg.Room()
    # A period that the clock's ticks do not divide: where a pulse lies between two ticks is uniform.
    room.on = degg.Light(degg.at(1), hertz * (1 + 1.2345e-5), strength)
    start = degg.at(60)
    board, table = degg.channel(room)[0], degg.tabletop(room)
    board.arm(degg.level(board, counts), start)
    table.arm(degg.level(table, 2000), start)
    pulses = seconds_after(degg, board.charge_block(events, start).data, degg.truth().clock(), start)
    syncs = seconds_after(degg, table.charge_block(events, start).data, table._clock, start)
    matched = pulses[:, None] - syncs[np.searchsorted(syncs, pulses - 20.0) - 1, None]
    return np.asarray(matched[(matched > 0) & (matched < 200)])


def sigma(degg: Any, values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and width of the core, without what rounding to ticks on both boards adds."""
    middle = np.median(values)
    core = values[abs(values - middle) < 12]
    for _ in range(4):
        mean, width = core.mean(), core.std()
        core = values[abs(values - mean) < 2.5 * width]
    # The standard deviation of a Gaussian that is cut at 2.5 sigma is 0.9519 of it, variance 0.9061.
    return float(core.mean()), math.sqrt(core.var() / 0.9061 - 2 * QUANTUM_NS**2 / 12)


def test_many_photoelectrons_spread_as_the_truth_says(degg: Any) -> None:
    truth = degg.truth().channels[0]
    mean, width = sigma(degg, differences(degg, 40.0 / truth.mu_full, 500.0))
    # 4000 events: 0.03 ns; photoelectrons' own jitter over root 40, and walk of the threshold: 0.1 ns more.
    assert width == pytest.approx(truth.sigma_tt_mpe_ns, abs=0.2)
    # The threshold is passed 4 to 8 ns before the peak, that of the sync pulse 4 ns.
    assert mean == pytest.approx(truth.transit_ns - 2.0, abs=3.0)


def test_single_photoelectrons_spread_more_and_some_are_late(degg: Any) -> None:
    truth = degg.truth().channels[0]
    values = differences(degg, 0.2 / truth.mu_full, 12.0, hertz=5000.0, events=9000)
    mean, width = sigma(degg, values)
    # Some 1500 events: 0.07 ns.
    assert len(values) > 1200
    assert width == pytest.approx(truth.sigma_tt_spe_ns, abs=0.25)
    assert width > truth.sigma_tt_mpe_ns
    late = ((values > mean + 3.5 * width) & (values < mean + 60)).mean()
    assert 0.015 < late < 0.05


@pytest.mark.parametrize(
    ("hertz", "low_ms", "high_ms"), [(100.0, 9.9, 10.1), (1000.0, 0.99, 1.01), (500.0, 1.9, 2.1)]
)
def test_the_tabletop_sees_the_laser_s_frequency(
    degg: Any, hertz: float, low_ms: float, high_ms: float
) -> None:
    room = degg.Room(on=degg.Light(degg.at(1), hertz, 0.25))
    table = degg.tabletop(room)
    table.arm(degg.level(table, 2000), degg.at(60))
    times, _ = degg.stamps(table.charge_block(1000, degg.at(60)).data)
    gaps_ms = np.diff(times) / 240e3
    assert ((gaps_ms > low_ms) & (gaps_ms < high_ms)).all()
    # 0.3 ns of jitter and one tick of rounding; the clock runs 5 ppm fast.
    assert np.std(gaps_ms) * 1e6 < 3.0
    assert np.mean(gaps_ms) == pytest.approx(1e3 / hertz * (1 + 5e-6), rel=1e-8)


def test_without_light_there_is_no_sync(degg: Any) -> None:
    table = degg.tabletop(degg.Room())
    table.arm(degg.level(table, 2000), degg.at(60))
    block = table.charge_block(1, degg.at(60))
    assert not block.complete
    assert block.data == b""


def test_the_second_channel_of_the_tabletop_sees_nothing(degg: Any) -> None:
    from sim.degg.channel import SyncChannel
    from sim.degg.figures import PhotomultiplierFigures

    room = degg.Room(on=degg.Light(degg.at(1), 100.0, 1.0))
    other = SyncChannel(1, room, 7, "tabletop", PhotomultiplierFigures(), degg.DomClock(0, 0.0))
    other.arm(degg.level(other, 100), degg.at(60))
    assert not other.charge_block(1, degg.at(60)).complete
