"""The machine between tasks: room on disks, memory, a clock that does not go backwards."""

from __future__ import annotations

import os
import time
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fat.degg.records import RunFile
from fat.degg.tasks import host


@pytest.fixture
def context(tmp_path: Path) -> Any:
    run = RunFile.create(tmp_path / "json", "", date(2026, 3, 1), {})
    return SimpleNamespace(run_dir=tmp_path, parameters={"run_file": str(run.path)})


def test_a_machine_with_room_is_well(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "LEAST_DISK_GB", 0.0)
    assert host.host_well(context).ok


def test_a_full_disk_little_memory_and_a_wrong_clock_stop_the_run(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "LEAST_DISK_GB", 1e9)
    assert "make room, then resume" in host.host_well(context).text
    monkeypatch.setattr(host, "LEAST_DISK_GB", 0.0)
    monkeypatch.setattr(host, "LEAST_MEMORY_GB", 1e9)
    assert "end other programs" in host.host_well(context).text
    monkeypatch.setattr(host, "LEAST_MEMORY_GB", 0.0)
    later = time.time() + 3600.0
    os.utime(context.parameters["run_file"], (later, later))
    found = host.host_well(context)
    assert not found.ok
    assert "behind the last change of" in found.text
