"""Charges: the gain law, the spectrum of single photoelectrons, saturation."""

import math
from typing import Any

import numpy as np
import pytest

from sim.degg.digitiser.segment import Spectrum
from sim.degg.photomultiplier.saturation import current_ratio

PICOCOULOMB_AT_1E7 = 1.602


def spe_peak(degg: Any, channel: Any, counts: float, now: int, events: int = 12_000) -> float:
    """Gain, as the gain scan finds it: the peak of the charges of waveforms."""
    channel.arm(degg.level(channel, counts), now)
    samples = degg.waveforms(channel.waveform_block(298 * events, now).data)[1]
    charges = degg.charges_of(samples)
    guess = float(np.median(charges))
    # Well above the threshold, which cuts the flank of a small peak away.
    whole = 1.35 * counts * 0.075 / 3.5 * PICOCOULOMB_AT_1E7
    mean, width = degg.gaussian_peak(charges, max(whole, 0.65 * guess), 1.6 * guess)
    mean, _ = degg.gaussian_peak(charges, max(whole, mean - 0.9 * width), mean + 1.3 * width)
    return mean / PICOCOULOMB_AT_1E7 * 1e7


@pytest.mark.parametrize(("number", "celsius"), [(0, -40.0), (1, 20.0)])
def test_a_gain_scan_finds_the_gain_law(degg: Any, number: int, celsius: float) -> None:
    room = degg.Room(celsius)
    channel, _ = degg.channel(room, number, block_wait_s=60.0)
    truth = degg.truth().channels[number]
    now = degg.at(100)
    volts, gains = [], []
    # 12000 charges of width 0.35, half of them in the window: the peak to 0.7 %; window and tail move it by 0.5 %.
    for step in (160, 120, 80, 40, 0):
        set_to = truth.v0(celsius) + step
        channel.hv.set(set_to, now)
        now = degg.at(now / 1e9 + 40)
        volts.append(set_to)
        gains.append(spe_peak(degg, channel, 25.0, now))
        assert gains[-1] == pytest.approx(truth.gain(set_to, celsius), rel=0.025)
        now = degg.at(now / 1e9 + 60)
    slope, norm = np.polyfit(np.log(volts), np.log(gains), 1)
    assert slope == pytest.approx(truth.k, abs=0.3)  # five gains in 160 V: 0.08
    at_1e7 = math.exp((math.log(1e7) - norm) / slope)
    assert at_1e7 == pytest.approx(truth.v0(celsius), abs=5.0)


def test_the_gain_follows_the_ramp(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room(), block_wait_s=1.0)
    channel.hv.set(0, degg.at(100))
    channel.hv.set(degg.truth().channels[0].v0(-40.0), degg.at(140))
    channel.arm(degg.fir(12), degg.at(140))
    block = channel.charge_block(10_000, degg.at(140))
    times, charges = degg.stamps(block.data)
    clock = degg.truth().clock()
    seconds = np.array([clock.at(int(tick)) for tick in times]) / 1e9
    volts = degg.truth().channels[0].v0(-40.0)
    reached = 140 + volts / 50
    assert seconds.min() > 150  # nothing triggers while the voltage is low
    early, late = charges[abs(seconds - reached + 2) < 0.5], charges[seconds > reached]
    # 100 V less: a gain of (1 - 100 / V0)^k, of which the threshold hides the smallest charges.
    assert early.size > 300
    assert late.size > 500
    law = (1 - 100 / volts) ** degg.truth().channels[0].k
    assert np.median(early) / np.median(late) == pytest.approx(law, abs=0.09)


def test_the_spectrum_is_a_gaussian_a_tail_below_and_pairs(degg: Any) -> None:
    channel, _ = degg.channel(degg.Room())
    truth = degg.truth().channels[0]
    channel.arm(degg.fir(5), degg.at(60))
    charges = degg.stamps(channel.charge_block(40_000, degg.at(60)).data)[1] / PICOCOULOMB_AT_1E7
    spectrum = Spectrum(truth.spe_width, truth.tail_fraction, truth.two_pe_fraction)
    pairs = 0.5 * math.erfc((2.2 - 2.0) / (math.sqrt(2) * truth.spe_width) / math.sqrt(2))
    seen = (charges > 0.5).sum()
    # Shares of those above 0.5 pe; noise of the window (0.07 pe) and the baseline move each by a few per mille.
    for low, expected in (
        (0.75, spectrum.above(0.75)),
        (0.95, spectrum.above(0.95)),
        (2.2, truth.two_pe_fraction * pairs),
    ):
        share = expected / spectrum.above(0.5)
        spread = math.sqrt(share * (1 - share) / seen)
        assert (charges > low).sum() / seen == pytest.approx(share, abs=4 * spread + 0.006), low
    # The exponential tail: a Gaussian alone has 2 % below 0.3 of the peak.
    below = (charges < 0.35).mean()
    assert 0.04 < below < 0.10


def test_charge_does_not_depend_on_where_between_two_samples_a_pulse_came(degg: Any) -> None:
    from sim.degg.photomultiplier.pulse import AREA_VS, PEAK_VOLTS, shape_table

    table = shape_table().astype(float)
    area = table[:, :16].sum(axis=1) * PEAK_VOLTS * degg.TICK_S
    assert area == pytest.approx(AREA_VS, rel=1e-6)
    assert pytest.approx(5.92e-11, rel=1e-3) == AREA_VS
    assert (table[:, 16:].sum(axis=1) / table.sum(axis=1)).max() < 0.02
    assert table.max() == pytest.approx(1.0, abs=0.02)


def test_saturation_bends_the_current_as_the_truth_says(degg: Any) -> None:
    """The linearity measurement: bright against a tenth of the light, at 10 mA of ideal peak current."""
    truth = degg.truth().channels[0]
    room = degg.Room()
    channel, _ = degg.channel(room, block_wait_s=60.0)
    channel.set_dac(5000)
    heights = []
    for scale in (0.1, 1.0):
        strength = scale * 10.0 / (3.5 / 36.96) / truth.mu_full / mean_charge(truth)
        room.on = degg.Light(degg.at(1), 500.0, strength)
        channel.arm(degg.level(channel, 150), degg.at(60))
        samples = degg.waveforms(channel.waveform_block(298 * 1500, degg.at(60)).data)[1]
        heights.append(np.mean(samples.max(axis=1)) - np.mean(samples[:, :10]))
    law = current_ratio(truth.p0, truth.p1, truth.p2) / small_signal(truth)
    assert heights[1] / (10 * heights[0]) == pytest.approx(law, abs=0.03)


def small_signal(truth: Any) -> float:
    """What the law says at a tenth of 10 mA."""
    bend = math.log1p((1.0 / truth.p1) ** 3) / math.log1p(1.0 / truth.p2)
    return 1.0 / (1.0 + bend / truth.p0)


def mean_charge(truth: Any) -> float:
    """Of a photoelectron, by numerical integration of the spectrum's parts."""
    x = np.linspace(0, 1, 100_001)
    weight = np.exp(-x / 0.22)
    tail = float((x * weight).sum() / weight.sum())
    return 1 - truth.tail_fraction * (1 - tail) + truth.two_pe_fraction
