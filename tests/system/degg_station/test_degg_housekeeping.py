"""Housekeeping tasks at a laboratory in skip mode: status, lights, power, the freezer."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from fat.degg.station import InstrumentRefused, console
from fat.degg.tasks import housekeeping
from fat.degg.tasks.status import ModulesIll


def test_a_healthy_laboratory(high_voltage: Any, desk: Any, told: Any) -> None:
    result = housekeeping.status_check(desk.context(told), verbose=True)
    assert result.outputs["responsive"] == result.outputs["modules"] == 2
    (notice,) = told.notices
    assert notice.text.splitlines()[-1] == "D-Eggs Responsive: 2 / 2"
    assert "DEgg2021-3-133 (port 5000): " in notice.text
    assert housekeeping.modules_well(desk.context(told)).text == "2 of 2 modules answer"


def test_another_firmware_is_flashed_away(room: Any, desk: Any, told: Any) -> None:
    room.control.switch_fault("degg.5001", "wrong_fpga", version=257)
    result = housekeeping.status_check(desk.context(told))
    assert result.outputs["reconfigured"] == {"DVT2020-004-0917-0804": 1}
    assert [notice.text for notice in told.notices] == [
        "DVT2020-004-0917-0804: its FPGA had another version than recorded and was reconfigured (1 try)"
    ]


def test_firmware_that_stays_wrong_stops_the_run_and_wakes_people(room: Any, desk: Any, told: Any) -> None:
    path = desk.run.device_paths()["DVT2020-004-0917-0804"]
    path.write_text(path.read_text().replace("272", "273"))
    with pytest.raises(ModulesIll, match=r"\(degg.5001\) has FPGA version 272, recorded was 273"):
        housekeeping.status_check(desk.context(told))
    assert [notice.text for notice in told.notices] == [
        "Failed to reconfigure FPGA 3 (or more) times in a row!",
        "@channel - Master Script Stopped: FPGA version mis-match during status check!",
    ]
    assert not housekeeping.modules_well(desk.context(told)).ok


def test_a_module_without_power_is_named(
    room: Any, desk: Any, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "BOOT_TIMEOUT_S", 0.3)
    room.station.wire_pairs[5000].mainboards(on=False, device=1)
    with pytest.raises(ModulesIll, match=r"DVT2020-004-0917-0804 \(degg.5001\) do not answer; power-cycle"):
        housekeeping.status_check(desk.context(told))
    assert any("does not respond" in notice.text for notice in told.notices)
    assert "Missing ports: 5001" in told.notes[0]
    told.notices.clear()
    assert housekeeping.status_check(desk.context(told), reboot=True).outputs["responsive"] == 2


def test_lights_are_off_afterwards(high_voltage: Any, desk: Any, told: Any) -> None:
    station = high_voltage.station
    station.generator.pulses(100.0)
    station.modules[5000].flash(1, 0x5000)
    housekeeping.disable_laser(desk.context(told))
    assert high_voltage.state()["light"]["why_dark"]
    housekeeping.disable_all_lights(desk.context(told))
    short = {"trigger": "external", "patience_s": 0.3}
    assert len(station.modules[5000].charge_stamps(5, channels=(0,), thresholds=(0,), **short)[0]) == 0


def test_a_laser_that_cannot_be_switched_off_is_an_error(room: Any, desk: Any, told: Any) -> None:
    room.control.switch_fault("lab.function_generator", "refuse_connection")
    context = desk.context(told)
    try:
        with pytest.raises(Exception, match=r"function generator at tcp://.*is it on, and connected"):
            housekeeping.disable_laser(context)
    finally:
        room.control.switch_fault("lab.function_generator", "refuse_connection", on=False)


def test_a_warm_reboot_brings_modules_and_high_voltage_back(
    high_voltage: Any, desk: Any, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "BOOT_TIMEOUT_S", 0.3)
    high_voltage.control.switch_fault("degg.5001", "hang_power_cycle", times=1)
    result = housekeeping.bootmon(desk.context(told), "reboot")
    assert str(result.verdict) == "PASS"
    assert "All modules successfully rebooted!" in told.notices[0].text
    assert "(degg.5001) came back at try 2" in told.notices[0].text
    entries = [desk.device(port)["RebootMonitoring_0000"] for port in (5000, 5001)]
    assert [entry["SuccessiveFailures"] for entry in entries] == [0, 1]
    assert entries[0]["Folder"] != "None"
    for port, module in high_voltage.station.modules.items():
        for channel in (0, 1):
            volts = high_voltage.truth(port)["channels"][channel]["v0_volts"]
            assert module.read_hv(channel) == pytest.approx(volts, abs=25)


def test_a_cold_start_closes_the_interlocks_again(high_voltage: Any, desk: Any, told: Any) -> None:
    before = high_voltage.clock.now_ns()
    assert str(housekeeping.bootmon(desk.context(told), "coldboot").verdict) == "PASS"
    assert (high_voltage.clock.now_ns() - before) / 1e9 > 8 * 3600
    for module in high_voltage.station.modules.values():
        assert module.hv_interlock()
        assert module.lid_interlock()
        assert module.read_hv(0) > 1000
    assert "ColdBoot_00" in "".join(desk.device(5000))


def test_the_freezer_goes_where_it_is_told_once(room: Any, desk: Any, told: Any) -> None:
    before = room.station.freezer_chamber.set_point()
    result = housekeeping.dummy_wrapper(desk.context(told), before, -1.2)
    assert result.outputs["set_point_c"] == pytest.approx(before - 1.2)
    assert told.notices[0].picture.endswith("task_0.png")
    assert (desk.folder / "surroundings" / "humidity_0.csv").read_text().count("\n") == 2
    housekeeping.dummy_wrapper(desk.context(told, attempt=2), before, -1.2)  # an attempt that was cut short
    assert room.station.freezer_chamber.set_point() == pytest.approx(before - 1.2, abs=0.01)
    assert housekeeping.dummy_wrapper(desk.context(told, freezer="chamber"), before - 1.2, 1.2)
    assert room.station.freezer_chamber.set_point() == pytest.approx(before, abs=0.01)
    with pytest.raises(InstrumentRefused):
        room.station.freezer_keys._hold("C9", True, 0.0)


def test_a_freezer_change_cut_at_its_last_key_asks_people(room: Any, desk: Any, told: Any) -> None:
    (desk.folder / "freezer.json").write_text('{"task": "task_0", "stage": "confirming"}')
    housekeeping.dummy_wrapper(desk.context(told, attempt=2), 20.0, -1.0)
    assert "does it show the new set-point?" in told.asked[0]


def test_waiting_and_reading_out(room: Any, desk: Any, told: Any) -> None:
    before = room.clock.now_ns()
    housekeeping.wait_time(desk.context(told), 900.0)
    assert room.clock.now_ns() - before == 900e9
    rows = list(csv.reader((desk.folder / "surroundings" / "temperature.csv").read_text().splitlines()))
    assert rows[0][:2] == ["Local time", "Temp Channel 1"]
    assert len(rows) == 3
    result = housekeeping.readout_and_reboot(desk.context(told), 1.0)
    assert all(count >= 1 for count in result.outputs["reconfigured"].values())
    assert (desk.folder / "readout" / "DEgg2021-3-133.csv").is_file()
