"""Run and device files: numbers, several writers at once, and what is a module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from datetime import date
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fat.degg.records import DeviceFile, RunFile, data_folder
from fat.degg.records.completeness import Found, completeness
from fat.degg.records.locked_json import (
    NotSerialisable,
    RecordUnreadable,
    edited,
    read_json,
    shared_json,
    update_json,
    write_json,
)
from fat.degg.records.numbering import create_key, keys_of, next_run_number, number_of

NAMES = st.sampled_from(["GainMeasurement", "Gain", "STF", "OnlineMon", "Gain_00", "DoublePulse"])
SERIALS = st.builds(
    "{}{}".format,
    st.sampled_from(["DEgg2021-3-", "DVT2020-004-", "MasterFAT-", "ManualInput", "comment-", "date", "X"]),
    st.integers(0, 99_999),
)


@given(NAMES, st.sets(st.integers(0, 130), max_size=12), st.lists(st.text(max_size=12), max_size=4))
def test_a_new_key_is_the_first_free_number_of_its_name(
    name: str, taken: set[int], others: list[str]
) -> None:
    entries = {f"{name}_{number:02d}": {} for number in taken} | {f"{other}x": 1 for other in others}
    key = create_key(entries, name)
    number = number_of(key, name)
    assert number == min(set(range(131)) - taken)
    assert key not in entries
    assert len(key) - len(name) - 1 == max(4 if name == "OnlineMon" else 2, len(str(number)))
    assert [number_of(k, name) for k in keys_of(entries, name)] == sorted(taken)


@settings(max_examples=8)
@given(st.sets(st.integers(1, 123_456), max_size=4))
def test_a_new_run_has_one_more_than_the_highest_number(runs: set[int]) -> None:
    with tempfile.TemporaryDirectory() as made:
        run_dir = Path(made)
        for number in runs:
            write_json(run_dir / "run" / f"run_{number:05d}.json", {})
        (run_dir / "run").mkdir(exist_ok=True)
        (run_dir / "run" / "run_x.json").touch()
        assert next_run_number(run_dir) == max(runs, default=0) + 1


@settings(max_examples=15)
@given(
    st.sets(SERIALS, max_size=3),
    st.lists(st.integers(0, 12_000), max_size=3),
    st.lists(st.integers(0, 12_000), max_size=3),
    st.text(max_size=10),
)
def test_modules_are_told_from_bookkeeping(
    serials: set[str], launches: list[int], inputs: list[int], words: str
) -> None:
    with tempfile.TemporaryDirectory() as made:
        run_dir = Path(made)
        devices = {serial: run_dir / "run_00001" / f"{serial}.json" for serial in serials}
        run = RunFile.create(run_dir, f"{words}.json", date(2026, 3, 1), devices)
        told = {f"MasterFAT_{n:02d}": {"[0] a": -1} for n in launches}
        told |= {f"ManualInputTime{n}": f"{words}.json" for n in inputs}
        update_json(run.path, {**told, "RunTerminated": "see notes.json"})
        assert run.device_paths() == devices
        assert run.launches().keys() == {f"MasterFAT_{n:02d}" for n in launches}
        assert run.manual_input("now") == f"ManualInputTime{max(inputs, default=-1) + 1}"
        assert run.device_paths() == devices


WRITER = """
import sys
from pathlib import Path
from fat.degg.records import DeviceFile, RunFile
run, device, me = RunFile.open(sys.argv[1]), DeviceFile.open(Path(sys.argv[2])), sys.argv[3]
for number in range(12):
    device.begin(number % 2, "GainMeasurement", me)
    run.begin_launch({"Date": me})
"""


def test_processes_that_write_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    run, (device,) = a_run(tmp_path, 1)
    command = [sys.executable, "-c", WRITER, str(run.path), str(device.path)]
    writers = [subprocess.Popen([*command, name]) for name in "abc"]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert [len(keys_of(device.pmt(channel).entries, "GainMeasurement")) for channel in (0, 1)] == [18, 18]
    assert sorted(entry["Date"] for entry in run.launches().values()) == sorted("abc" * 12)


def test_what_is_no_json_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"kept": 1})
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    bad = (
        {"x": {1, 2}},
        {"x": float("nan")},
        {"x": {1: 2}},
        {"x": [{"y": {None: 1}}]},
        {"x": b"y"},
        {"x": deep},
    )
    for wrong in bad:
        with pytest.raises(NotSerialisable, match=r"a\.json"):
            update_json(path, wrong)
    with pytest.raises(KeyError), edited(path) as body:
        body["half"] = body["not there"]
    assert path.read_text() == '{\n    "kept": 1\n}\n'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_what_is_written_is_read_again_here_and_by_the_json_of_everybody(body: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "a.json"
        write_json(path, body)
        text = path.read_bytes()
        assert read_json(path) == body == json.loads(text)
        assert text.isascii()


def test_a_file_is_parsed_once_for_each_content_and_is_always_the_present_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"n": 0})
    os.utime(path, (1, 1))
    first = shared_json(path)
    assert shared_json(path) is first
    for number in range(1, 30):  # replaced as fast as it goes, with the same size or another
        write_json(path, {"n": number})
        assert shared_json(path) == {"n": number}
    path.write_text('{"n": "written to, not replaced"}')
    assert shared_json(path) == {"n": "written to, not replaced"}
    assert first == {"n": 0}
    path.unlink()
    with pytest.raises(RecordUnreadable, match="no such file"):
        shared_json(path)


def test_changes_of_a_module_are_seen_at_once_and_what_was_read_before_stays_as_it_was(
    tmp_path: Path,
) -> None:
    _, (device,) = a_run(tmp_path, 1)
    first = device.begin(0, "GainMeasurement", "first", Events=0)
    read, was = device.body(), json.loads(device.path.read_text())
    for number in range(5):
        key = device.begin(0, "GainMeasurement", "more", Events=number)
        device.note(0, first, Pair=(number, 2.5))
        device.complete(0, key, tmp_path, Gain=1e7)
        device.set(1, HV1e7Gain=number)
        assert device.body() == json.loads(device.path.read_text())
    assert device.pmt(0).entries[first]["Pair"] == [4, 2.5]
    assert read == was
    device.path.write_text(json.dumps({**device.body(), "Port": 1, "Foreign": "tool"}))
    device.set(None, Port=2)
    assert (device.body()["Foreign"], device.body()["Port"]) == ("tool", 2)


@pytest.mark.parametrize(
    "wrong", [float("nan"), {1, 2}, {1: 2}, b"x", [[0.5, float("inf")]], {"y": {None: 1}}]
)
def test_a_measurement_that_is_no_json_leaves_the_module_as_it_was(tmp_path: Path, wrong: object) -> None:
    _, (device,) = a_run(tmp_path, 1)
    key = device.begin(1, "STF", "")
    text = device.path.read_bytes()
    for change in (
        partial(device.begin, 1, "STF", ""),
        partial(device.note, 1, key),
        partial(device.set, None),
    ):
        with pytest.raises(NotSerialisable, match=device.path.name):
            change(Wrong=wrong)
    assert device.path.read_bytes() == text
    assert "Wrong" not in {**device.body(), **device.pmt(1).entries, **device.pmt(1).entries[key]}


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff{}", b"[" * 100_000])
def test_an_unreadable_file_is_an_error_that_names_it_and_stays(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(damage)
    for attempt in (lambda: read_json(path), lambda: update_json(path, {"x": 1})):
        with pytest.raises(RecordUnreadable, match=r"a\.json"):
            attempt()
    assert path.read_bytes() == damage
    with pytest.raises(RecordUnreadable, match="no such file"):
        read_json(tmp_path / "b.json")


def test_a_measurement_has_its_folder_only_when_it_has_worked(tmp_path: Path) -> None:
    run, (device, ignored) = a_run(tmp_path, 2)
    (run.run_dir / "ignore.json").write_text(json.dumps({ignored.serial: "broken base"}))
    device, ignored = run.devices()
    assert (device.ignored, ignored.ignored) == (False, True)
    key = device.begin(1, "GainMeasurement", "cold", mode="scan")
    assert key == "GainMeasurement_00"
    assert device.latest(1, "GainMeasurement") == (key, {"Folder": "None", "Comment": "cold", "mode": "scan"})
    folder = data_folder(run.data_dir, "gain", date(2026, 3, 1))
    assert folder == tmp_path / "data" / "gain" / "20260301_00"
    assert data_folder(run.data_dir, "gain", date(2026, 3, 1)).name == "20260301_01"
    device.complete(1, key, folder, HV1e7Gain=1412.5)
    assert device.pmt(1).entries[key]["Folder"] == str(folder)
    assert ignored.latest(0, ignored.begin(0, "Gain", "")[:-3])[1]["Ignored"] == "True"  # type: ignore[index]
    assert (device.pmt(0).hv_1e7, device.pmt(0).hv) == (None, 1500.0)
    device.set(0, HV1e7Gain=1391.4)
    assert (device.pmt(0).hv_1e7, device.pmt(0).hv) == (1391.4, 1391.0)
    with pytest.raises(RecordUnreadable, match="never begun"):
        device.complete(0, "GainMeasurement_07", folder)


def test_completeness_tells_what_a_finished_run_lacks(tmp_path: Path) -> None:
    run, (device,) = a_run(tmp_path, 1)
    device.complete(0, device.begin(0, "GainMeasurement", ""), tmp_path)
    device.begin(0, "GainMeasurement", "again")  # the last one counts
    device.complete(1, device.begin(1, "GainMeasurement", ""), tmp_path / "gone")
    device.complete(None, device.begin(None, "camera_darknoise", ""), tmp_path)
    found = completeness(run, ["GainMeasurement", "FlasherCheck"])
    assert {(line.part, line.name): line.found for line in found.lines} == {
        ("LowerPmt", "GainMeasurement"): Found.NO_FOLDER,
        ("LowerPmt", "FlasherCheck"): Found.NO_MEASUREMENT,
        ("UpperPmt", "GainMeasurement"): Found.BAD_PATH,
        ("", "camera_darknoise"): Found.PASS,
        ("", "camera_pattern"): Found.NO_MEASUREMENT,
    }
    assert (found.good, found.missing_results, found.missing_measurements) == (1, 2, 2)


def a_run(root: Path, modules: int) -> tuple[RunFile, list[DeviceFile]]:
    folder = root / "json" / "run_00001"
    paths = {}
    for number in range(modules):
        serial = f"DEgg2021-3-{100 + number}"
        pmts = {
            part: {"SerialNumber": f"SQ{number:04d}", "HV1e7Gain": -1} for part in ("LowerPmt", "UpperPmt")
        }
        paths[serial] = folder / f"{serial}.json"
        write_json(paths[serial], {"DEggSerialNumber": serial, "Port": 5000 + number, **pmts})
    run = RunFile.create(root / "json", "a test", date(2026, 3, 1), paths)
    return run, run.devices()
