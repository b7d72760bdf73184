"""`stellwerk fat screen`: the sessions `setup` and `master`, which outlive the terminal, with a log file for each run.

GNU screen writes its log every ten seconds and says 0 whatever its command said; so the log is flushed at once, and the
command leaves its own records.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fat.degg.records.numbering import spelled
from fat.errors import BenchError, UsageError

NAMES: Final = ("setup", "master")
_TIMEOUT_S: Final = 20.0


def log_name(name: str, run: int | None) -> str:
    """`fat_run_00012.log` of a run's master session, `setup.log`."""
    return f"fat_run_{spelled(run)}.log" if run is not None else f"{name}.log"


def start(name: str, log: Path, command: Sequence[str]) -> None:
    """Start a session in the background; without a command with a shell. Raises UsageError when it is there already."""
    screen = shutil.which("screen")
    if screen is None:
        raise BenchError("GNU screen is not installed (Debian: apt install screen)")
    if name in sessions(screen):
        raise UsageError(
            f"a screen session {name!r} is there; attach with `screen -r {name}`, and close it there with `exit` "
            "so that the new run has a log file of its own"
        )
    log.parent.mkdir(parents=True, exist_ok=True)
    run = [screen, "-L", "-Logfile", str(log), "-dmS", name, *command]
    done = subprocess.run(run, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise BenchError(f"screen did not start: {(done.stdout + done.stderr).strip() or done.returncode}")
    flush = [screen, "-S", name, "-X", "logfile", "flush", "0"]
    # A command that has ended already has written its log and left no session to tell.
    subprocess.run(flush, capture_output=True, timeout=_TIMEOUT_S, check=False)


def sessions(screen: str) -> set[str]:
    """Names of the sessions of this account."""
    done = subprocess.run([screen, "-ls"], capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    return set(re.findall(r"^\s+\d+\.(\S+)", done.stdout, re.MULTILINE))


def attach(name: str) -> None:
    """Become the terminal of a session, where there is a terminal."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        os.execvp("screen", ["screen", "-r", name])


def shown(command: Sequence[str]) -> str:
    """A command as a person types it."""
    return shlex.join(command) or "a shell"
