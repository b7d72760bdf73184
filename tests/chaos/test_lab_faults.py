"""Every fault of every part of a laboratory is seen: those that all lines have here, at each line; the others where the
table says. None is left out."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fat.bench.client import ControlClient
from fat.bench.owned import OwnedBench
from fat.testing.handles import Faults
from fat.testing.small_bench import write_bench_file
from sim.lab.kind import parts
from sim.lab.lines import LINK_FAULTS
from sim.lab.table import LabTable

TESTS = Path(__file__).parent.parent
SEEN_BY: dict[tuple[str, str], str] = {
    ("trip_output", "function_generator"): "test_an_output_that_trips_does_so_at_once_and_again",
    ("shift_frequency", "function_generator"): "test_a_shifted_frequency_is_not_read_back",
    ("lose_bus", "gpib"): "test_the_cable_of_the_bus",
    ("trip_output", "power_supply"): "test_an_output_that_trips_does_so_at_once_and_again",
    ("sag_output", "power_supply"): "test_a_sagging_supply_is_measured_and_takes_the_light",
    ("freeze_value", "power_supply"): "test_readings_freeze_and_drift",
    ("drift_value", "power_supply"): "test_readings_freeze_and_drift",
    ("miss_sync", "laser"): "test_without_its_cable_there_is_light_and_no_sync",
    ("stuck_wheel", "filter_wheel"): "test_a_stuck_wheel_says_where_it_is",
    ("lose_position", "filter_wheel"): "test_a_wheel_that_slips_shows_other_glass_than_it_tells",
    ("restart_wheel", "filter_wheel"): "test_a_wheel_that_restarts_has_the_settings_last_saved",
    ("miss_probe", "thermometer"): "test_a_missing_probe_is_not_sent",
    ("show_fahrenheit", "thermometer"): "test_fahrenheit_by_option_or_by_somebodys_finger",
    ("freeze_value", "thermometer"): "test_values_freeze_and_drift",
    ("drift_value", "thermometer"): "test_values_freeze_and_drift",
    ("freeze_value", "humidity"): "test_values_freeze_and_drift",
    ("drift_value", "humidity"): "test_values_freeze_and_drift",
    ("lose_sensor", "humidity"): "test_a_lost_sensors_folder_is_gone_at_once_and_comes_back",
    ("miss_hasty_writes", "chamber"): "test_hasty_messages_are_taken_unless_the_fault_is_on",
    ("freeze_value", "chamber"): "test_a_frozen_and_a_drifting_reading",
    ("drift_value", "chamber"): "test_a_frozen_and_a_drifting_reading",
    ("freeze_value", "lake_shore"): "test_a_frozen_and_a_drifting_reading",
    ("drift_value", "lake_shore"): "test_a_frozen_and_a_drifting_reading",
    ("lose_key_press", "freezer_pins"): "test_lost_presses",
    **{
        (fault, "freezer_camera"): "test_a_frozen_a_dark_and_a_half_picture"
        for fault in ("freeze_picture", "dark_picture", "half_picture", "picture_late")
    },
    ("open_freezer", "freezer"): "test_the_door_and_the_compressor",
    ("stop_compressor", "freezer"): "test_the_door_and_the_compressor",
    ("dead_fibre", "degg"): "test_a_dead_fibre_gives_no_light_to_one_photomultiplier",
    ("dead_led", "degg"): "test_each_led_is_brighter_with_more_bias_and_a_dead_one_is_dark",
    ("wrong_fpga", "degg"): "test_a_status_check_flashes_again",
    ("unconfigured_fpga", "degg"): "test_a_status_check_flashes_again",
    ("refuse_configuration", "degg"): "test_a_status_check_flashes_again",
    ("time_out", "degg"): "test_a_module_that_does_not_respond",
    ("hang_power_cycle", "degg"): "test_a_power_cycle_and_one_that_hangs",
    ("trip_hv", "degg"): "test_high_voltage_ramps_trips_and_fluctuates",
    ("noisy_hv", "degg"): "test_high_voltage_ramps_trips_and_fluctuates",
    ("high_dark_rate", "degg"): "test_a_fault_raises_the_rate_of_one_photomultiplier",
    ("absent", "degg"): "test_absent_module",
    ("lose_gps_lock", "icm"): "test_lost_lock",
    ("miscount_errors", "icm"): "test_counted_errors_grow_until_they_are_cleared",
    ("miss_rapcal_pulse", "icm"): "test_a_missed_pulse_is_a_header_without_a_packet",
}
"""Fault and family of parts: the test that sees it."""


@dataclass(frozen=True)
class Question:
    """Something that a line is asked, how its answer begins and ends."""

    asked: bytes
    begins: bytes
    ends: bytes


WHEEL = Question(b"*idn?\r", b"*idn?\rTHORLABS", b"> ")
CONSOLE = Question(b"icmID\r\n", b"icmID\r\n0x", b"\r\n> ")
HUB = Question(json.dumps({"command": "get_gps_status"}).encode(), b'{"status": "OK"', b"}")
LINES: dict[str, Question] = {
    "lab.function_generator": Question(b"*IDN?\n", b"TEKTRONIX", b"\n"),
    "lab.gpib": Question(b"++ver\n", b"Prologix", b"\n"),
    "lab.power_supply": Question(b"*IDN?\n", b"HEWLETT", b"\n"),
    "lab.power_supply_serial": Question(b"*IDN?\n", b"HEWLETT", b"\n"),
    "lab.filter_wheel_0": WHEEL,
    "lab.filter_wheel_1": WHEEL,
    "lab.chamber": Question(b"IDEN?\n", b"3800", b"\n"),
    "lab.lake_shore": Question(b"*IDN?\n", b"LSCI", b"\n"),
    "lab.freezer_pins": Question(b"C0?\n", b"C0 1", b"\n"),
    "degg.5000": CONSOLE,
    "degg.10007": CONSOLE,
    "icm.6000": HUB,
    "icm.11000": HUB,
}
STREAMING = "lab.thermometer"
"""Sends by itself, asked or not: it cannot be asked as the others. Its line is the same as the filter wheels'."""
LATE_S = 0.3
SILENCE_S = 0.15


def family(part: str) -> str:
    """`filter_wheel` for both wheels, `degg` for all modules."""
    return part.rpartition("_")[0] if part.startswith("filter_wheel_") else part.partition(".")[0]


def test_the_table_names_every_fault_and_leaves_none_out() -> None:
    everywhere = {spec.name for spec in LINK_FAULTS}
    all_faults = {(spec.name, family(part)) for part, specs in parts(LabTable()).items() for spec in specs}
    assert {pair for pair in all_faults if pair[0] not in everywhere} == set(SEEN_BY)


def test_every_line_has_the_faults_of_lines_and_is_met_below() -> None:
    everywhere = {spec.name for spec in LINK_FAULTS}
    table = LabTable.model_validate({"modules": {"count": 1}})
    with_lines = {
        name if "." in name else f"lab.{name}"
        for name, specs in parts(table).items()
        if everywhere & {spec.name for spec in specs}
    }
    assert with_lines == {*LINES, STREAMING}
    for name, specs in parts(table).items():
        own = everywhere & {spec.name for spec in specs}
        assert own in (set(), everywhere), name


@pytest.fixture(scope="module")
def sources() -> dict[str, list[str]]:
    """Files with a test of that name."""
    found: dict[str, list[str]] = {}
    for path in [*TESTS.rglob("test_*lab*.py"), *TESTS.rglob("test_*degg*.py")]:
        source = path.read_text(encoding="utf-8")
        for name in re.findall(r"^(?:async )?def (test_\w+)", source, re.MULTILINE):
            found.setdefault(name, []).append(source)
    return found


@pytest.mark.parametrize(("fault", "of"), SEEN_BY, ids=["-".join(pair) for pair in SEEN_BY])
def test_the_test_that_sees_a_fault_exists_and_speaks_of_it(
    fault: str, of: str, sources: dict[str, list[str]]
) -> None:
    files = sources.get(SEEN_BY[fault, of], [])
    assert any(f'"{fault}"' in source for source in files)


@dataclass
class Laboratory:
    """One laboratory for all lines: each fault leaves it usable, which is half of what is tested."""

    endpoints: dict[str, Any]
    faults: Faults


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laboratory]:
    folder = tmp_path_factory.mktemp("lab")
    table = "modules = { count = 1 }"
    path = write_bench_file(folder, ["lab"], mode="manual", receiver_port=None, lab_table=table)
    with OwnedBench(path, data_dir=folder / "data", log=folder / "bench.log") as bench:
        control = ControlClient(bench.endpoints["control"], bench.token)
        yield Laboratory(bench.endpoints, Faults(control))
        control.close()


@pytest.mark.parametrize("part", LINES)
def test_a_line_obeys_the_faults_of_lines_and_works_afterwards(
    part: str, laboratory: Laboratory, lab_lines: Any
) -> None:
    question, faults = LINES[part], laboratory.faults
    address = laboratory.endpoints[part]
    make: Callable[[str], Any] = lab_lines.Requests if part.startswith("icm.") else lab_lines.line

    def ask(timeout_s: float = lab_lines.PATIENCE_S) -> bytes:
        with make(address) as line:
            return bytes(line.ask(question.asked, question.ends, timeout_s, question.begins))

    whole = ask()
    assert question.begins in whole

    faults.on(part, "stay_silent")
    assert ask(SILENCE_S) == b""
    faults.off(part, "stay_silent")

    faults.on(part, "answer_late", delay_s=LATE_S)
    with make(address) as line:
        assert line.ask(question.asked, question.ends, LATE_S / 3, question.begins) == b""
        assert question.begins in line.ask(b"", question.ends, begin=question.begins)
    faults.off(part, "answer_late")

    faults.on(part, "answer_half")
    half = ask(SILENCE_S)
    assert len(half) > 0
    assert whole not in half
    faults.off(part, "answer_half")

    faults.on(part, "answer_garbage")
    assert question.begins not in ask(SILENCE_S)
    faults.off(part, "answer_garbage")
    assert question.begins in ask()

    faults.on(part, "drop_connection", times=1)
    assert ask(SILENCE_S) == b""
    while not reaches(ask):  # a serial port that hung up is there again in a moment
        pass
    assert question.begins in ask()

    faults.on(part, "refuse_connection")
    assert not reaches(ask)
    faults.off(part, "refuse_connection")
    while not reaches(ask):  # a port that is bound again
        pass
    assert set(faults.struck(part)) >= {spec.name for spec in LINK_FAULTS}


def reaches(ask: Callable[[float], bytes]) -> bool:
    """Whether somebody answers at all."""
    try:
        return ask(SILENCE_S) != b""
    except OSError:
        return False
