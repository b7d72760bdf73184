"""High voltage: a ramp in simulated time, a read-back with an offset, faults."""

from typing import Any

import numpy as np
import pytest

from sim.degg.refusal import Refused


@pytest.fixture
def supply(degg: Any) -> Any:
    channel, faults = degg.channel(degg.Room())
    channel.hv.reset(degg.at(0))
    return channel.hv, faults


def test_it_ramps_fifty_volts_a_second(degg: Any, supply: Any) -> None:
    hv, _ = supply
    hv.enable(True, degg.at(10))
    hv.set(1500, degg.at(10))
    assert hv.true_volts(degg.at(10)) == 0
    assert hv.true_volts(degg.at(20)) == pytest.approx(500)
    assert hv.true_volts(degg.at(39.9)) == pytest.approx(1495)
    assert hv.true_volts(degg.at(50)) == 1500
    hv.set(1400, degg.at(60))
    assert hv.true_volts(degg.at(61)) == pytest.approx(1450)
    assert hv.true_volts(degg.at(100)) == 1400
    assert hv.set_volts == 1400


def test_a_new_set_value_is_ramped_to_from_where_the_voltage_is(degg: Any, supply: Any) -> None:
    hv, _ = supply
    hv.enable(True, degg.at(0))
    hv.set(1500, degg.at(0))
    hv.set(200, degg.at(10))
    assert hv.true_volts(degg.at(11)) == pytest.approx(450)


def test_without_enable_or_after_the_interlock_there_is_none(degg: Any, supply: Any) -> None:
    hv, _ = supply
    hv.set(1500, degg.at(0))
    assert hv.true_volts(degg.at(100)) == 0
    hv.enable(True, degg.at(100))
    assert hv.true_volts(degg.at(140)) == 1500
    hv.forbid(degg.at(150))
    assert not hv.enabled
    assert hv.true_volts(degg.at(150)) == 0
    assert hv.true_volts(degg.at(200)) == 0
    assert abs(hv.read_volts(degg.at(200))) < 2
    hv.enable(True, degg.at(200))
    assert hv.true_volts(degg.at(210)) == pytest.approx(500)


def test_the_read_back_has_an_offset_and_noise_and_the_gain_does_not(degg: Any, supply: Any) -> None:
    hv, _ = supply
    hv.enable(True, degg.at(0))
    hv.set(1400, degg.at(0))
    readings = [hv.read_volts(degg.at(60)) for _ in range(400)]
    offset = degg.truth().channels[0].hv_offset_volts
    assert np.mean(readings) == pytest.approx(1400 + offset, abs=4 * 0.3 / 20)
    assert np.std(readings) == pytest.approx(0.3, rel=0.15)
    assert hv.true_volts(degg.at(60)) == 1400
    assert hv.read_current_ua(degg.at(60)) == pytest.approx(1400 / 130, rel=0.02)


@pytest.mark.parametrize("volts", [-1, 2001, 1e9])
def test_a_voltage_out_of_range_is_refused_and_changes_nothing(degg: Any, supply: Any, volts: float) -> None:
    hv, _ = supply
    hv.set(1300, degg.at(0))
    with pytest.raises(Refused):
        hv.set(volts, degg.at(1))
    assert hv.set_volts == 1300


def test_a_tripped_supply_stays_off_until_it_is_enabled_again(degg: Any, supply: Any) -> None:
    hv, faults = supply
    hv.enable(True, degg.at(0))
    hv.set(1400, degg.at(0))
    faults.switch_on("trip_hv", channel=1)
    assert hv.true_volts(degg.at(60)) == 1400
    faults.switch_on("trip_hv", channel=0, times=1)
    assert hv.true_volts(degg.at(61)) == 0
    assert not hv.enabled
    assert hv.read_volts(degg.at(100)) < 1000
    hv.enable(True, degg.at(100))
    assert hv.true_volts(degg.at(130)) == 1400


def test_a_noisy_supply_spreads_more_than_two_per_cent(degg: Any, supply: Any) -> None:
    hv, faults = supply
    hv.enable(True, degg.at(0))
    hv.set(1400, degg.at(0))
    faults.switch_on("noisy_hv", channel=0)
    readings = [hv.read_volts(degg.at(60)) for _ in range(100)]
    assert np.std(readings) / np.mean(readings) > 0.02
