"""What people ask of a running engine: files in the run's `requests/` folder, taken up in order.

A request is for the engine that runs now; what an earlier one left is thrown away when a run is taken up.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from scheduler.errors import NotRunning
from scheduler.files import replace_json
from scheduler.journal import being_written

RequestKind = Literal["pause", "continue", "abort", "skip", "move"]
FOLDER: Final = "requests"


@dataclass(frozen=True, slots=True)
class Request:
    """One wish."""

    kind: RequestKind
    by: str
    reason: str
    task: str = ""
    """Which task to skip or to move."""
    before: str = ""
    """Where to move it; empty: to the end."""


def submit(
    run_dir: Path,
    kind: RequestKind,
    *,
    by: str | None = None,
    reason: str = "",
    task: str = "",
    before: str = "",
) -> Request:
    """Ask the engine that carries out this run. Raises NotRunning if there is none.

    pause     after the running task, wait
    continue  end the pause
    abort     stop now; the run can be resumed
    skip      leave a task that has not run out
    move      run a task that has not run before another, or last
    """
    if not being_written(run_dir):
        raise NotRunning(run_dir, kind)
    folder = run_dir / FOLDER
    folder.mkdir(exist_ok=True)
    request = Request(kind, by or _login(), reason, task, before)
    replace_json(folder / f"{time.time_ns():020d}-{os.getpid()}.json", asdict(request))
    return request


def take(run_dir: Path) -> list[Request]:
    """Remove and return what was asked, oldest first. What is no request is removed too."""
    found = []
    for path in _spooled(run_dir):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            body = json.loads(path.read_text(encoding="utf-8"))
            if body["kind"] in get_args(RequestKind):
                words = (str(body[key]) for key in ("by", "reason", "task", "before"))
                found.append(Request(body["kind"], *words))
        with contextlib.suppress(OSError):
            path.unlink()
    return found


def asked(run_dir: Path) -> bool:
    """Whether anything lies there."""
    return bool(_spooled(run_dir))


def _spooled(run_dir: Path) -> list[Path]:
    try:
        names = os.listdir(run_dir / FOLDER)
    except FileNotFoundError:
        return []
    return [run_dir / FOLDER / name for name in sorted(names) if name.endswith(".json") and name[0] != "."]


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
