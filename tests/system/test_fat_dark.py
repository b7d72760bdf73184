"""Measurements in the dark at a laboratory in skip mode: what is true of the modules is found, defects are named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fat.degg.station.station import Station
from fat.degg.tasks.boots import bootmon
from fat.degg.tasks.gain import analysis_wrapper, measure_gain, validate_gain
from fat.degg.tasks.high_voltage import measure_hv
from fat.degg.tasks.monitoring import constant_monitor, online_mon, slowmon
from fat.degg.tasks.remote import trigger_remote_wrapper
from fat.degg.tasks.scaler import measure_scaler
from fat.degg.tasks.spe import measure_spe
from fat.errors import UsageError
from fat.testing.task_lab import TaskLab, task_lab, true_rate, v0

COLD = "[sim.devices.lab.figures]\ncold = { start_c = -40.0 }"
PMTS = [(port, channel) for port in (5000, 5001) for channel in (0, 1)]
PARTS = ("LowerPmt", "UpperPmt")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskLab]:
    """Two modules at -40 C whose gain has been scanned and analysed."""
    with task_lab(tmp_path_factory.mktemp("dark"), 2, figures=COLD) as lab:
        scanned = measure_gain(lab.context("measure_gain_0"), "first", events=2500)
        assert scanned.verdict == "PASS"
        assert scanned.outputs["measured"] == 4
        assert analysis_wrapper(lab.context("analysis_wrapper_0")).verdict == "PASS"
        yield lab


@pytest.fixture
def quiet(lab: TaskLab) -> Iterator[TaskLab]:
    """The same, with nothing told yet; faults of a test are gone afterwards."""
    lab.told.notes.clear()
    lab.told.notices.clear()
    lab.told.questions.clear()
    yield lab
    for port in (5000, 5001):
        for fault in ("noisy_hv", "trip_hv", "high_dark_rate"):
            lab.fault(f"degg.{port}", fault, on=False)


def entry(lab: TaskLab, port: int, channel: int, key: str) -> dict[str, Any]:
    found: dict[str, Any] = lab.papers(port)[PARTS[channel]][key]
    return found


def failed(result: Any) -> set[tuple[str, str, str]]:
    """Device, part and name of what missed a limit."""
    return {
        (told["device"], told["part"], told["name"])
        for told in result.outputs["measurements"]
        if told["verdict"] == "FAIL"
    }


@pytest.mark.parametrize(("port", "channel"), PMTS)
def test_the_high_voltage_of_a_gain_of_1e7_is_found(lab: TaskLab, port: int, channel: int) -> None:
    truth = lab.truth(port, channel)
    pmt = lab.papers(port)[PARTS[channel]]
    true_volts = v0(truth, lab.glass_c())
    assert pmt["HV1e7Gain"] == pytest.approx(true_volts, abs=5.0)
    assert (pmt["HV1e7Gain"] / true_volts) ** truth["k"] == pytest.approx(1.0, abs=0.02)
    assert pmt["SPEPeakHeight"] == pytest.approx(3.5e-3, rel=0.04)
    measured = pmt["GainMeasurement_00"]
    assert measured["GainFitExp"] == pytest.approx(truth["k"], abs=0.5)
    assert measured["Baseline"] == pytest.approx(truth["baseline_counts"], abs=1.5)
    files = sorted(path.name for path in Path(measured["Folder"]).glob(f"{truth['serial']}_*V.hdf5"))
    assert len(files) >= 5
    assert f"{truth['serial']}_1500V.hdf5" in files


def test_a_second_attempt_leaves_out_what_is_done(quiet: TaskLab) -> None:
    before = quiet.papers(5000)["LowerPmt"]
    again = measure_gain(quiet.context("measure_gain_0", attempt=2), "first", events=2500)
    assert again.outputs["measured"] == 4
    assert quiet.papers(5000)["LowerPmt"] == before


def test_dark_rates_are_found_and_judged(quiet: TaskLab) -> None:
    measure_scaler(quiet.context("measure_scaler_0"), "cold", periods=40, period_ms=1000)
    result = trigger_remote_wrapper(quiet.context("darkrate_0"), "darkrate")
    assert result.verdict == "PASS"
    # The red limit and the ordinary one speak at -40 C, that of -20 C does not.
    assert len(result.outputs["measurements"]) == 2 * len(PMTS)
    for port, channel in PMTS:
        expected = true_rate(quiet.truth(port, channel), quiet.glass_c())
        found = entry(quiet, port, channel, "DarkrateScalerMeasurement_00")
        assert found["DarkRate"] == pytest.approx(expected, rel=0.05)


def test_charges_and_gaps_of_pulses(quiet: TaskLab) -> None:
    measure_spe(quiet.context("measure_spe_0"), "at -40 C", events=6000)
    assert quiet.told.warnings() == ""
    assert trigger_remote_wrapper(quiet.context("spe_0"), "spe").verdict == "PASS"
    assert trigger_remote_wrapper(quiet.context("dt_0"), "dt").verdict == "PASS"
    for port, channel in PMTS:
        truth = quiet.truth(port, channel)
        found = entry(quiet, port, channel, "SpeMeasurement_00")
        true_gain = (found["HV"] / v0(truth, quiet.glass_c())) ** truth["k"]
        assert found["Gain"] == pytest.approx(true_gain, rel=0.02)
        # A pair whose first pulse stays below the threshold is not seen as one.
        correlated = entry(quiet, port, channel, "DeltaTMeasurement_00")["Correlated"]
        assert correlated == pytest.approx(0.92 * truth["correlated_fraction"], abs=0.025)
    documents = json.loads((quiet.folder / "fat" / "results" / "found" / "dt_0.json").read_text())
    assert "delta-t" in json.dumps(documents)


def test_the_read_back_of_the_high_voltage(quiet: TaskLab) -> None:
    assert measure_hv(quiet.context("measure_hv_0"), "cold", step_volts=40, reads=5).verdict == "PASS"
    for port, channel in PMTS:
        found = entry(quiet, port, channel, "HVMonitoring_0000")
        assert found["OffsetVolts"] == pytest.approx(quiet.truth(port, channel)["hv_offset_volts"], abs=0.4)
        assert found["Slope"] == pytest.approx(1.0, abs=0.005)


def test_monitoring_of_healthy_modules_has_nothing_to_say(quiet: TaskLab) -> None:
    assert slowmon(quiet.context("slowmon_0"), "very_cold0", events=600).outputs["faults"] == []
    before_ns = quiet.clock.now_ns()
    assert online_mon(quiet.context("online_mon_0"), "very_cold0", minutes=60.0).outputs["faults"] == []
    assert quiet.clock.now_ns() - before_ns > 3600e9
    for number in range(2):
        assert constant_monitor(quiet.context(f"constant_{number}"), "very_cold0").outputs["faults"] == []
    for analysis in ("quick_monitoring", "detailed_monitoring", "gainscan_monitoring"):
        assert trigger_remote_wrapper(quiet.context(analysis), analysis).verdict == "PASS"
    assert quiet.told.warnings() == ""
    assert [notice.text for notice in quiet.told.notices] == [
        "Quick monitoring (very_cold0): OK, 2 modules, 4 high voltages on, -40 C"
    ]
    for port, channel in PMTS:
        volts = v0(quiet.truth(port, channel), quiet.glass_c())
        assert entry(quiet, port, channel, "DarkrateTemperature_0000")["HV1e7Gain"] == pytest.approx(
            volts, abs=10
        )


def test_a_measurement_named_after_another_temperature_is_told_of(quiet: TaskLab) -> None:
    measured = measure_spe(quiet.context("measure_spe_1"), "at 20 C", events=100)
    assert measured.outputs["measured"] == 4, "it is measured all the same"
    assert "measure_spe_1 (at 20 C) began while the box was at -4" in quiet.told.warnings()


def test_a_high_voltage_that_was_off_is_told_of_and_set_again(quiet: TaskLab) -> None:
    with Station(quiet.context("x").environment["endpoints"], lambda _seconds: None) as station:
        station.modules[5001].disable_hv(0)
        station.modules[5001].set_dac(1, 5000)  # as measurements with much light leave it
    constant_monitor(quiet.context("constant_off"), "very_cold0")
    serial, volts = quiet.truth(5001, 0)["serial"], quiet.papers(5001)["LowerPmt"]["HV1e7Gain"]
    assert (
        f"LowerPmt ({serial}): high voltage was off, and has been set to {volts:.0f} V"
        in quiet.told.warnings()
    )
    latest = [sorted(k for k in quiet.papers(5001)[part] if k.startswith("Advanced"))[-1] for part in PARTS]
    lower, upper = (entry(quiet, 5001, channel, key) for channel, key in enumerate(latest))
    assert lower["HVRead"] == pytest.approx(volts, abs=20)
    assert upper["Baseline"] == pytest.approx(quiet.truth(5001, 1)["baseline_counts"], abs=2)


def test_a_high_voltage_some_volts_away_is_set_to_what_the_papers_say(quiet: TaskLab) -> None:
    # Where a scan has left it, or an analysis has found another one since; read-backs are 5 V off anyway.
    volts, truth = quiet.papers(5000)["LowerPmt"]["HV1e7Gain"], quiet.truth(5000, 0)
    with Station(quiet.context("x").environment["endpoints"], lambda _seconds: None) as station:
        station.modules[5000].set_hv(0, round(volts) + 9)
    quiet.clock.wait_until(quiet.clock.now_ns() + 10 * 10**9)
    constant_monitor(quiet.context("constant_away"), "very_cold0")
    latest = sorted(key for key in quiet.papers(5000)["LowerPmt"] if key.startswith("Advanced"))[-1]
    found = entry(quiet, 5000, 0, latest)
    assert found["HV"] == round(volts), "whole volts, as a board is set"
    assert found["HVRead"] - truth["hv_offset_volts"] == pytest.approx(found["HV"], abs=0.5)


def test_boards_that_were_without_power_do_not_make_the_box_colder_than_it_was(quiet: TaskLab) -> None:
    bootmon(quiet.context("bootmon_0"), "coldboot", hours=3.0)
    for number, minutes in enumerate((0.0, 10.0, 30.0, 120.0)):
        found = online_mon(quiet.context(f"after_{number}"), "very_cold0", repeats=1, minutes=minutes)
        assert found.outputs["box_c"] == pytest.approx(quiet.glass_c(), abs=2.5)
        serial = quiet.papers(5000)
        latest = serial[sorted(key for key in serial if key.startswith("OnlineMon"))[-1]]
        assert latest["BoxTemperature"] == pytest.approx(found.outputs["box_c"], abs=0.01)
    assert latest["Temperature"] > quiet.glass_c() + 9.5, "they are warm again"


def test_defects_are_named(quiet: TaskLab) -> None:
    lower, upper = (quiet.truth(5001, channel)["serial"] for channel in (0, 1))
    noisy = quiet.truth(5000, 1)["serial"]
    device, other = (quiet.papers(port)["DEggSerialNumber"] for port in (5000, 5001))
    quiet.fault("degg.5000", "noisy_hv", channel=1)
    quiet.fault("degg.5001", "high_dark_rate", channel=1)
    quiet.fault("degg.5001", "trip_hv", channel=0)

    online_mon(quiet.context("online_mon_1"), "very_cold0")
    told = quiet.told.warnings()
    assert f"{device} UpperPmt ({noisy}): high voltage is noisy" in told
    assert f"{other} LowerPmt ({lower}): high voltage is off" in told
    assert f"{other} UpperPmt ({upper}): dark rate " in told
    assert "more than 4000 Hz" in told
    assert str(quiet.truth(5000, 0)["serial"]) not in told

    measured = measure_scaler(quiet.context("measure_scaler_1"), "defects", periods=5, period_ms=1000)
    assert failed(measured) == {
        (device, "UpperPmt", "monitoring-high-voltage-spread"),
        (other, "LowerPmt", "monitoring-high-voltage"),
    }
    judged = trigger_remote_wrapper(quiet.context("darkrate_1"), "darkrate")
    assert failed(judged) == {(other, "LowerPmt", "dark-rate"), (other, "UpperPmt", "dark-rate")}

    for number in range(4):
        constant_monitor(quiet.context(f"constant_1{number}"), "very_cold0", ignore_warn=True)
    steady = failed(trigger_remote_wrapper(quiet.context("detailed_1"), "detailed_monitoring"))
    assert {
        (device, "UpperPmt", "monitoring-high-voltage-problems"),
        (other, "LowerPmt", "monitoring-high-voltage-problems"),
        (other, "UpperPmt", "allowed-high-dark-rate"),
    } <= steady
    assert not any(part == (device, "LowerPmt") for *part, _ in steady)


def test_a_high_voltage_that_fails_during_a_scan_is_no_error_of_the_bench(quiet: TaskLab) -> None:
    quiet.fault("degg.5001", "trip_hv", channel=0)
    other, serial = quiet.papers(5001)["DEggSerialNumber"], quiet.truth(5001, 0)["serial"]
    scanned = measure_gain(quiet.context("measure_gain_1"), "trip", events=400)
    assert scanned.outputs["measured"] == 3
    assert failed(scanned) == {(other, "LowerPmt", "monitoring-high-voltage")}
    assert f"{other} LowerPmt ({serial}): high voltage is off" in quiet.told.warnings()
    assert entry(quiet, 5001, 0, "GainMeasurement_01")["Folder"] == "None"
    assert validate_gain(quiet.context("validate_gain_0")).outputs["unknown"] == []
    assert failed(analysis_wrapper(quiet.context("analysis_wrapper_1"))) == {
        (other, "LowerPmt", "hv-at-1e7-gain")
    }
    assert quiet.papers(5001)["LowerPmt"]["HV1e7Gain"] == -1
    validate_gain(quiet.context("validate_gain_1"))
    (question,) = quiet.told.questions
    assert f"{other} LowerPmt ({serial})" in question


def test_an_analysis_that_there_is_not(lab: TaskLab) -> None:
    with pytest.raises(UsageError, match="did you mean 'darkrate'"):
        trigger_remote_wrapper(lab.context("x"), "dark_rate")
