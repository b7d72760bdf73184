"""The laboratory's clients at a laboratory in skip mode: what they read is what the laboratory was made from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fat.degg.station import (
    ChargeStamps,
    InstrumentRefused,
    MeasurementFailed,
    ModuleRefused,
    ModuleSilent,
    Station,
    console,
)
from fat.degg.station.acquisition import Window, fir_threshold
from fat.degg.station.board import UNCONFIGURED
from fat.degg.station.rapcal import ClockRelation, exchange

LASER_HZ = 100.0


def test_who_is_there_and_how_they_are(room: Any) -> None:
    station = room.station
    modules = list(station.modules.values())
    assert [module.port for module in modules] == [5000, 5001]
    assert modules[0].name == "DEgg2021-3-133 (degg.5000)"
    found = station.each(modules, lambda m: (m.fpga_version(), m.iceboot_version(), m.board_type()))
    assert set(found.values()) == {(272, 62, 113)}
    assert station.wire_pairs[5000].addresses() == [0, 1, 2, 3, 8]
    assert station.wire_pair_of(modules[1]) == (station.wire_pairs[5000], 1)
    told = station.wire_pairs[5000].register(1, "ICM_ID")
    assert modules[1].icm_id() == told.removeprefix("0x")
    readings = modules[0].slow_adc_all()
    assert sorted(readings) == list(range(16))
    assert readings[12] == pytest.approx(1.1, rel=0.02)
    assert modules[0].temperature() == pytest.approx(readings[7], abs=1.0)
    assert 300 < modules[0].pressure() < 1100
    assert np.linalg.norm(modules[0].acceleration()) == pytest.approx(9.8, rel=0.05)
    assert modules[0].flash_files()[-1].name.endswith(".rbf")


def test_high_voltage_needs_its_interlock(room: Any) -> None:
    module = room.station.modules[5000]
    room.station.wire_pairs[5000].permit_hv(on=False)
    with pytest.raises(MeasurementFailed, match=r"DEgg2021-3-133 \(degg.5000\).*interlock") as failed:
        room.station.each([module], lambda m: m.enable_hv(0))
    assert isinstance(failed.value.failures[module.name], ModuleRefused)


def test_waveforms_and_charge_stamps_of_light(high_voltage: Any) -> None:
    station = high_voltage.station
    module = station.modules[5000]
    for channel, truth in enumerate(high_voltage.truth(5000)["channels"]):
        assert module.read_hv(channel) == pytest.approx(truth["v0_volts"], abs=25)
    baselines = [module.baseline(channel) for channel in (0, 1)]
    station.generator.pulses(LASER_HZ)
    assert station.wheels.set(0.25, 1.0) == 0.25
    assert station.supply.feeds_laser()
    found = module.waveforms(300, thresholds=[round(level) + 600 for level in baselines])
    for channel, events in found.items():
        assert events.samples.shape == (300, 128)
        assert np.median(events.samples[:, :8]) == pytest.approx(baselines[channel], abs=2)
        gaps = np.diff(events.ticks) / 240e6 * LASER_HZ
        assert np.abs(gaps - gaps.round()).max() < 1e-3  # pulses of the laser, few of them missed
        station.wait(events.span_s)
    thresholds = {0: round(baselines[0]) + 600, 1: round(baselines[1]) + 600}
    stamps = module.charge_stamps(200, thresholds=thresholds)
    for channel, (found_stamps, events) in enumerate(zip(stamps.values(), found.values(), strict=True)):
        over = events.samples[:, 13:29] - baselines[channel]
        charge = over.sum(axis=1) * 0.075e-3 / 240e6 / 36.96 * 1e12
        assert np.median(found_stamps.charge) == pytest.approx(np.median(charge), rel=0.08)
    station.generator.off()


def test_the_tabletop_board_sees_the_laser(room: Any) -> None:
    room.station.generator.pulses(500.0)
    board = room.station.tabletop
    threshold = round(board.baseline(0)) + 2000
    stamps = board.charge_stamps(200, channels=(0,), thresholds=(threshold,))[0]
    assert np.diff(stamps.ticks) / 240e6 == pytest.approx(2e-3, rel=1e-4)
    room.station.generator.off()
    assert not room.station.generator.is_on()


def test_channels_without_events_come_back_short_and_at_once(high_voltage: Any) -> None:
    module = high_voltage.station.modules[5001]
    assert {ch: len(w) for ch, w in module.waveforms(50, thresholds=[16000, 16000]).items()} == {0: 0, 1: 0}
    stamps = module.charge_stamps(50, thresholds=[16000, 16000], patience_s=0.3)
    assert {ch: len(s) for ch, s in stamps.items()} == {0: 0, 1: 0}
    assert module.fpga_version() == 272  # and the console works on


def test_scalers_count_together(high_voltage: Any) -> None:
    station = high_voltage.station
    quarter = fir_threshold(0.25 * 3.5e-3 / 0.075e-3)
    thresholds = {module: {0: quarter, 1: quarter} for module in station.modules.values()}
    told: list[tuple[int, int]] = []
    counts = station.count_scalers(thresholds, 5, progress=lambda *done: told.append(done))
    assert told[-1] == (5, 5)
    for module, found in counts.items():
        celsius = module.temperature() - 12
        for row in found.values():
            assert row.shape == (5,)
            expected = (1350 + 4300 * np.exp((celsius - 20) / 17)) / 10
            assert 0.5 * expected < row.mean() < 2.0 * expected


def test_flasher_and_cameras(high_voltage: Any) -> None:
    module = high_voltage.station.modules[5000]
    module.flash(0x001, 0x5800)
    fixed = {"trigger": "external", "window": Window(135, 160, fixed=True), "samples": 256}
    lit: ChargeStamps = module.charge_stamps(100, channels=(0,), thresholds=(0,), **fixed)[0]
    module.flash_off()
    assert np.diff(lit.ticks) / 240e6 == pytest.approx(1e-3, rel=1e-4)
    assert np.median(lit.charge) > 20.0
    module.start_camera(2)
    picture = module.picture(2, gain=0, exposure_ms=33)
    module.stop_cameras()
    assert picture.shape == (993, 1312)
    assert 200 < np.median(picture) < 460
    with pytest.raises(ModuleRefused, match="initCamera"):
        module.console.do("3 initCamera")


def test_clocks_of_module_and_hub(room: Any) -> None:
    station = room.station
    module = station.modules[5001]
    pair, address = station.wire_pair_of(module)
    snapshot = pair.snapshot(station.wait)
    first = exchange(module, pair, address)
    ticks = [module.dom_clock()]
    station.wait(10.0)
    relation = ClockRelation.between(first, exchange(module, pair, address))
    ticks.append(module.dom_clock())
    at = relation.seconds(np.array(ticks), snapshot.ticks)
    assert at[1] - at[0] == pytest.approx(10.0, abs=6e-9)  # a tick of the module is 4.2 ns
    assert abs(relation.rate - 1) < 1e-5
    assert snapshot.unix_s >= 1767225600


def test_instruments_around(room: Any) -> None:
    station, state = room.station, room.state()
    found = station.thermometer.read()
    assert sorted(found) == [1, 2, 3, 4]
    assert found[4] == pytest.approx(20, abs=5)
    assert {sensor: round(h.percent) > 0 for sensor, h in station.humidity.read_all().items()} == {
        0: True,
        1: True,
    }
    assert station.supply.volts() == pytest.approx(12.0, abs=0.1)
    assert station.wheels.wheels[0].identity().startswith("THORLABS FW102C")
    with pytest.raises(InstrumentRefused, match="CMD_ARG_INVALID"):
        station.wheels.wheels[0].ask("pos=9")
    assert state["light"]["wheels"][0]["strength"] == station.wheels.wheels[0].strength()


def test_the_freezer_by_keys_and_by_its_chamber(room: Any, tmp_path: Path) -> None:
    station = room.station
    before = station.freezer_chamber.set_point()
    assert station.freezer_keys.change(before, -1.5) == before - 1.5
    assert station.freezer_chamber.set_point() == pytest.approx(before - 1.5, abs=0.01)
    picture = station.freezer_camera.photograph(tmp_path / "display.png")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert station.freezer_chamber.change(before - 1.5, 1.5) == before
    with pytest.raises(ValueError, match="-60"):
        station.freezer_keys.change(20, -80)


def test_a_module_that_reboots_and_one_that_is_silent(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "BOOT_TIMEOUT_S", 0.3)
    station = room.station
    module = station.modules[5001]
    module.reboot()
    assert module.fpga_version() == UNCONFIGURED
    with pytest.raises(ModuleRefused, match="sloAdcReadAll"):
        module.slow_adc_all()
    module.configure_fpga(module.flash_files()[-1].name)
    assert module.fpga_version() == 272
    module.close()
    station.wire_pairs[5000].mainboards(on=False, device=1)
    silent = Station(room.endpoints, station.wait, {5001: "DVT2020-004-0917-0804"}).modules[5001]
    with pytest.raises(ModuleSilent, match=r"DVT2020-004-0917-0804 \(degg.5001\) at tcp://.*powered"):
        silent.fpga_version()
    station.wire_pairs[5000].mainboards(on=True, device=1)


def test_bench_time_passes_on_the_main_thread_only(room: Any) -> None:
    modules = list(room.station.modules.values())
    with pytest.raises(MeasurementFailed, match="main thread"):
        Station(room.endpoints, room.station.wait).each(
            [*modules, room.station.tabletop], lambda _: room.station.wait(1.0)
        )
