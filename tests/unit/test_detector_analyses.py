"""Analyses of a detector's acceptance test, on data whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from fat.detector.analyses.counting import (
    bad_counters,
    dark_rate_hz,
    dead_time,
    non_uniformity,
    threshold_edge,
)
from fat.detector.analyses.darks import dark_quality, level_separation
from fat.detector.analyses.delivery import behind, delivery, latency_of, taken_in_at
from fat.detector.analyses.gain import Flat, blind_pixels, photon_gain, single_photons, stage_ratio
from fat.detector.analyses.linearity import StageSums, fit_line, stages_of_levels

RNG = np.random.default_rng(7)
SHAPE = (2, 64, 64)


def flat_field(gain: float, photons: float, noise: float, trains: int = 8, spread: float = 0.02) -> Flat:
    """Photons come at random, each pixel answers with a gain of its own, readout noise is added."""
    own = gain * (1 + spread * RNG.standard_normal(SHAPE))
    seen = RNG.poisson(photons, (trains, *SHAPE)) * own + noise * RNG.standard_normal((trains, *SHAPE))
    return Flat(
        seen.mean(axis=0, dtype=np.float32),
        seen.var(axis=0, ddof=1, dtype=np.float32),
        np.full(SHAPE, noise**2, np.float32),
        np.ones(SHAPE, np.bool_),
    )


@pytest.mark.parametrize(
    ("gain", "photons", "noise"), [(30.0, 50.0, 2.5), (20.0, 5.0, 4.0), (2.0, 40.0, 0.8)]
)
def test_photon_transfer_finds_what_a_photon_is_worth(gain: float, photons: float, noise: float) -> None:
    assert photon_gain(flat_field(gain, photons, noise)) == pytest.approx(gain, rel=0.02)


def test_bad_pixels_do_not_count_in_the_gain() -> None:
    flat = flat_field(30.0, 50.0, 2.5)
    flat.variance[:, :4], flat.mean[:, :4], flat.good[:, :4] = 1e6, 9000.0, False
    assert photon_gain(flat) == pytest.approx(30.0, rel=0.02)
    flat.good[:] = False
    assert np.isnan(photon_gain(flat))
    assert np.isnan(photon_gain(flat_field(30.0, 0.0, 0.0)))


def test_stages_compare_in_the_same_light() -> None:
    upper, lower = flat_field(30.0, 50.0, 2.5), flat_field(1.5, 50.0, 2.6)
    assert stage_ratio(upper, lower) == pytest.approx(20.0, rel=0.01)
    lower.good[:] = False
    assert np.isnan(stage_ratio(upper, lower))


def test_blind_and_glaring_pixels_are_counted_whatever_the_darks_say() -> None:
    mean = flat_field(30.0, 50.0, 2.5).mean
    mean[:, 0, :5], mean[:, 1, :3] = 0.0, 4000.0
    assert blind_pixels(mean) == (5, 3)
    assert blind_pixels(np.full(SHAPE, np.nan)) == (64 * 64, 0)


def test_single_photons_stand_apart_or_are_not_found() -> None:
    photons = RNG.poisson(1.1, 100_000)
    found = single_photons(photons * 29.4 + 2.5 * RNG.standard_normal(100_000), 31.0)
    assert found is not None
    assert found.distance == pytest.approx(29.4, rel=0.005)
    assert found.width == pytest.approx(2.5, rel=0.05)
    assert found.zero == pytest.approx(0.0, abs=0.2)
    assert single_photons(photons * 29.4 + 20 * RNG.standard_normal(100_000), 30.0) is None
    assert single_photons(np.zeros(10), 30.0) is None


def test_photons_are_the_same_in_whatever_stage_they_are_counted() -> None:
    gains = np.array([30.0, 1.5, 0.33])
    stage = RNG.integers(0, 3, 3000)
    sums = StageSums.empty(3)
    sums.add(200.0 * gains[stage], stage)
    assert sums.photons(gains) == pytest.approx(200.0)
    assert sums.shares == pytest.approx(np.bincount(stage) / 3000)
    assert np.isnan(StageSums.empty(3).photons(gains))
    levels = np.array([5000.0, 6500.0, 8000.0])
    assert stages_of_levels(levels, np.full((2, 3), [[6000.0], [7500.0]])).tolist() == [0, 1, 2]


def test_a_straight_line_leaves_nothing_and_a_bend_is_measured() -> None:
    light = np.geomspace(1e-4, 1, 12)
    assert fit_line(light, 3000 * light).worst == pytest.approx(0, abs=1e-12)
    bent = 3000 * light
    bent[-2:] = 1800
    line = fit_line(light, bent)
    assert line.slope == pytest.approx(3000)
    assert line.worst == pytest.approx(0.4)
    assert np.isnan(fit_line(light, np.full(12, np.nan)).worst)


def test_darks_tell_noise_and_kinds_of_bad_pixels() -> None:
    noise = np.full((16, 8, 2, 3), 2.5, np.float32) * np.array([1, 2, 3], np.float32)
    bits = np.zeros(noise.shape, np.uint32)
    bits[0, 0], bits[1, 0, 1, 2], bits[2, 0] = 1, 2, 1 << 13
    noise[0, 0] = 99
    quality = dark_quality(np.full(noise.shape, 4000.0), noise, bits)
    assert quality.noise == (2.5, 5.0, 7.5)
    assert dict(quality.bad) == {"offset": 1, "noise": 1, "gain level": 1, "no data": 0}
    assert (quality.bad_any, quality.pixels, quality.kinds.shape) == (3, 128, (8, 16))
    assert np.isnan(dark_quality(noise, noise, np.ones(noise.shape, np.uint32)).noise[0])
    assert dark_quality(noise[..., 0], noise[..., 0], bits[..., 0]).noise == (2.5,)


def test_gain_levels_in_the_wrong_order_are_less_than_nothing_apart() -> None:
    levels = RNG.normal([5000.0, 7000.0, 8600.0], 60.0, (32, 32, 2, 3))
    assert level_separation(levels) == pytest.approx(1600 / 120, rel=0.1)
    assert level_separation(levels[..., [0, 2, 1]]) < -10


def test_trains_are_balanced_and_what_was_wrong_is_named() -> None:
    good = delivery(100, 130, 100, 13_000, {})
    assert (good.received, good.datagrams_lost, good.late, good.flawed, good.named) == (1, 0, 0, 0, ())
    lossy = delivery(100, 130, 90, 12_980, {"INCOMPLETE": 10, "TRAIN_ID_JUMP": 10})
    assert (lossy.received, lossy.datagrams_lost) == (0.9, pytest.approx(20 / 13_000))
    assert (lossy.flawed, lossy.named) == (0, ("datagrams missing: 10",))
    late = delivery(10, 130, 7, 1300, {"TRAIN_ID_BACKWARD": 3, "TRAIN_ID_JUMP": 3})
    assert (late.late, late.named) == (3, ("trains late: 3",))
    flawed = delivery(10, 130, 10, 1300, {"BAD_STATUS": 2, "DUPLICATES": 1})
    assert (flawed.flawed, flawed.named) == (3, ("a bad status: 2", "datagrams sent twice: 1"))
    jumping = delivery(10, 130, 10, 1300, {"TRAIN_ID_JUMP": 1})
    assert (jumping.flawed, jumping.named) == (1, ("train ids that jump: 1",))
    assert delivery(10, 130, 0, 0, {}).datagrams_lost == 1


def test_a_train_is_there_when_its_last_module_is() -> None:
    looks = [(0.0, [0, 0]), (0.1, [1, 0]), (0.2, [2, 1]), (0.3, [2, 3]), (0.4, [3, 3])]
    assert taken_in_at(looks, 3) == [0.2, 0.3, 0.4]
    lossy = [(0.0, [0, 0]), (0.1, [1, 1]), (0.5, [2, 1])]
    assert taken_in_at(lossy, 2) == [0.1, 0.5], "the module that lost one does not tell which"
    assert taken_in_at([(0.0, [0, 0])], 2) == taken_in_at([], 2) == []


def test_a_module_that_is_always_late_is_found_though_nothing_is_out_of_order() -> None:
    late = [(float(k), [k, max(0, k - 2)]) for k in range(1, 9)]
    assert behind(late, [8, 8]) == [0, 8]
    lossy = [(float(k), [k, k - (k > 3)]) for k in range(1, 9)]
    assert behind(lossy, [8, 7]) == [0, 0], "lost is not late"
    between = [(0.0, [0, 0]), (1.0, [1, 0]), (1.1, [1, 1]), (2.0, [1, 2]), (2.1, [2, 2])]
    assert behind(between, [2, 2]) == [0, 0], "modules of a train come one after another"
    assert behind([], [0, 0]) == [0, 0]
    assert delivery(8, 130, 8, 1040, {}, late=8).named == ("trains late: 8",)
    held_back = [(1.0, [1, 0]), (2.0, [2, 0]), (3.0, [3, 2]), (4.0, [4, 3])]
    assert behind(held_back, [4, 3]) == [0, 0], "until the train after a lost one was confirmed"


def test_latencies_are_percentiles_and_never_negative() -> None:
    times = latency_of([-0.001, *np.linspace(0, 1, 1000)])
    assert (times.p50, times.p99, times.worst) == pytest.approx((0.5, 0.99, 1.0), abs=0.01)
    assert np.isnan(latency_of([]).p99)


def test_a_counter_is_judged_by_what_varies_beyond_its_statistics() -> None:
    response = 1 + 0.02 * RNG.standard_normal((128, 128))
    good = np.ones((128, 128), np.bool_)
    assert non_uniformity(RNG.poisson(8000 * response), good) == pytest.approx(0.02, rel=0.1)
    assert non_uniformity(RNG.poisson(8000, (128, 128)), good) < 0.003
    assert np.isnan(non_uniformity(np.zeros((128, 128)), good))
    assert dark_rate_hz(np.full((4, 4), 3), np.ones((4, 4), np.bool_), 60.0) == pytest.approx(0.05)


def test_bad_counters_are_held_against_the_mask() -> None:
    flat, dark = RNG.poisson(2000, (64, 64)), np.zeros((64, 64), np.int64)
    gaps, mask = np.zeros((64, 64), np.bool_), np.zeros((64, 64), np.uint32)
    gaps[30:32], mask[30:32], flat[30:32] = True, 1, 0
    flat[0, 0], flat[0, 1], flat[0, 2], dark[0, 3] = 0, 3, 9000, 5000
    mask[0, 0] = 2
    found = bad_counters(flat, dark, 10, mask, gaps)
    assert (found.blind, found.hot, found.unmasked, found.masked) == (2, 2, 3, 1)


def test_the_edge_of_a_threshold_scan_is_where_the_photons_are() -> None:
    from math import erfc, sqrt

    shares = np.array([0.5, 0.7, 0.8, 0.86, 0.92, 0.96, 1.0, 1.04, 1.08, 1.14, 1.25])
    step = np.array([0.5 * erfc((t - 0.97) / (0.05 * sqrt(2))) for t in shares])
    counts = (100 + 40 * (1 - shares)) * step + 2.0 + 0.02 * RNG.standard_normal(len(shares))
    edge = threshold_edge(shares, counts)
    assert edge.at == pytest.approx(0.97, abs=0.003)
    assert edge.width == pytest.approx(0.05, rel=0.1)
    assert edge.curve(shares) == pytest.approx(counts, abs=0.5)
    assert np.isnan(threshold_edge(shares[:5], counts[:5]).at)
    assert np.isnan(threshold_edge(shares, np.zeros(11)).at)


def test_dead_time_comes_from_what_is_lost() -> None:
    true = np.array([1e4, 2e5, 1e6, 3e6])
    lost = dead_time(true, true * np.exp(-true * 120e-9))
    assert lost.seconds == pytest.approx(120e-9)
    assert np.abs(lost.residuals).max() < 1e-12
    assert np.isnan(dead_time(true, np.zeros(4)).seconds)
