"""The engine's loop of conversations, when what a task said last cannot be written down."""

from __future__ import annotations

import json
import signal
import socket
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from scheduler.channel import Job, pack
from scheduler.ending import Limits
from scheduler.switchboard import Switchboard
from scheduler.waits import Waits
from scheduler.wake import Wake

JOB = Job("task", "m:f", "", "a", "A", 1, {}, {}, {})


class Ends:
    """Stands in for the launcher: all that was started says its last words and ends, when it is looked for."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self.theirs: list[socket.socket] = []

    def start(self) -> tuple[int, socket.socket]:
        ours, theirs = socket.socketpair()
        self.theirs.append(theirs)
        return len(self.theirs), ours

    def deaths(self) -> list[tuple[int, int]]:
        for theirs in self.theirs:
            theirs.sendall(pack({"note": "the last"}) + pack({"result": {"verdict": "PASS"}}))
            theirs.close()
        told, self.theirs = [(number + 1, 0) for number in range(len(self.theirs))], []
        return told

    def signal(self, pid: int, number: signal.Signals) -> None:
        """They have ended."""

    def fileno(self) -> int:
        return self._control.fileno()


class Refuses:
    """An observer whose journal takes nothing."""

    def __getattr__(self, name: str) -> Any:
        def refuse(*_: object) -> None:
            raise OSError("no space left")

        return refuse


class Still:
    """A clock for nobody."""

    def now_ns(self) -> int:
        return 0

    def wait_until(self, t_ns: int) -> int:
        return t_ns

    def interrupt(self) -> None:
        """Nobody waits."""


def test_after_an_end_that_could_not_be_written_down_the_others_are_still_heard_and_nothing_is_left():
    near, far = socket.socketpair()
    with near, far, Wake() as wake:
        runner: Any = Ends(near)
        with Switchboard(runner, Waits(Still(), wake.ring), wake, 5.0) as board:
            links = [board.start(JOB, Refuses(), Limits(60.0)).link for _ in range(3)]
            wake.ring()
            with pytest.raises(OSError, match="no space left"):
                board.turn()
            for _ in range(2 * len(links)):  # the others may be heard in one turn, and end in another
                wake.ring()
                with suppress(OSError):
                    board.turn()
            assert len(board) == 0
            assert all(link.fileno() == -1 for link in links)
            wake.ring()
            assert board.turn() == []


def test_what_earlier_tasks_found_stays_with_the_engine_until_a_task_looks() -> None:
    job = replace(JOB, results=lambda: pytest.fail("nobody has looked"))
    assert Job.from_json(json.loads(pack({"job": job.to_json()}))["job"]).results() == {}
