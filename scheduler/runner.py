"""The engine's side of task processes: starts them through the launcher, waits on the clock for them, ends them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from scheduler.channel import Job
from scheduler.clock import Clock
from scheduler.conversation import Conversation, Ending, Limits, Observer
from scheduler.errors import LauncherLost
from scheduler.launcher import MAX_PACKET
from scheduler.wake import Wake

INTERRUPT_AGAIN_S: Final = 0.02
LAUNCH_TIMEOUT_S: Final = 120.0
"""Loading the modules to preload; compiled ones on a slow disk take long the first time."""


class Runner:
    """Runs jobs, one at a time. Use as a context manager: starts the launcher, and leaves nothing behind."""

    def __init__(
        self, clock: Clock, wake: Wake, *, lock: int, log: Path, preload: Sequence[str], stop_grace_s: float
    ) -> None:
        self._clock, self._wake = clock, wake
        self._lock, self._log = lock, log
        self._preload = list(preload)
        self._grace_s = stop_grace_s
        self._waiter = ThreadPoolExecutor(1, thread_name_prefix="clock wait")

    def __enter__(self) -> Self:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._log.parent.mkdir(exist_ok=True)
        with theirs, self._log.open("ab") as log:
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
            answer = self.hear()
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
        self._waiter.shutdown()

    def run(self, job: Job, observer: Observer, limits: Limits) -> Ending:
        """Run a job to its end. Raises LauncherLost; all else that goes wrong is an Ending."""
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                socket.send_fds(self._control, [b'{"start": true}'], [theirs.fileno()])
            pid = int(self.hear()["started"])
            conversation = Conversation(self, pid, ours, observer, limits)
            return conversation.hold(job)

    def wait_until(self, t_ns: int, then: Callable[[Future[int]], None]) -> Future[int]:
        """Wait on the clock in the waiter's thread."""
        future = self._waiter.submit(self._clock.wait_until, t_ns)
        future.add_done_callback(then)
        return future

    def now_ns(self) -> int:
        """The clock's time."""
        return self._clock.now_ns()

    def end_wait(self, waiting: Future[int]) -> None:
        """Let a wait that nobody needs any more return, so that the waiter is free."""
        while not waiting.done():  # an interrupt that comes just before the wait begins is lost
            self._clock.interrupt()
            wait([waiting], INTERRUPT_AGAIN_S)

    @property
    def control(self) -> socket.socket:
        """The line to the launcher."""
        return self._control

    @property
    def wake(self) -> Wake:
        """What wakes the engine."""
        return self._wake

    @property
    def stop_grace_s(self) -> float:
        """How long a task that is told to stop may take."""
        return self._grace_s

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Send a signal to a task's process group."""
        with contextlib.suppress(ConnectionError):
            self._control.send(json.dumps({"pid": pid, "signal": int(number)}).encode())

    def hear(self) -> dict[str, Any]:
        """The launcher's next message. Raises LauncherLost."""
        try:
            packet = self._control.recv(MAX_PACKET)
        except (TimeoutError, ConnectionError) as error:
            raise LauncherLost(f"the launcher does not answer ({error}); see {self._log}") from error
        if not packet:
            raise LauncherLost(f"the launcher has ended; see {self._log}")
        message: dict[str, Any] = json.loads(packet)
        return message
