"""Ctrl-C and SIGTERM against an engine in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scheduler import Plan, Task, Verdict, create_run, open_run, resumable
from scheduler.state import TaskStatus

HERE = Path(__file__).parent
PATIENCE_S = 60.0


def make_run(tmp_path: Path, first: str) -> Path:
    tasks = (
        Task("first", "First", f"scheduler_tasks:{first}"),
        Task("second", "Second", "scheduler_tasks:passes"),
        Task("last", "Last", "scheduler_tasks:passes", always=True),
    )
    return create_run(tmp_path, Plan("plan", tasks))


@contextmanager
def engine(run_dir: Path, grace_s: float) -> Iterator[subprocess.Popen[str]]:
    """Yield the engine's process once its first task has begun."""
    program = [sys.executable, HERE / "scheduler_interrupted.py", run_dir, str(grace_s)]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            wait_for(process, "task_note")
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], event: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line == f"{event}\n":
            return
    pytest.fail(f"the engine ended before {event}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_task_cleans_up_and_can_be_resumed(tmp_path, number):
    run_dir = make_run(tmp_path, "dawdles")
    with engine(run_dir, grace_s=10) as process:
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 75
    state = open_run(run_dir)
    assert (run_dir / "cleaned").exists()
    assert state.stop is not None
    assert state.stop.text == f"stopped by {number.name}"
    assert [task.verdict for task in state.tasks.values()] == [Verdict.ABORTED, Verdict.UNSET, Verdict.PASS]
    assert resumable(run_dir)


def test_a_second_signal_leaves_at_once(tmp_path):
    run_dir = make_run(tmp_path, "ignores_stop")
    with engine(run_dir, grace_s=500) as process:
        process.send_signal(signal.SIGINT)
        wait_for(process, "run_interrupted")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 75
    assert open_run(run_dir).tasks["last"].status is TaskStatus.PENDING
    assert resumable(run_dir)
