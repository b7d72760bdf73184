"""Tasks of test_degg_beside.py: an analysis that begins to read when the measurement after it has ended."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
from contextlib import suppress

from fat.degg.tasks import boots, monitoring
from fat.degg.tasks.remote import trigger_remote_wrapper
from scheduler import TaskContext, TaskResult


def measured(context: TaskContext, what: str) -> TaskResult:
    """A measurement that says when it has ended."""
    if what == "bootmon":
        result = boots.bootmon(context, "reboot")
    else:
        result = getattr(monitoring, what)(context, "beside")
    (context.run_dir / f"done_{context.task_id}").touch()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender, suppress(ConnectionRefusedError):
        sender.sendto(b"done", address(context, context.task_id))  # refused: nobody waits yet, or ever
    return result


def address(context: TaskContext, task: str) -> bytes:
    """Where somebody waits for the end of a task: a name without a file, gone with who has it."""
    return b"\0" + hashlib.sha256(f"{context.run_dir} {task}".encode()).digest()


def late(context: TaskContext, analysis: str, until: str = "", dies: bool = False) -> TaskResult:
    """An analysis that waits for the end of a later measurement; the first attempt may be killed then."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as waiting:
        waiting.bind(address(context, until))
        if until and not (context.run_dir / f"done_{until}").exists():
            waiting.recv(4)
    if dies and context.attempt == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return trigger_remote_wrapper(context, analysis)
