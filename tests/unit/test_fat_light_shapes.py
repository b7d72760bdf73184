"""Two pulses, bursts and what follows pulses, and the flasher's LEDs: from waveforms that the test has made."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fat.degg.analyses.flasher import flasher, mean_charge
from fat.degg.analyses.pulse_shape import aftermath, burst, double_pulse

TICK_NS = 1e3 / 240


def pulse(at_ns: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fast up, slow down, highest at 0: a Gaussian on one side, a wider one on the other."""
    return np.asarray(np.exp(-0.5 * (at_ns / np.where(at_ns < 0, 3.0, 7.0)) ** 2))


def records(
    starts_ns: NDArray[np.float64], count: int, *, samples: int = 300, height: float = 700.0, seed: int = 1
) -> NDArray[np.uint16]:
    """Records triggered in sample 16, where between two ticks is left to chance."""
    rng = np.random.default_rng(seed)
    first = 16 * TICK_NS + 2.0 + rng.uniform(0.0, TICK_NS, (count, 1, 1))
    at = np.arange(samples)[None, None, :] * TICK_NS
    signal = pulse(at - first - starts_ns[None, :, None]).sum(axis=1) * rng.normal(height, 100.0, (count, 1))
    return np.asarray(np.rint(8000.0 + signal + rng.normal(0.0, 2.5, signal.shape)), np.uint16)


@pytest.mark.parametrize("apart_ns", [18.0, 20.0, 22.0])
def test_the_separation_of_two_pulses_is_found(apart_ns: float) -> None:
    found = double_pulse(records(np.array([0.0, apart_ns]), 2000))
    assert found is not None
    assert found.separation_ns == pytest.approx(apart_ns, abs=0.5)


def test_peaks_are_compared_with_the_valley_between_them() -> None:
    samples = records(np.array([0.0, 22.0]), 2000)
    found = double_pulse(samples)
    assert found is not None
    mean = samples.mean(axis=0) - 8000.0
    valley = mean[18:22].min()
    assert found.peak_to_valley[0] == pytest.approx(mean[15:19].max() / valley, rel=1e-3)
    assert found.peak_to_valley[1] == pytest.approx(mean[20:26].max() / valley, rel=1e-3)
    assert found.peak_to_valley[0] > 1.2


def test_one_pulse_is_not_two() -> None:
    found = double_pulse(records(np.array([0.0]), 500))
    assert found is None or not 18.0 <= found.separation_ns <= 22.0 or found.peak_to_valley[1] < 1.0
    assert double_pulse(np.empty((0, 300), np.uint16)) is None


@pytest.mark.parametrize("droop", [0.0, 0.2])
def test_the_droop_of_a_burst_is_found(droop: float) -> None:
    samples = records(np.linspace(0.0, 780.0, 40), 100).astype(np.float64)
    # What droops falls by so much over the 800 ns of the burst; the ends of what is compared lie inside it.
    fall = 1.0 - droop * np.clip((np.arange(300) - 16) * TICK_NS / 800.0, 0.0, 1.0)
    found = burst(np.rint(8000.0 + (samples - 8000.0) * fall).astype(np.uint16))
    assert found is not None
    assert found.droop == pytest.approx(droop * 0.8, abs=0.03)
    assert found.length_ns == pytest.approx(800.0, abs=40.0)
    assert burst(records(np.array([0.0]), 50)) is None


def test_later_pulses_are_counted_and_the_level_after_a_pulse_is_told() -> None:
    samples = records(np.array([0.0]), 400, samples=1000)
    samples[:100, 500:503] += 50
    found = aftermath(samples, 24.0)
    assert found is not None
    assert found.after_pulses == pytest.approx(0.25)
    assert found.residual == pytest.approx(0.0, abs=1e-3)
    tail = samples.astype(np.float64)
    tail[:, 40:] += 35.0
    high = aftermath(tail.astype(np.uint16), 24.0)
    assert high is not None
    assert high.residual == pytest.approx(0.05, abs=0.01)


def test_a_dead_led_is_named() -> None:
    rng = np.random.default_rng(3)
    light = np.linspace(1.0, 5.5, 10) ** 2 * 4.0 * 1.6
    mean = np.tile(light, (12, 1)) * rng.lognormal(0.0, 0.15, (12, 1))
    mean[6] = rng.normal(0.0, 0.02, 10)
    error = np.full(mean.shape, 0.1)
    found = flasher(mean, error)
    assert found.dead == (7,)
    assert found.working.sum() == 11
    mean[2] = np.nan
    assert flasher(mean, error).dead == (3, 7)


def test_charge_that_does_not_come_from_an_led_is_not_taken_for_one() -> None:
    mean = np.full((12, 10), 3.3)
    assert flasher(mean, np.full(mean.shape, 0.05)).dead == tuple(range(1, 13))


def test_mean_charges_have_errors() -> None:
    mean, error = mean_charge(np.array([1.0, 2.0, 3.0, 4.0]))
    assert mean == 2.5
    assert error == pytest.approx(1.29099 / 2, rel=1e-4)
    assert np.isnan(mean_charge(np.array([1.0]))).all()
