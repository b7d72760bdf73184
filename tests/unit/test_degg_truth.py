"""What is drawn of a module, and its clock."""

import json
from pathlib import Path
from typing import Any

import pytest

from sim.degg.clock import DomClock
from sim.degg.figures import PhotomultiplierFigures
from sim.degg.photomultiplier.dark import dark_hz
from sim.degg.photomultiplier.saturation import charge_ratio, current_ratio
from sim.degg.truth import ModuleTruth, write_truth
from sim.kernel import NS_PER_S, SimTime

MODULES = [ModuleTruth.of(seed, f"DEgg2021-3-{100 + n}") for seed in (1, 2, 3) for n in range(16)]
PMTS = [pmt for module in MODULES for pmt in module.channels]


def test_a_serial_number_is_the_same_module_on_benches_of_one_seed() -> None:
    assert ModuleTruth.of(1, "DEgg2021-3-100") == MODULES[0]
    assert ModuleTruth.of(2, "DEgg2021-3-100").channels[0].v0_volts != MODULES[0].channels[0].v0_volts
    assert ModuleTruth.of(1, "DEgg2021-3-101").channels[0].v0_volts != MODULES[0].channels[0].v0_volts
    assert MODULES[0].channels[0].v0_volts != MODULES[0].channels[1].v0_volts


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("v0_volts", 1250, 1550),
        ("k", 6.5, 8.5),
        ("v0_per_c", 0.0005, 0.001),
        ("spe_width", 0.30, 0.35),
        ("two_pe_fraction", 0.01, 0.02),
        ("mu_full", 250, 600),
        ("sigma_tt_mpe_ns", 2.0, 2.6),
        ("sigma_tt_spe_ns", 2.4, 3.0),
        ("transit_ns", 60, 70),
        ("noise_counts", 2, 3),
        ("baseline_counts", 7940, 8060),
        ("after_light_hz", 500, 1500),
    ],
)
def test_what_is_drawn_lies_in_its_range_and_fills_it(name: str, low: float, high: float) -> None:
    values = [getattr(pmt, name) for pmt in PMTS]
    assert low <= min(values)
    assert max(values) <= high
    assert max(values) - min(values) > 0.5 * (high - low)


def test_healthy_modules_are_inside_the_limits() -> None:
    figures = PhotomultiplierFigures()
    for pmt in PMTS:
        assert dark_hz(pmt, figures, -40.0) < 2600
        assert dark_hz(pmt, figures, -20.0) < 3000
        assert 1000 < pmt.v0(-40.0) < pmt.v0(20.0) < 2000
        assert 0.699 <= current_ratio(pmt.p0, pmt.p1, pmt.p2) <= 0.951
        assert charge_ratio(200.0, pmt.p0, pmt.p1, pmt.p2) > 0.6


def test_gain_is_a_power_law_about_a_voltage_that_rises_with_temperature() -> None:
    pmt = PMTS[0]
    assert pmt.gain(pmt.v0_volts, 20.0) == pytest.approx(1e7)
    assert pmt.gain(1.1 * pmt.v0_volts, 20.0) == pytest.approx(1e7 * 1.1**pmt.k)
    assert pmt.v0(-40.0) == pytest.approx(pmt.v0_volts * (1 - 60 * pmt.v0_per_c))
    assert pmt.gain(0.0, 20.0) == 0.0


def test_serial_numbers_and_ids_tell_modules_of_a_bench_apart() -> None:
    bench = MODULES[:16]
    serials = [pmt.serial for module in bench for pmt in module.channels]
    assert len(set(serials)) == 32
    assert all(len(serial) == 6 and serial.startswith("SQ") and serial[2:].isdigit() for serial in serials)
    assert len({module.icm_id for module in bench}) == 16
    assert all(len(module.icm_id) == 16 and int(module.icm_id, 16) >= 0 for module in bench)
    assert all(10 <= module.warmth_c <= 15 for module in bench)


def test_a_file_holds_the_truth_and_what_an_analysis_compares_itself_with(tmp_path: Path) -> None:
    path = write_truth(tmp_path, 5000, MODULES[0])
    assert path == tmp_path / "truth" / "degg_5000.json"
    written: dict[str, Any] = json.loads(path.read_text())
    assert written["serial"] == "DEgg2021-3-100"
    upper = written["channels"][1]
    assert upper["v0_volts"] == PMTS[1].v0_volts
    assert 0.69 < upper["current_ratio_10_ma"] < 0.96
    assert [file.name for file in path.parent.iterdir()] == ["degg_5000.json"]


def test_a_clock_counts_240_million_ticks_a_second_less_its_error() -> None:
    assert DomClock(0, 0.0).ticks(SimTime(NS_PER_S)) == 240_000_000
    assert DomClock(0, 100.0).ticks(SimTime(NS_PER_S)) == 240_024_000
    assert DomClock(2 * NS_PER_S, -100.0).ticks(SimTime(NS_PER_S)) == 719_928_000


@pytest.mark.parametrize("ticks", [30_000_000_000, 30_000_000_001, 10**14])
def test_a_clock_says_in_which_nanosecond_a_tick_begins(ticks: int) -> None:
    clock = DomClock(123_456_789, 3.7)
    begins = clock.at(ticks)
    assert clock.ticks(begins) == ticks
    assert clock.ticks(SimTime(begins - 1)) == ticks - 1
