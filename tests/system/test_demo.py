"""The demonstration, whole: it passes, stays within its bounds, survives being killed, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from fat.record import comparable
from scheduler import read_journal, read_live

DEMO = [sys.executable, "-m", "fat", "demo"]
RESUME = [sys.executable, "-m", "fat", "fat", "resume"]
PATIENCE_S = 120.0
MAX_BYTES = 2_000_000_000
MAX_MEMORY_BYTES = 3_000_000_000

pytestmark = pytest.mark.timeout(600)


@contextmanager
def watched_memory(pid: int) -> Iterator[list[int]]:
    """The most memory (proportional set size) of a process with all its children, while the block runs."""
    peak, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(1):  # asking so many processes for theirs is work for the kernel
            try:
                processes = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
                peak[0] = max(peak[0], sum(p.memory_full_info().pss for p in processes))
            except psutil.Error:
                continue

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def wait_for(folder: Path, task: str, done: float) -> None:
    """Until a task has come so far, as its live file tells."""
    pause = threading.Event()
    for _ in range(round(PATIENCE_S / 0.02)):
        latest = folder / "runs/latest"
        progress = read_live(latest) if latest.exists() else None
        if progress is not None and progress.task == task and progress.done >= done:
            return
        pause.wait(0.02)
    pytest.fail(f"{task} did not come to {done}")


def of_bench(folder: Path) -> list[psutil.Process]:
    """Processes that work in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def assert_nothing_left(folder: Path) -> None:
    _, alive = psutil.wait_procs(of_bench(folder), timeout=60)
    assert not alive
    assert not (folder / "runs/demo/bench.json").exists()


def record_of(folder: Path) -> dict[str, Any]:
    return comparable(json.loads((folder / "runs/latest/record.json").read_text()))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    folder = tmp_path_factory.mktemp("demo")
    with (
        subprocess.Popen(DEMO, cwd=folder, stdout=subprocess.PIPE, text=True) as demo,
        watched_memory(demo.pid) as peak,
    ):
        output, _ = demo.communicate(timeout=PATIENCE_S * 3)
    assert demo.returncode == 0, output
    return folder, peak[0]


def test_the_demonstration_passes_within_its_bounds(undisturbed: tuple[Path, int]) -> None:
    folder, peak = undisturbed
    record = json.loads((folder / "runs/latest/record.json").read_text())
    assert record["verdict"] == "PASS"
    assert {m["verdict"] for _, m in record["measurements"]} == {"PASS"}
    files = [path for path in (folder / "runs").rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < MAX_BYTES
    assert 0 < peak < MAX_MEMORY_BYTES
    assert (folder / "runs/latest/report.html").is_file()


def test_the_demonstration_tells_slack(undisturbed: tuple[Path, int]) -> None:
    folder, _ = undisturbed
    told = (folder / "runs/demo/transcripts/slack.txt").read_text()
    assert "Executing demo - time is now: " in told
    assert "-- Current run: 00001" in told
    assert "All tasks in schedule completed successfully" in told


def test_the_demonstration_leaves_nothing_behind(undisturbed: tuple[Path, int]) -> None:
    assert_nothing_left(undisturbed[0])


# In the suite it is the miniature that is killed (tests/chaos/test_fat_kill.py): it takes a quarter of the time.
@pytest.mark.thorough
@pytest.mark.parametrize(
    "instants", [(("light", 6),), (("dark_medium", 5), ("light", 6))], ids=["once", "twice"]
)
def test_killed_at_any_instant_the_record_is_the_same(
    undisturbed: tuple[Path, int], tmp_path: Path, instants: tuple[tuple[str, int], ...]
) -> None:
    command = DEMO
    for task, done in instants:
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as run:
            wait_for(tmp_path, task, done)
            os.kill(run.pid, signal.SIGKILL)
        command = RESUME
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    attempts = [r for r in read_journal(tmp_path / "runs/latest") if r.event == "run_started"]
    assert len(attempts) == 1 + len(instants)
    assert record_of(tmp_path) == record_of(undisturbed[0])
    assert_nothing_left(tmp_path)
