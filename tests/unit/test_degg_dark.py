"""Dark counts: rate against temperature, threshold and history; correlated pulses; electronic noise."""

import math
from typing import Any

import numpy as np
import pytest

from sim.degg.digitiser.segment import Spectrum
from sim.kernel import SimTime

QUARTER_PE_COUNTS = 0.25 * 3.5 / 0.075
DEAD_S = 24 / 240e6


def rate(channel: Any, trigger: Any, now: SimTime, periods: int = 250) -> float:
    """Hertz, as the scripts compute it: N / (T - N x dead time), from periods of 0.1 s."""
    channel.set_discriminator(trigger)
    channel.enable_scaler(100_000, 24, now)
    total = sum(channel.scaler_count(SimTime(now + (n + 1) * 100_000_000)) for n in range(periods))
    return float(total / (0.1 * periods - total * DEAD_S))


def formula(celsius: float, factor: float) -> float:
    """Of fat.md section 9."""
    return (1350 + 4300 * math.exp((celsius - 20) / 17)) * factor


@pytest.mark.parametrize(("celsius", "number"), [(-40.0, 0), (-20.0, 1), (20.0, 0)])
def test_the_dark_rate_falls_with_the_cold_as_the_truth_says(degg: Any, celsius: float, number: int) -> None:
    channel, _ = degg.channel(degg.Room(celsius), number)
    expected = formula(celsius, degg.truth().channels[number].dark_factor)
    # 25 s of 1500 Hz and more: 0.5 % and less, correlated pulses included.
    assert rate(channel, degg.fir(QUARTER_PE_COUNTS), degg.at(60)) == pytest.approx(expected, rel=0.03)


def test_scaler_and_charge_stamps_see_the_same_rate(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    by_scaler = rate(channel, degg.fir(QUARTER_PE_COUNTS), degg.at(60))
    channel.arm(degg.fir(QUARTER_PE_COUNTS), degg.at(60))
    block = channel.charge_block(20_000, degg.at(60))
    assert 20_000 / ((block.ready_at - degg.at(60)) / 1e9) == pytest.approx(by_scaler, rel=0.03)


def test_the_unfiltered_trigger_counts_electronic_noise_as_well(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    filtered = rate(channel, degg.fir(QUARTER_PE_COUNTS), degg.at(60))
    trigger = degg.level(channel, QUARTER_PE_COUNTS)
    # 0.35 of the dark rate at 0.25 pe; the threshold is a whole count, up to one higher.
    above = trigger.threshold_counts - channel.baseline_counts() - QUARTER_PE_COUNTS
    noise = 0.35 * math.exp(-above / 2.4)
    assert 0.2 < noise <= 0.35
    assert rate(channel, trigger, degg.at(60)) == pytest.approx((1 + noise) * filtered, rel=0.04)
    channel.arm(trigger, degg.at(60))
    block = channel.charge_block(20_000, degg.at(60))
    by_stamps = 20_000 / ((block.ready_at - degg.at(60)) / 1e9)
    assert by_stamps == pytest.approx((1 + noise) * filtered, rel=0.04)
    # Noise is there without high voltage too, and not far above it.
    channel.hv.enable(False, degg.at(100))
    assert rate(channel, degg.fir(QUARTER_PE_COUNTS), degg.at(100), 20) == 0
    assert rate(channel, trigger, degg.at(100)) == pytest.approx(noise * filtered, rel=0.06)
    assert rate(channel, degg.level(channel, 40), degg.at(100), 50) < 5


def test_a_higher_threshold_counts_what_the_spectrum_has_above_it(degg: Any) -> None:
    truth = degg.truth().channels[0]
    spectrum = Spectrum(truth.spe_width, truth.tail_fraction, truth.two_pe_fraction)
    channel, _ = degg.channel(degg.Room())
    low = rate(channel, degg.fir(QUARTER_PE_COUNTS), degg.at(60))
    for share in (0.5, 0.7):
        seen = rate(channel, degg.fir(4 * share * QUARTER_PE_COUNTS), degg.at(60)) / low
        # The filter adds two samples, the lower of which is some 10 % below the peak: thresholds act so much higher.
        assert spectrum.above(1.1 * share) / spectrum.above(0.28) - 0.02 < seen
        assert seen < spectrum.above(share) / spectrum.above(0.25) + 0.01


def test_about_fifteen_per_cent_of_pulses_follow_another(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    truth = degg.truth().channels[0]
    channel.arm(degg.fir(QUARTER_PE_COUNTS), degg.at(60))
    times, _ = degg.stamps(channel.charge_block(40_000, degg.at(60)).data)
    gaps_us = np.diff(times) / 240
    mean_hz = 1e6 / gaps_us.mean()
    soon = (gaps_us < 100).mean()
    by_chance = 1 - math.exp(-mean_hz * (1 - truth.correlated_fraction) * 100e-6)
    # Each chance gap of that length would shorten some correlated one: 2 %. Parents below threshold: 6 % fewer pairs.
    assert soon - by_chance == pytest.approx(0.94 * truth.correlated_fraction * (1 - by_chance), abs=0.012)
    # Log-normal about 10 us, cut at 1 and 100: half of the followers come before 10 us.
    sooner = (gaps_us < 10).mean() - (1 - math.exp(-mean_hz * (1 - truth.correlated_fraction) * 10e-6))
    assert sooner / (soon - by_chance) == pytest.approx(0.5, abs=0.05)
    assert (gaps_us < 1.0).mean() < 0.004


def test_light_leaves_dark_counts_that_decay_in_half_an_hour(degg: Any) -> None:
    room = degg.Room()
    truth = degg.truth().channels[0]
    dark = formula(-40.0, truth.dark_factor)
    for since_s, share in ((0.0, 1.0), (1800.0, math.exp(-1)), (36_000.0, 0.0)):
        room.dark_since_s = since_s
        channel, _ = degg.channel(room)
        expected = dark + share * truth.after_light_hz
        assert rate(channel, degg.fir(QUARTER_PE_COUNTS), degg.at(60)) == pytest.approx(expected, rel=0.03)


def test_a_fault_raises_the_rate_of_one_photomultiplier(degg: Any) -> None:
    channel, faults = degg.channel(degg.Room())
    before = rate(channel, degg.fir(QUARTER_PE_COUNTS), degg.at(60), 100)
    faults.switch_on("high_dark_rate", channel=1)
    assert rate(channel, degg.fir(QUARTER_PE_COUNTS), degg.at(60), 100) == pytest.approx(before, rel=0.05)
    faults.switch_on("high_dark_rate", channel=0, factor=4.0)
    assert rate(channel, degg.fir(QUARTER_PE_COUNTS), degg.at(60), 100) == pytest.approx(4 * before, rel=0.06)


def test_a_scaler_counts_the_last_full_period(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    channel.set_discriminator(degg.fir(QUARTER_PE_COUNTS))
    assert channel.scaler_count(degg.at(60)) == 0
    channel.enable_scaler(100_000, 24, degg.at(60))
    assert channel.scaler_count(degg.at(60.0999)) == 0
    first = channel.scaler_count(degg.at(60.1))
    assert first > 100
    assert channel.scaler_count(degg.at(60.1999)) == first
    assert [channel.scaler_count(degg.at(60.15 + 0.1 * n)) for n in range(8)] != [first] * 8
    channel.set_discriminator(None)
    assert channel.scaler_count(degg.at(61)) == 0


def test_a_scaler_is_blind_for_its_dead_time(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room(20.0))
    channel.set_discriminator(degg.fir(QUARTER_PE_COUNTS))
    now = degg.at(60)
    counted = []
    for cycles in (24, 240_000):  # 0.1 us, 1 ms
        channel.enable_scaler(10_000_000, cycles, now)
        counted.append(channel.scaler_count(degg.at(70)))
    true_hz = counted[0] / 10
    # Non-paralysable, for pulses that come by themselves; those that follow another die with it.
    independent = true_hz * (1 - degg.truth().channels[0].correlated_fraction)
    assert counted[1] == pytest.approx(10 * independent / (1 + independent * 1e-3), rel=0.05)
