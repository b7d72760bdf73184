"""A run at a real terminal: questions are answered there, and Ctrl-C is asked why."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from scheduler import Plan, Task, create_run, open_run

HERE = Path(__file__).parent
PATIENCE_S = 60.0


class Screen:
    """The far end of a pseudo terminal, with the program that runs at it."""

    def __init__(self, run_dir: Path) -> None:
        self.near, far = pty.openpty()
        program = [sys.executable, HERE / "scheduler_terminal.py", run_dir]
        path = os.pathsep.join([str(HERE), str(HERE.parents[1])])
        self.process = subprocess.Popen(
            # Its own session and this its terminal, so that Ctrl-C is a character that is typed.
            ["setsid", "--ctty", "--wait", *program],
            stdin=far,
            stdout=far,
            stderr=far,
            env={**os.environ, "PYTHONPATH": path, "TERM": "xterm", "COLUMNS": "100"},
        )
        os.close(far)
        self.shown = ""

    def wait_for(self, text: str) -> None:
        """Read until it is shown; what came before is forgotten."""
        while text not in self.shown:
            assert select.select([self.near], [], [], PATIENCE_S)[0], self.shown
            with suppress(OSError):
                self.shown += os.read(self.near, 4096).decode(errors="replace")
        self.shown = self.shown.partition(text)[2]

    def type(self, text: str) -> None:
        os.write(self.near, text.encode())

    def end(self) -> int:
        """Let the program end, reading what it still shows."""
        with suppress(OSError):  # EIO: the program has closed its end
            while select.select([self.near], [], [], PATIENCE_S)[0] and os.read(self.near, 4096):
                pass
        return self.process.wait(PATIENCE_S)


@contextmanager
def at_terminal(run_dir: Path) -> Iterator[Screen]:
    screen = Screen(run_dir)
    try:
        yield screen
    finally:
        screen.process.kill()
        os.close(screen.near)
        screen.process.wait()


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return create_run(tmp_path, Plan("p", (Task("a", "A", "scheduler_tasks:asks"),)))


def test_questions_are_answered_at_the_terminal_and_a_second_no_is_asked_why(run_dir):
    with at_terminal(run_dir) as screen:
        screen.wait_for("Is the gain OK?")
        screen.wait_for("yes or no")
        screen.type("perhaps\n")
        screen.wait_for("yes or no")
        screen.type("Yes, all of it\n")
        screen.wait_for("Is the door shut?")
        screen.type("n\n")
        screen.wait_for("Once more: Is the door shut?")
        screen.type("no\n")
        screen.wait_for("Why?")
        screen.type("\n")
        screen.wait_for("Why?")
        screen.type("it is stuck\n")
        assert screen.end() == 75
    state = open_run(run_dir)
    assert state.stop is not None
    assert state.stop.text.endswith("answered no to 'Is the door shut?': it is stuck")
    assert [answer.comment for answer in state.tasks["a"].answers] == ["all of it"]


def test_ctrl_c_stops_at_once_and_asks_why_until_something_is_typed(run_dir):
    with at_terminal(run_dir) as screen:
        screen.wait_for("yes or no")
        screen.type("\x03")
        screen.wait_for("Why was the run stopped?")
        screen.type("\n")
        screen.wait_for("Why was the run stopped?")
        screen.type("smoke\n")
        assert screen.end() == 75
    state = open_run(run_dir)
    assert state.stop is not None
    assert state.stop.text == "stopped by SIGINT: smoke"


def test_a_second_ctrl_c_leaves_without_a_reason(run_dir):
    with at_terminal(run_dir) as screen:
        screen.wait_for("yes or no")
        screen.type("\x03")
        screen.wait_for("Why was the run stopped?")
        screen.type("\x03")
        assert screen.end() == 75


def test_a_terminal_that_hangs_up_stops_the_run_which_can_be_resumed(run_dir):
    screen = Screen(run_dir)
    screen.wait_for("yes or no")
    os.close(screen.near)
    assert screen.process.wait(PATIENCE_S) == 75
    state = open_run(run_dir)
    assert state.stop is not None
    assert state.stop.text == "stopped by SIGHUP"
