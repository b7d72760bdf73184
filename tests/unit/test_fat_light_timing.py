"""Transit time spread from two boards' whole ticks and their calibrations, made by the test with its own clocks."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fat.degg.analyses.pulses import TICK_NS
from fat.degg.analyses.transit_time import (
    Comb,
    Syncs,
    TransitTime,
    differences,
    on_hub,
    syncs_of,
    transit_time,
)

PERIOD_NS = 2e6
"""500 Hz."""


def measured(
    sigma: float,
    *,
    seed: int,
    pulses: int = 3000,
    late: float = 0.0,
    dark: int = 50_000,
    apart_ns: float = 0.0,
    comb: int = 0,
    steady: bool = True,
) -> TransitTime | None:
    """Pulses and syncs on clocks that run by parts in a million wrong, calibrated each second to 0.1 ns.

    comb    the grids of ticks move against each other by this part of a tick in each period of the laser; 0: somehow
    steady  syncs are taken to keep the laser's period
    """
    rng = np.random.default_rng(seed)
    fires = np.arange(15_000) * PERIOD_NS + 1e9
    fast = 0.24 * (1 + rng.normal(0.0, 2e-6, 2))
    if comb:
        fast[0] = fast[1] + (1.0 / comb) / PERIOD_NS
    chosen = np.sort(rng.choice(fires.size, pulses, replace=False))
    delay = 65.0 + rng.normal(0.0, sigma, pulses)
    delay += np.where(rng.uniform(size=pulses) < late, rng.exponential(12.0, pulses), 0.0)
    arrivals = np.sort(np.concatenate([fires[chosen] + delay, rng.uniform(fires[0], fires[-1], dark)]))
    syncs = fires + rng.normal(0.0, 0.3, fires.size)
    calibrated = np.arange(0.0, 33e9, 1e9)
    hub = calibrated + rng.normal(0.0, 0.1, calibrated.size)
    on = [
        on_hub(np.floor(times * rate).astype(np.int64), calibrated * rate, hub + shift)
        for times, rate, shift in ((arrivals, fast[0], apart_ns), (syncs, fast[1], 0.0))
    ]
    found = syncs_of(on[1], PERIOD_NS) if steady else Syncs(on[1], TICK_NS**2 / 12 + 0.3**2)
    teeth = Comb(found, calibrated * fast[0], hub + apart_ns)
    return transit_time(differences(on[0], found.times_ns, PERIOD_NS), teeth)


@pytest.mark.parametrize(("sigma", "late"), [(2.0, 0.05), (2.4, 0.0), (3.0, 0.05)])
def test_the_spread_is_found_without_what_ticks_and_sync_add(sigma: float, late: float) -> None:
    found = measured(sigma, seed=int(sigma * 10), late=late)
    assert found is not None
    assert found.sigma_ns == pytest.approx(sigma, abs=0.2)
    assert found.sigma_error_ns < 0.1
    assert found.late == pytest.approx(late, abs=0.03)
    assert found.matched == pytest.approx(0.2, abs=0.01)
    assert found.reduced_chi2 < 2.5


@pytest.mark.parametrize("comb", [1, 2, 3, 4, 5, 6])
def test_ticks_that_can_only_make_a_comb_of_times_are_no_bad_fit(comb: int) -> None:
    found = [
        measured(2.4, seed=40 + comb, late=0.05, dark=0, comb=sign * comb, apart_ns=apart_ns)
        for sign in (-1, 1)
        for apart_ns in (0.0, 14e6)
    ]
    assert all(one is not None and one.sigma_ns == pytest.approx(2.4, abs=0.2) for one in found)
    assert max(one.reduced_chi2 for one in found if one) < 2.5


@pytest.mark.parametrize("apart_ns", [-1.3e6, -70.0])
def test_hubs_that_began_at_other_moments_change_nothing(apart_ns: float) -> None:
    found = measured(2.4, seed=5, apart_ns=apart_ns)
    assert found is not None
    assert found.sigma_ns == pytest.approx(2.4, abs=0.2)


def test_dark_counts_alone_have_no_transit_time() -> None:
    rng = np.random.default_rng(1)
    syncs = np.linspace(0.0, 2999 * PERIOD_NS, 3000)
    dark = np.sort(rng.uniform(0.0, syncs[-1], 8000))
    comb = Comb(Syncs(syncs, 0.0), syncs[::2999] * 0.24, syncs[::2999])
    assert transit_time(differences(dark, syncs, PERIOD_NS), comb) is None
    assert transit_time(differences(np.empty(0), syncs, PERIOD_NS), comb) is None


def test_a_spread_that_is_no_gaussian_has_a_large_chi2() -> None:
    rng = np.random.default_rng(2)
    box: NDArray[np.float64] = rng.uniform(-9.0, 9.0, 6000) + 100.0
    syncs = np.sort(rng.uniform(0.0, 1e10, 6000))
    found = transit_time(box, Comb(Syncs(syncs, 0.0), np.array([0.0, 2.4e9]), np.array([0.0, 1e10])))
    assert found is not None
    assert found.reduced_chi2 > 3.6


def test_syncs_of_a_laser_that_keeps_its_period_are_told_better_than_ticks_do() -> None:
    rng = np.random.default_rng(3)
    fires = np.delete(np.arange(3000.0), [5, 700, 701]) * PERIOD_NS * (1 + 1e-6) + 5.0
    ticks = np.floor((fires + rng.normal(0.0, 0.3, fires.size)) * 0.24) / 0.24
    steady = syncs_of(ticks, PERIOD_NS)
    assert steady.variance == 0.0
    assert np.std(steady.times_ns - fires) < 0.15
    wandering = np.floor((fires + np.cumsum(rng.normal(0.0, 2.0, fires.size))) * 0.24) / 0.24
    assert syncs_of(wandering, PERIOD_NS).times_ns is wandering
    assert syncs_of(ticks[:20], PERIOD_NS).times_ns is not None
    assert syncs_of(np.empty(0), PERIOD_NS).times_ns.size == 0


def test_the_spread_is_found_as_well_where_only_ticks_tell_when_the_laser_fired() -> None:
    found = measured(2.4, seed=6, late=0.05, steady=False)
    assert found is not None
    assert found.sigma_ns == pytest.approx(2.4, abs=0.2)


def test_ticks_follow_straight_lines_from_calibration_to_calibration() -> None:
    module = np.array([0.0, 240e6, 480e6])
    hub = np.array([0.0, 1e9, 2e9 + 240.0])
    at = on_hub(np.array([-240, 120_000_000, 360_000_000, 480_000_240]), module, hub)
    assert at == pytest.approx([-1e3, 0.5e9, 1.5e9 + 120.0, 2e9 + 240.0 + 1e3], abs=1e-2)
