"""Papers of a run whose disk was lost: put back from the copies, taken up again; and data that are gone."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from fat.degg.master.mirror import Mirror, put_back
from fat.degg.records.run_file import RunFile
from fat.degg.station.module import Module
from fat.degg.tasks import box
from fat.degg.tasks.papers import begin_once
from fat.degg.tasks.recorded import with_data
from fat.degg.tasks.spe import analyse_spe
from fat.testing.task_lab import Told
from scheduler import TaskContext
from scheduler.notify.notice import Severity
from scheduler.question import Answer


class _Board:
    port = 5000


HOUR_NS = 3600 * 10**9


@pytest.fixture
def run(tmp_path: Path) -> RunFile:
    """A run of one module."""
    pmt = {"SerialNumber": "SQ0001", "HV1e7Gain": 1391.4}
    body = {"DEggSerialNumber": "DEgg2021-3-001", "Port": 5000, "LowerPmt": pmt, "UpperPmt": pmt}
    path = tmp_path / "devices" / "5000.json"
    path.parent.mkdir()
    path.write_text(json.dumps(body))
    return RunFile.create(tmp_path / "json", "", date(2026, 3, 1), {"DEgg2021-3-001": path})


def context_of(run: RunFile, folder: Path, **more: Any) -> TaskContext:
    clock: Any = SimpleNamespace(now_ns=lambda: 12 * HOUR_NS)
    parameters = {"run_file": str(run.path)}
    context = TaskContext(folder, "t1", "t1", 1, {}, parameters, {}, {}, clock, SimpleNamespace())  # type: ignore[arg-type]
    return replace(context, **more)


def test_files_of_a_lost_disk_come_back_and_those_that_are_there_stay(run: RunFile, tmp_path: Path) -> None:
    engine, device = tmp_path / "fat" / "00001", run.devices()[0]
    (run.run_dir / "ignore.json").write_text("{}")
    assert not put_back(run.path, engine), "nothing was copied yet, and nothing is missing"
    Mirror(run.path, engine).copy()
    lost = (run.path, device.path, run.run_dir / "ignore.json")
    before = [path.read_bytes() for path in lost]
    for path in lost:
        path.unlink()
    shutil.rmtree(device.path.parent)

    assert put_back(run.path, engine)
    assert [path.read_bytes() for path in lost] == before
    device.set(0, HV1e7Gain=1400.0)
    assert not put_back(run.path, engine)
    run.path.unlink()  # killed before the last file was there
    assert put_back(run.path, engine)
    assert device.pmt(0).hv == 1400.0, "what is there is newer than its copy"


def test_an_attempt_goes_on_in_the_entry_of_the_one_before(run: RunFile, tmp_path: Path) -> None:
    device, keys = run.devices()[0], []
    for task, attempt in (("t1", 1), ("t1", 2), ("t2", 1), ("t1", 3)):
        context = context_of(run, tmp_path, task_id=task, attempt=attempt)
        with device.changes() as changes:
            keys.append(begin_once(context, changes, "STF", "cold", Set="all"))
    assert keys == ["STF_00", "STF_00", "STF_01", "STF_02"]
    assert device.body()["STF_00"] == {"Folder": "None", "Comment": "cold", "Task": "t1", "Set": "all"}


@pytest.mark.parametrize("copied_back", [True, False])
def test_data_that_are_gone_are_asked_for_and_no_verdict_on_a_module(
    run: RunFile, tmp_path: Path, copied_back: bool
) -> None:
    device, folder, asked = run.devices()[0], tmp_path / "spe" / "20260301_00", list[str]()
    for channel in (0, 1):
        key = device.begin(channel, "SpeMeasurement", "")
        device.complete(channel, key, folder, Temperature=20.0)

    class Person(Told):
        def ask(self, text: str, severity: Severity) -> Answer:
            asked.append(text)
            if copied_back:
                folder.mkdir(parents=True)
            return super().ask(text, severity)

    told = Person()
    found = with_data(context_of(run, tmp_path, reporter=told), "SpeMeasurement")
    assert len(asked) == 1
    assert str(folder) in asked[0]
    assert len(found) == (2 if copied_back else 0)
    assert len(told.notes) == (0 if copied_back else 2)
    with_data(context_of(run, tmp_path, reporter=told), "SpeMeasurement")
    assert len(asked) == (1 if copied_back else 2)
    judged = analyse_spe(context_of(run, tmp_path, reporter=told)).outputs["measurements"]
    assert len(judged) == (2 if copied_back else 0)


@pytest.mark.parametrize(
    ("off_h", "on_h", "warmth"),
    [
        (8.0, 0.0, 0.0),
        (8.0, 0.5, 7.9),
        (8.0, 4.0, 12.5),
        (0.5, 0.0, 4.6),
        (0.0, 0.0, 12.5),
        (8.0, -1.0, 12.5),
    ],
)
def test_how_warm_a_board_is_follows_from_how_long_it_was_without_power(
    run: RunFile, tmp_path: Path, off_h: float, on_h: float, warmth: float
) -> None:
    device = run.devices()[0]
    context = context_of(run, tmp_path)
    boards = {cast("Module", _Board()): -40.0}
    assert box.box_celsius(context, boards) == -52.5
    since = box.without_power(off_h, round((12.0 - on_h) * HOUR_NS))
    device.note(None, device.begin(None, box.COLD_BOOT, "coldboot"), **since)
    assert box.box_celsius(context, boards) == pytest.approx(-40.0 - warmth, abs=0.05)
