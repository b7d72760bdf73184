"""The shifter's commands before a run, as they are typed, at a laboratory of four modules and a tabletop mainboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fat.commands import app


@pytest.fixture
def fat(room: Any, tmp_path: Path) -> Any:
    """Type a command; the room is left first: a console takes one client, and a clock waits for all."""
    endpoints = tmp_path / "endpoints.json"
    endpoints.write_text(json.dumps(room.endpoints))

    def typed(*words: str, **options: Any) -> Result:
        room.leave()
        return CliRunner().invoke(app, [*words, "--endpoints", str(endpoints)], **options)

    return typed


def test_set_up_check_and_light(fat: Any, room: Any, tmp_path: Path) -> None:
    room.station.wire_pairs[5000].permit_hv(on=False)
    done = fat("setup", "--yes", "--no-flash-interlock")
    assert done.exit_code == 0, done.output
    assert "✔  5000   4 of 4 ICMs, hub at 8" in done.output
    assert "0 of 2 DomNet starts failed" in done.output
    assert "5 modules  version 272 (0x110)" in done.output
    assert "5 of 5 modules are ready" in done.output
    ports = json.loads((tmp_path / "open_ports.json").read_text())
    assert sorted(map(int, ports)) == [5000, 5001, 5002, 5003, 10007]
    assert all("Channel 7 : " in said for said in ports.values())
    assert room.station.modules[5001].hv_interlock()
    assert not room.station.modules[5001].console.number("readFlashInterlock")

    done = fat("simple-check", "-fw", "-h", "-fg", "-t")
    assert done.exit_code == 0, done.output
    assert "; both turn" in done.output
    assert "The freezer must be on" in done.output
    assert not room.station.generator.is_on()

    told = json.loads(fat("check-laser-freq", "100", "--json").output)
    assert told["ok"]
    assert told["tries"] == [
        {"events": 1000, "inside": 999, "ok": True, "hertz": pytest.approx(100, rel=1e-4)}
    ]
    assert not room.station.generator.is_on()


def test_set_up_names_who_is_missing(
    fat: Any, room: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("fat.degg.station.console.BOOT_TIMEOUT_S", 0.3)
    room.control.switch_fault("degg.5002", "absent")
    try:
        told = json.loads(fat("setup", "--json", "--no-reboot").output)
    finally:
        room.control.switch_fault("degg.5002", "absent", on=False)
        room.station.wire_pairs[5000].probe()
    assert not told["ok"]
    assert [group["ok"] for group in told["groups"]] == [False, True]
    assert told["failed_starts"] == 1
    assert told["ports"]["5002"] is False
    assert json.loads((tmp_path / "open_ports.json").read_text())["5002"] is False


def test_set_up_does_nothing_without_a_yes(fat: Any, tmp_path: Path) -> None:
    done = fat("setup", input="n\n")
    assert done.exit_code != 0
    assert not (tmp_path / "open_ports.json").exists()


def test_an_instrument_that_is_ill_is_named(fat: Any, room: Any) -> None:
    room.control.switch_fault("lab.function_generator", "refuse_connection")
    try:
        done = fat("simple-check", "-h", "-fg")
    finally:
        room.control.switch_fault("lab.function_generator", "refuse_connection", on=False)
    assert done.exit_code == 1
    assert "✔  humidity sensors" in done.output
    assert "✘  function generator" in done.output
    assert "is it on, and" in done.output
    assert "–  filter wheels" in done.output


def test_a_wrong_rate_is_tried_twice_and_no_more(fat: Any, room: Any) -> None:
    room.control.switch_fault("lab.function_generator", "shift_frequency", relative=0.2)
    try:
        done = fat("check-laser-freq", "500", "--json")
    finally:
        room.control.switch_fault("lab.function_generator", "shift_frequency", on=False)
    assert done.exit_code == 1
    told = json.loads(done.output)
    assert [attempt["ok"] for attempt in told["tries"]] == [False, False]


def test_a_wrong_command_says_what_to_do(fat: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "0.1..100000 Hz" in str(fat("check-laser-freq", "0").exception)
    monkeypatch.chdir(tmp_path)
    found = CliRunner().invoke(app, ["simple-check"])
    assert "name its addresses with --endpoints PATH" in str(found.exception)
