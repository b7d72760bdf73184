"""Power that fails, and a full disk, under a run's journal: nothing acknowledged is lost, nothing is invented."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def write_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C compiler here: the package g++ (Debian)")
    made = tmp_path_factory.mktemp("write_log") / "write_log.so"
    source = HERE / "write_log.c"
    subprocess.run([compiler, "-x", "c", "-shared", "-fPIC", "-O1", source, "-o", made, "-ldl"], check=True)
    return made


def write(write_log: Path, root: Path, log: Path, *arguments: str) -> str:
    """Let a run be made below *root*, every call written down in *log*; returns what the writer says."""
    root.mkdir()
    added = {"LD_PRELOAD": write_log, "WRITE_LOG_FOLDER": root, "WRITE_LOG": log}
    environment = {**os.environ, **{name: str(value) for name, value in added.items()}}
    command = [sys.executable, HERE / "power_writer.py", root, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def losses(root: Path, log: Path, *enough: str) -> list[str]:
    command = [sys.executable, HERE / "power_failures.py", root, log, *enough]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def test_power_may_fail_at_any_moment(write_log, tmp_path):
    write(write_log, tmp_path / "root", tmp_path / "log", "power")
    assert losses(tmp_path / "root", tmp_path / "log") == []


def test_the_judge_notices_a_journal_that_is_not_synchronised(write_log, tmp_path):
    write(write_log, tmp_path / "root", tmp_path / "log", "power", "synchronous=OFF")
    assert len(losses(tmp_path / "root", tmp_path / "log", "10")) == 10


def test_a_full_disk_is_told_nothing_is_half_written_and_with_room_again_the_run_goes_on(write_log, tmp_path):
    told = write(write_log, tmp_path / "root", tmp_path / "log", "full").splitlines()
    assert len(told) == 3
    assert all("make it writable, then resume the run" in line for line in told)
    assert "disk is full" in told[-1]
