"""Analyses of measurements in the dark find what was put into data that the tests make by themselves."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fat.degg.analyses.dark_pulses import pulses_of
from fat.degg.analyses.dark_rate import dark_rate, flood_hz, judged, limits_at
from fat.degg.analyses.delta_t import by_chance, delta_t
from fat.degg.analyses.gain_curve import GainPoint, gain_curve, next_volts
from fat.degg.analyses.high_voltage import read_back, readings
from fat.degg.analyses.monitoring import board_faults, peak_spread_pc
from fat.degg.analyses.spe import (
    fit_peaks,
    height_volts,
    spe_peak,
    spe_peaks,
    steady,
    sure_charge_pc,
    whole_peak,
)
from fat.degg.analyses.units import PC_PER_COUNT_SAMPLE

PEAK_PC = 1.602
COUNTS = 3.5 / 0.075
"""Height of a photoelectron at a gain of 1e7."""


def spectrum(rng: np.random.Generator, n: int, width: float, tail: float = 0.22) -> NDArray[np.float64]:
    """Charges, 1 at the peak: 86 % Gaussian, 12 % exponential, 2 % pairs."""
    kind = rng.random(n)
    q = rng.normal(1.0, width, n)
    q = np.where(kind < 0.02, rng.normal(2.0, width * math.sqrt(2), n), q)
    q = np.where(kind > 0.88, rng.exponential(tail, n), q)
    return np.maximum(q, 0.02)


def records(rng: np.random.Generator, charges: NDArray[np.float64], threshold: float) -> NDArray[np.uint16]:
    """Waveforms (n, 128) of pulses of a triangle-like shape about sample 17, of those that reach the threshold."""
    at = np.arange(128)[None, :] - rng.uniform(16.6, 17.6, charges.size)[:, None]
    shape = np.where(at < 0, np.exp(-0.5 * (at / 0.9) ** 2), np.exp(-at / 2.6))
    shape *= 189.4 / COUNTS / shape[:, 13:29].sum(axis=1, keepdims=True)
    samples = np.rint(8003.3 + charges[:, None] * COUNTS * shape + rng.normal(0, 2.5, shape.shape))
    kept = samples[:, 14:20].max(axis=1) >= 8003.3 + threshold
    return np.asarray(samples[kept], np.uint16)


@pytest.mark.parametrize("gain", [0.8, 1.0, 1.5, 3.0])
@pytest.mark.parametrize("width", [0.30, 0.35])
def test_the_gain_is_found_though_the_threshold_cuts_into_the_peak(gain: float, width: float) -> None:
    rng = np.random.default_rng(11)
    pulses = pulses_of(records(rng, gain * spectrum(rng, 9000, width), 25.0))
    found = spe_peak(pulses.charge_pc, sure_charge_pc(25.0))
    assert found.good
    # 2 % is promised of the scan's result; where the threshold hides the peak one point alone knows less.
    assert found.charge_pc == pytest.approx(gain * PEAK_PC, rel=max(0.02, 2.5 * found.relative_error))
    assert found.relative_error < (0.03 if gain < 1 else 0.013)
    assert found.width == pytest.approx(width, abs=0.04)
    assert height_volts(pulses.charge_pc, pulses.height, found) == pytest.approx(3.5e-3 * gain, rel=0.12)


def test_spectra_of_one_photomultiplier_help_each_other() -> None:
    rng = np.random.default_rng(8)
    off = []
    for _ in range(3):
        gains = (0.72, 1.0, 1.4, 2.0, 2.8)
        pulses = [pulses_of(records(rng, gain * spectrum(rng, 6000, 0.32), 25.0)) for gain in gains]
        found = spe_peaks([one.charge_pc for one in pulses], [sure_charge_pc(25.0)] * len(gains))
        assert all(peak.good for peak in found)
        off += [peak.charge_pc / (gain * PEAK_PC) - 1 for peak, gain in zip(found, gains, strict=True)]
    # The first of each five has its threshold at three quarters of the peak.
    assert np.abs(np.mean(off[::5])) < 0.012
    assert np.std(off) < 0.01


@pytest.mark.parametrize("tail", [0.15, 0.22, 0.30])
def test_how_under_amplified_pulses_are_spread_does_not_matter(tail: float) -> None:
    rng = np.random.default_rng(5)
    found = spe_peak(PEAK_PC * spectrum(rng, 400_000, 0.35, tail), 0.4)
    assert found.charge_pc == pytest.approx(PEAK_PC, rel=0.006)


@pytest.mark.parametrize("tail", [0.15, 0.22, 0.30])
@pytest.mark.parametrize("gain", [0.95, 1.0])
def test_a_whole_spectrum_of_10_000_charges_tells_the_gain_within_two_per_cent(
    tail: float, gain: float
) -> None:
    rng = np.random.default_rng(6)
    charges = [gain * PEAK_PC * spectrum(rng, 10_000, 0.33, tail) for _ in range(24)]
    # As a board has them: whole sums of counts over a baseline that is none.
    found = [whole_peak((np.rint(q / PC_PER_COUNT_SAMPLE) + 0.3) * PC_PER_COUNT_SAMPLE, 0.5) for q in charges]
    assert all(peak.good for peak in found)
    off = np.array([peak.charge_pc / (gain * PEAK_PC) - 1 for peak in found])
    assert np.abs(off).max() < 0.02
    assert abs(off.mean()) < (0.003 if tail == 0.22 else 0.008)
    assert off.std() < 0.006
    assert np.mean([peak.chi2 for peak in found]) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("known", "error"), [(None, 0.0135), (0.32, 0.0105)])
def test_2000_charges_tell_whether_a_peak_stays_where_it_is(known: float | None, error: float) -> None:
    rng = np.random.default_rng(4)
    found = fit_peaks([steady(PEAK_PC * spectrum(rng, 2000, 0.33), 0.5, known) for _ in range(60)])
    assert all(peak.good for peak in found)
    peaks = np.array([peak.charge_pc for peak in found])
    assert peaks.std() / peaks.mean() < error
    assert np.mean([peak.relative_error for peak in found]) == pytest.approx(
        peaks.std() / peaks.mean(), rel=0.3
    )
    (moved,) = fit_peaks([steady(1.1 * PEAK_PC * spectrum(rng, 2000, 0.33), 0.5, known)])
    assert moved.charge_pc / peaks.mean() == pytest.approx(1.1, abs=0.04)


def test_few_events_and_no_peak_are_no_gain() -> None:
    rng = np.random.default_rng(3)
    assert not spe_peak(PEAK_PC * spectrum(rng, 40, 0.3), 0.4).good
    assert not spe_peak(np.zeros(0), 0.4).good
    assert not spe_peak(np.full(500, np.nan), 0.4).good
    few = spe_peak(PEAK_PC * spectrum(rng, 400, 0.33), 0.4)
    assert few.good
    assert few.charge_pc == pytest.approx(PEAK_PC, rel=0.08)


def test_the_baseline_is_not_moved_by_waveforms_that_begin_with_a_pulse() -> None:
    samples = np.random.default_rng(1).normal(8010.4, 2.5, (500, 64))
    samples[::10, :10] += 300.0
    pulses = pulses_of(np.rint(samples).astype(np.uint16))
    assert pulses.baseline == pytest.approx(8010.4, abs=0.1)
    assert pulses.noise == pytest.approx(2.5, abs=0.15)
    assert pulses.charge_pc.mean() == pytest.approx(0.0, abs=0.02)
    assert pulses_of(np.zeros((0, 64), np.uint16)).charge_pc.size == 0
    with pytest.raises(ValueError, match="29 samples"):
        pulses_of(np.zeros((5, 20), np.uint16))


def scanned(v0: float, k: float, first: float, error: float = 0.008, rate: float = 900.0) -> list[GainPoint]:
    """A scan by the rules, of a photomultiplier with this law."""
    rng, points = np.random.default_rng(round(v0)), []
    while (volts := next_volts(points, first)) is not None:
        gain = 1e7 * (volts / v0) ** k
        hz = rate if gain > 0.3e7 else 20.0
        measured = gain * (1 + error * rng.normal()) if gain > 0.3e7 else math.nan
        points.append(GainPoint(volts, measured, error, hz))
        assert len(points) <= 10
    return points


@pytest.mark.parametrize("v0", [1190.0, 1320.0, 1480.0, 1515.0, 1550.0])
@pytest.mark.parametrize("first", [1500.0, 1420.0])
def test_a_scan_ends_at_a_gain_of_1e7(v0: float, first: float) -> None:
    points = scanned(v0, 7.4, first)
    curve = gain_curve(points)
    assert curve is not None
    assert len(points) >= 5
    assert len({point.volts for point in points}) == len(points)
    assert curve.hv_1e7 == pytest.approx(v0, abs=5.0)
    assert curve.exponent == pytest.approx(7.4, abs=0.5)
    assert float(curve.gain(v0)) == pytest.approx(1e7, rel=0.02)


def test_the_first_five_points_are_40_volts_apart_and_begin_where_they_are_told() -> None:
    volts = [point.volts for point in scanned(1290.0, 7.0, 1500.0)]
    assert volts[:5] == [1500.0, 1460.0, 1420.0, 1380.0, 1340.0]
    assert abs(volts[5] - 1290.0) < 15  # the law decides


def test_a_low_rate_asks_for_200_volts_more_and_silence_at_the_top_ends_the_scan() -> None:
    volts = [point.volts for point in scanned(1550.0, 8.0, 1200.0)]
    assert volts[:2] == [1200.0, 1400.0]
    dead = scanned(9000.0, 8.0, 1500.0)
    assert [point.volts for point in dead] == [1500.0, 1700.0, 1900.0, 2000.0]
    assert gain_curve(dead) is None


def test_a_law_without_a_root_in_reach_says_so() -> None:
    far = [GainPoint(volts, 1e9 * (volts / 1500) ** 7, 0.01, 900.0) for volts in (1400.0, 1500.0, 1600.0)]
    flat = [GainPoint(volts, 1e9, 0.01, 900.0) for volts in (1400.0, 1500.0, 1600.0)]
    for points in (far, flat):
        curve = gain_curve(points)
        assert curve is not None
        assert math.isnan(curve.hv_1e7)


def test_dead_time_is_added_to_a_rate() -> None:
    rng = np.random.default_rng(2)
    live = rng.poisson(1500 * 0.1, 5000)
    assert dark_rate(live, 0.1, 24).rate_hz == pytest.approx(1500, rel=0.005)
    # One millisecond of dead time hides pulses: 1500 / (1 + 1.5) of them are counted.
    blind = rng.poisson(600 * 0.1, 5000)
    measured = dark_rate(blind, 0.1, 240_000)
    assert measured.rate_hz == pytest.approx(1500, rel=0.01)
    nothing = dark_rate(np.zeros(0), 0.1, 24)
    assert math.isnan(nothing.rate_hz)
    assert dark_rate(np.zeros(10), 0.1, 24).rate_hz == 0.0


def test_the_error_of_a_rate_knows_pulses_that_come_in_pairs() -> None:
    rng = np.random.default_rng(2)
    pairs = dark_rate(2 * rng.poisson(60, 400), 0.1, 24)
    alone = dark_rate(rng.poisson(120, 400), 0.1, 24)
    assert pairs.overdispersion == pytest.approx(2, rel=0.2)
    assert pairs.error_hz == pytest.approx(math.sqrt(2) * alone.error_hz, rel=0.15)


def test_windows_of_dark_rates_follow_temperature_and_trigger() -> None:
    assert limits_at(-40.0, "fir") == (2600.0, 4000.0)
    assert limits_at(-12.0, "fir") == (3300.0, 4800.0)
    assert limits_at(20.0, "adc") == (8200.0, 14_000.0)
    assert judged(2000.0, -40.0, "fir") is None
    assert judged(3000.0, -40.0, "fir") == "notice"
    assert judged(3000.0, -40.0, "adc") is None
    assert judged(4100.0, -40.0, "fir") == "alarm"
    assert judged(math.nan, -40.0, "fir") == "alarm"


def test_gaps_tell_chance_from_correlation() -> None:
    rng = np.random.default_rng(4)
    parents = np.cumsum(rng.exponential(1 / 1300.0, 60_000))
    children = parents[rng.random(parents.size) < 0.18]
    children = children + np.exp(rng.normal(math.log(10e-6), 0.7, children.size))
    times = np.sort(np.concatenate([parents, children]))
    found = delta_t(np.rint(times * 240e6).astype(np.int64))
    assert found.chance_hz == pytest.approx(1300.0, rel=0.02)
    assert found.rate_hz == pytest.approx(1300.0 * 1.18, rel=0.02)
    assert found.correlated == pytest.approx(0.18 / 1.18, abs=0.01)
    assert found.counts.sum() > 0.999 * found.gaps
    assert found.edges[found.counts.argmax()] == pytest.approx(-3.0, abs=0.3)
    assert by_chance(found.edges, 1300.0, 100.0).sum() == pytest.approx(100.0, abs=1.0)


def test_gaps_from_one_block_into_the_next_are_left_out() -> None:
    ticks = np.concatenate([np.arange(100) * 240_000, 10**9 + np.arange(100) * 240_000])
    found = delta_t(ticks, np.repeat([0, 1], 100))
    assert found.gaps == 198
    assert found.rate_hz == pytest.approx(1000.0)
    assert delta_t(np.zeros(0)).gaps == 0


def test_faults_of_high_voltages_are_named() -> None:
    rng = np.random.default_rng(6)
    assert readings(rng.normal(1400, 0.3, 5)).faults(1395.0) == []
    assert "noisy (4" in readings(rng.normal(1400, 56, 400)).faults(1395.0)[0]
    assert "off" in readings(np.full(5, 0.2)).faults(1395.0)[0]
    assert "+205 V" in readings(np.full(5, 1600.0)).faults(1395.0)[0]
    assert "2050 V" in readings(np.full(5, 2050.0)).faults(None)[0]


def test_a_read_back_has_slope_offset_and_noise() -> None:
    rng = np.random.default_rng(6)
    given = np.arange(1300.0, 1540.0)
    read = given[:, None] * 1.01 + 7.0 + rng.normal(0, 0.3, (given.size, 20))
    found = read_back(given, read)
    assert found.slope == pytest.approx(1.01, abs=1e-3)
    assert found.offset_volts == pytest.approx(given.mean() * 0.01 + 7.0, abs=0.05)
    assert found.noise_volts == pytest.approx(0.3, rel=0.1)
    assert found.worst_volts < 0.5


def test_faults_of_a_board_are_named() -> None:
    healthy: dict[int, Any] = {0: 420.0, 4: 120.0, 5: 1.79, 15: 3.3}
    assert board_faults(healthy) == []
    assert "3.3 V rail is 310 mA" in board_faults(healthy | {4: 310.0})[0]
    assert "1.8 V rail is at 1.20 V" in board_faults(healthy | {5: 1.2})[0]
    assert "nan mA" in board_faults({0: math.nan})[0]


def test_a_spread_of_peaks_is_that_of_a_gain_of_1e7() -> None:
    assert peak_spread_pc([1.602, 1.612, 1.592]) == pytest.approx(0.01)
    assert peak_spread_pc([3.204, 3.224, 3.184]) == pytest.approx(0.01)
    assert math.isnan(peak_spread_pc([1.6]))
    assert math.isnan(peak_spread_pc([1.6, math.nan]))


def test_a_flood_is_a_rate_whatever_the_period() -> None:
    warm_and_ill = np.full(100, 20_212)
    assert flood_hz(warm_and_ill, 1.0) is None
    assert flood_hz(warm_and_ill, 0.1) == pytest.approx(202_120.0)
    assert flood_hz(np.full(5000, 10_000), 0.1) is None
