"""Stopping an acceptance run by Ctrl-C, and going on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil

from fat.configs import shipped_bench
from scheduler import read_live

FAT = [sys.executable, "-m", "fat", "fat"]


def wait_for_task(folder: Path, task: str) -> None:
    pause = threading.Event()
    for _ in range(3000):
        latest = folder / "runs/latest"
        progress = read_live(latest) if latest.exists() else None
        if progress is not None and progress.task == task:
            return
        pause.wait(0.02)
    raise AssertionError(f"{task} never began")


def test_ctrl_c_exits_75_and_resume_finishes(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*FAT, "run", shipped_bench("mini")],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as run:
        wait_for_task(tmp_path, "dark_medium")
        os.killpg(run.pid, signal.SIGINT)  # a terminal's Ctrl-C reaches the whole group
        output, _ = run.communicate(timeout=300)
    assert run.returncode == 75, output
    assert "stellwerk fat resume" in output

    resumed = subprocess.run(
        [*FAT, "resume", "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert json.loads(resumed.stdout)["verdict"] == "PASS"

    recover = [*FAT, "run", shipped_bench("mini"), "--recover"]
    again = subprocess.run(recover, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert again.returncode == 0
    assert "nothing is left to do" in again.stdout

    mine = [p for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(tmp_path)]
    assert not psutil.wait_procs(mine, timeout=300)[1]


def test_resume_without_any_run_says_so(tmp_path: Path) -> None:
    nothing = subprocess.run([*FAT, "resume"], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert nothing.returncode == 2
    assert "Traceback" not in nothing.stderr
    assert "runs/latest" in nothing.stderr
