"""`stellwerk fat screen`: the sessions `setup` and `master`, which outlive the terminal, with a log file for each run.

GNU screen writes its log every ten seconds and says 0 whatever its command said; so the log is flushed at once, and the
command leaves its own records. All that a session shows is in its log, so programs in it show nothing that moves.
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

import typer

from fat.degg.records.numbering import spelled
from fat.errors import BenchError, UsageError
from fat.output import LOGGED

NAMES: Final = ("setup", "master")
_TIMEOUT_S: Final = 20.0
LAST_LINES: Final = 10
"""Of the log, shown when a session has ended."""


def log_name(name: str, run: int | None) -> str:
    """`fat_run_00012.log` of a run's master session, `setup.log`."""
    return f"fat_run_{spelled(run)}.log" if run is not None else f"{name}.log"


def start(name: str, log: Path, command: Sequence[str]) -> None:
    """Start a session in the background; without a command with a shell.

    A log that is there goes on. Raises UsageError when the session is there already, BenchError without GNU screen.
    """
    if name in sessions():
        raise UsageError(
            f"a screen session {name!r} is there; attach with `screen -r {name}`, and close it there with `exit` "
            "so that the new run has a log file of its own"
        )
    log.parent.mkdir(parents=True, exist_ok=True)
    # -U: what is shown has shapes that are not ASCII, also where nothing names a locale.
    done = _screen("-U", "-L", "-Logfile", str(log), "-dmS", name, *command)
    if done.returncode != 0:
        raise BenchError(f"screen did not start: {(done.stdout + done.stderr).strip() or done.returncode}")
    # A command that has ended already has written its log and left no session to tell.
    _screen("-S", name, "-X", "logfile", "flush", "0")


def sessions() -> set[str]:
    """Names of the sessions of this account. What a killed screen has left behind is none, and is removed."""
    listed = _screen("-wipe").stdout
    return set(re.findall(r"^\s+\d+\.(\S+)(?!.*\(Removed\))", listed, re.MULTILINE))


def attach(name: str, log: Path) -> None:
    """Be the terminal of a session until it is left or ends, where there is a terminal; then tell how it stands."""
    if "STY" in os.environ or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return
    subprocess.run([_program(), "-U", "-r", name], check=False)
    if name in sessions():
        typer.echo(f"session {name} goes on; attach with `screen -r {name}`")
        return
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    typer.echo(f"session {name} has ended; the end of {log}:")
    for line in lines[-LAST_LINES:]:
        typer.echo(f"   {line}")


def shown(command: Sequence[str]) -> str:
    """A command as a person types it."""
    return shlex.join(command) or "a shell"


def _program() -> str:
    found = shutil.which("screen")
    if found is None:
        raise BenchError("GNU screen is not installed (Debian: apt install screen)")
    return found


def _screen(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [_program(), *arguments],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
        env={**os.environ, LOGGED: "1"},
    )
