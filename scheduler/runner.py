"""The engine's side of child processes: starts them through the launcher, signals them, hears of their end."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from scheduler.errors import LauncherLost
from scheduler.launcher import MAX_PACKET

LAUNCH_TIMEOUT_S: Final = 120.0
"""Loading the modules to preload; compiled ones on a slow disk take long the first time."""

ARGUMENTS: Final = ("scheduler.converting",)
"""What fits arguments to parameters, in every task process: to have it ready takes a tenth of a second."""


class Runner:
    """Starts child processes. Use as a context manager: starts the launcher, and leaves nothing behind."""

    def __init__(self, *, lock: int, log: Path, preload: Sequence[str], grace_s: float) -> None:
        self._lock, self._log = lock, log
        self._preload = [*ARGUMENTS, *preload]
        self._grace_s = grace_s
        self._dead: list[tuple[int, int]] = []

    def __enter__(self) -> Self:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, self._open_log() as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "scheduler.launcher", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # With the journal's lock, so that no new engine starts while a task of this one still runs.
                pass_fds=[theirs.fileno(), self._lock],
                start_new_session=True,  # Ctrl-C in the terminal is for the engine alone
            )
        try:
            self._control.settimeout(LAUNCH_TIMEOUT_S)
            first = {"path": [p or os.getcwd() for p in sys.path], "preload": self._preload}
            self._control.send(json.dumps(first).encode())
            answer = self._hear()
            if "refused" in answer:
                raise LauncherLost(answer["refused"])
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control.close()
        try:
            self._process.wait(self._grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _open_log(self) -> IO[bytes]:
        try:
            self._log.parent.mkdir(exist_ok=True)
            return self._log.open("ab")
        except OSError:  # a disk that takes no log must not keep things from being cleaned up
            return open(os.devnull, "wb")

    def start(self) -> tuple[int, socket.socket]:
        """Start a child: its process id, and the line to it. Raises LauncherLost."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [b'{"start": true}'], [theirs.fileno()])
                while "started" not in (message := self._hear()):
                    self._note_death(message)
            except ConnectionError as error:
                ours.close()
                raise LauncherLost(f"the launcher has ended ({error}); see {self._log}") from error
            except LauncherLost:
                ours.close()
                raise
        return int(message["started"]), ours

    def deaths(self) -> list[tuple[int, int]]:
        """Children that have ended since the last time: process id and wait status. Raises LauncherLost."""
        while select.select([self._control], [], [], 0)[0]:
            self._note_death(self._hear())
        dead, self._dead = self._dead, []
        return dead

    def fileno(self) -> int:
        """For a selector: readable when a child has ended."""
        return self._control.fileno()

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a child's process group."""
        with contextlib.suppress(ConnectionError):
            self._control.send(json.dumps({"pid": pid, "signal": int(number)}).encode())

    def _note_death(self, message: dict[str, Any]) -> None:
        self._dead.append((int(message["ended"]), int(message["status"])))

    def _hear(self) -> dict[str, Any]:
        """The launcher's next message. Raises LauncherLost."""
        try:
            packet = self._control.recv(MAX_PACKET)
        except (TimeoutError, ConnectionError) as error:
            raise LauncherLost(f"the launcher does not answer ({error}); see {self._log}") from error
        if not packet:
            raise LauncherLost(f"the launcher has ended; see {self._log}")
        message: dict[str, Any] = json.loads(packet)
        return message
