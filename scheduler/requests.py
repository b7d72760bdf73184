"""What people ask of a running engine: files in the run's `requests/` folder, taken up in order.

A request is for the engine that runs now; what an earlier one left is thrown away when a run is taken up.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final, Literal, get_args

from scheduler.errors import NotRunning, ReasonNeeded
from scheduler.files import replace_json
from scheduler.journal import being_written

RequestKind = Literal["pause", "continue", "abort", "skip", "move", "answer"]
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
    answer: str = ""
    """`yes` or `no` to a question."""
    question: str = ""
    """Which one: the number of the record that asked it (`Question.seq`); empty: the only one that is open."""


WORDS: Final = tuple(field.name for field in fields(Request) if field.name != "kind")


def submit(
    run_dir: Path,
    kind: RequestKind,
    *,
    by: str | None = None,
    reason: str = "",
    task: str = "",
    before: str = "",
    answer: str = "",
    question: str = "",
) -> Request:
    """Ask the engine that carries out this run. Raises NotRunning if there is none, ReasonNeeded.

    pause     after the running task, wait
    continue  end the pause
    abort     stop now, for a reason that must be told; the run can be resumed
    skip      leave a task that has not run out
    move      run a task that has not run before another, or last
    answer    say yes or no to what a task asks; a second no ends the run and needs a reason
    """
    if kind == "abort" and not reason.strip():
        raise ReasonNeeded(kind)
    if not being_written(run_dir):
        raise NotRunning(run_dir, kind)
    folder = run_dir / FOLDER
    folder.mkdir(exist_ok=True)
    request = Request(kind, by or login(), reason, task, before, answer, question)
    replace_json(folder / f"{time.time_ns():020d}-{os.getpid()}.json", asdict(request))
    return request


def take(run_dir: Path) -> list[Request]:
    """Remove and return what was asked, oldest first. What is no request is removed too."""
    found = []
    for path in _spooled(run_dir):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            body = json.loads(path.read_text(encoding="utf-8"))
            if body["kind"] in get_args(RequestKind):
                found.append(Request(body["kind"], *(str(body[word]) for word in WORDS)))
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


def login() -> str:
    """The name of the person whose process this is."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
