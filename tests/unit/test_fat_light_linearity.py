"""Linearity, the laser among dark counts, and who sees it: from data whose truth the test itself has made."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fat.degg.analyses.curve_fit import curve_fit
from fat.degg.analyses.laser_lock import lock
from fat.degg.analyses.linearity import (
    STRENGTHS,
    THRESHOLDS,
    LightStep,
    light_step,
    linearity,
    output_range,
)
from fat.degg.analyses.pulses import Pulses, pulses_in
from fat.degg.analyses.visibility import visibility

MA_OF_PE = 3.5 / 36.96
"""Peak of a photoelectron: 3.5 mV through 36.96 ohm."""
MA_OF_COUNT = 0.075 / 36.96
PERIOD = 2_400_000.0
"""100 Hz in ticks of 240 MHz."""


def bent(ideal: NDArray[np.float64], p0: float, p1: float, p2: float) -> NDArray[np.float64]:
    """The public curve, as the reference writes it."""
    return np.asarray(1.0 / (1.0 / ideal + np.log1p((ideal / p1) ** 3) / (p0 * np.log1p(ideal / p2))))


def p0_of(ratio: float, p1: float, p2: float) -> float:
    """With which 10 mA become *ratio* x 10 mA."""
    return float(10.0 * np.log1p((10.0 / p1) ** 3) / np.log1p(10.0 / p2) * ratio / (1.0 - ratio))


def step(
    rng: np.random.Generator, strength: float, threshold: float, mu: float, law: tuple[float, float, float]
) -> LightStep | None:
    """Five thousand laser pulses at one strength, with three times as many dark ones where these trigger."""
    pulses = 5000 if strength >= 0.05 else 1000
    pe = rng.poisson(mu * strength, pulses) + 1e-9
    peak = bent(np.maximum(rng.normal(pe, 0.4 * np.sqrt(pe)), 1e-9) * MA_OF_PE, *law)
    moment = 1e12 + np.arange(pulses) * PERIOD * (1 + 2e-6) + rng.normal(0.0, 0.6, pulses)
    seen = peak >= threshold * MA_OF_COUNT
    ticks, peak = np.floor(moment[seen]).astype(np.int64), peak[seen]
    if threshold < 100:
        dark = rng.uniform(1e12, 1e12 + pulses * PERIOD, 3 * pulses).astype(np.int64)
        order = np.argsort(np.concatenate([ticks, dark]))
        ticks = np.concatenate([ticks, dark])[order]
        peak = np.concatenate([peak, np.full(dark.size, 1.1 * MA_OF_PE)])[order]
    # A photoelectron has 16.9 pC for each mA of its peak; here charge bends as the peak does.
    charge = peak / MA_OF_PE * 1.602
    return light_step(strength, threshold, ticks, Pulses(charge, peak, np.zeros(peak.size, bool), 0.0), 100.0)


@pytest.mark.parametrize(
    ("ratio", "p1", "p2", "mu"), [(0.72, 5.2, 7.5, 260.0), (0.85, 7.0, 5.0, 400.0), (0.94, 8.5, 3.5, 590.0)]
)
def test_ratios_of_charge_and_current_are_found(ratio: float, p1: float, p2: float, mu: float) -> None:
    rng = np.random.default_rng(7)
    law = p0_of(ratio, p1, p2), p1, p2
    steps = [step(rng, s, t, mu, law) for s, t in zip(STRENGTHS, THRESHOLDS, strict=True)]
    found = linearity([one for one in steps if one is not None])
    assert found is not None
    assert found.current.ratio == pytest.approx(ratio, abs=0.02)
    at_200 = 200.0 * MA_OF_PE
    assert found.charge.ratio == pytest.approx(float(bent(np.array([at_200]), *law)[0]) / at_200, abs=0.02)
    assert found.current.fit.reduced_chi2 < 4.0


def test_without_light_there_is_no_linearity() -> None:
    rng = np.random.default_rng(7)
    steps = [step(rng, s, t, 0.0, (100.0, 7.0, 5.0)) for s, t in zip(STRENGTHS, THRESHOLDS, strict=True)]
    assert linearity([one for one in steps if one is not None]) is None


def test_steps_at_the_digitisers_end_are_left_out() -> None:
    law = p0_of(0.85, 7.0, 5.0), 7.0, 5.0
    rng = np.random.default_rng(7)
    steps = [step(rng, s, t, 400.0, law) for s, t in zip(STRENGTHS, THRESHOLDS, strict=True)]
    good = [one for one in steps if one is not None]
    top = good[-1]
    cut = LightStep(top.strength, 50.0, 0.1, 5.0, 0.01, 1.0, 0.4, top.events)
    found = linearity([*good[:-1], cut])
    assert found is not None
    assert found.current.ratio == pytest.approx(0.85, abs=0.03)


def test_pulses_are_measured_over_the_common_baseline() -> None:
    samples = np.full((50, 128), 1750, np.uint16)
    samples[:, 15:20] += np.array([10, 40, 100, 50, 20], np.uint16)
    samples[3, 17] = 16383
    found = pulses_in(samples)
    # One count for one sample: 0.075 mV x 4.167 ns / 36.96 ohm = 8.455 fC.
    assert found.charge_pc[0] == pytest.approx(220 * 8.4551e-3, rel=1e-4)
    assert found.peak_ma[0] == pytest.approx(100 * MA_OF_COUNT)
    assert found.clipped.tolist().index(True) == 3
    assert found.clipped.sum() == 1


@pytest.mark.parametrize("dark_hz", [0.0, 1500.0, 6000.0])
@pytest.mark.parametrize("off_ppm", [-8.0, 0.3, 8.0])
def test_the_laser_is_found_among_dark_counts_by_its_period(dark_hz: float, off_ppm: float) -> None:
    rng = np.random.default_rng(3)
    pulses = 300
    laser = 5e12 + (np.arange(pulses) + 0.3) * PERIOD * (1 + off_ppm * 1e-6) + rng.normal(0.0, 0.7, pulses)
    laser = laser[rng.uniform(size=pulses) < 0.8]
    dark = rng.uniform(5e12, 5e12 + pulses * PERIOD, rng.poisson(dark_hz * 3.0))
    both = np.concatenate([laser, dark])
    order = np.argsort(both)
    found = lock(np.floor(both[order]).astype(np.int64), 100.0)
    assert found is not None
    is_laser = order < laser.size
    assert (found.chosen & is_laser).sum() == laser.size
    assert (found.chosen & ~is_laser).sum() <= 3
    assert found.efficiency == pytest.approx(0.8, abs=0.07)
    assert found.period == pytest.approx(PERIOD * (1 + off_ppm * 1e-6), abs=0.05)


def test_a_dead_fibre_is_not_taken_for_light_however_many_dark_counts_there_are() -> None:
    rng = np.random.default_rng(4)
    for hertz in (100.0, 1500.0, 6000.0):
        dark = np.sort(rng.uniform(0.0, 3000 / hertz * 240e6, 3000)).astype(np.int64)
        found = visibility(dark, 100.0)
        assert found.spacing_s < 0.015
        assert not found.sees_laser
    assert not visibility(np.empty(0, np.int64), 100.0).sees_laser


def test_a_good_fibre_is_seen() -> None:
    ticks = np.floor(1e9 + np.arange(3000) * PERIOD).astype(np.int64)
    found = visibility(ticks, 100.0)
    assert found.spacing_s == pytest.approx(0.01)
    assert found.efficiency == 1.0
    assert found.sees_laser


def test_the_laser_s_steadiness_is_told_in_percent() -> None:
    steady = np.random.default_rng(1).normal(20.0, 1.0, 5000)
    assert output_range(steady) < 2.0
    assert output_range(steady * np.linspace(0.8, 1.2, 5000)) == pytest.approx(36.0, abs=2.0)
    assert np.isnan(output_range(steady[:50]))


def test_a_curve_s_parameters_and_their_errors_are_found() -> None:
    rng = np.random.default_rng(2)
    x = np.linspace(0.0, 4.0, 40)

    def decay(at: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(p[0] * np.exp(-at / p[1]))

    pulls = []
    for _ in range(60):
        y = 5.0 * np.exp(-x / 1.5) + rng.normal(0.0, 0.1, x.size)
        fit = curve_fit(decay, x, y, np.full(x.size, 0.1), (1.0, 1.0), ((0.0, 100.0), (0.1, 10.0)))
        assert fit.converged
        pulls.append((fit.values - (5.0, 1.5)) / fit.errors)
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.4
    assert np.std(pulls, axis=0) == pytest.approx(np.ones(2), abs=0.25)
    with pytest.raises(ValueError, match="too few"):
        curve_fit(decay, x[:1], x[:1], x[:1] + 1.0, (1.0, 1.0), ((0.0, 9.0), (0.1, 9.0)))
