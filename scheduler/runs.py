"""Folders of runs: `{root}/00012/`, numbered without end, each with its journal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from scheduler.errors import JournalError, RunExists, RunNotFound
from scheduler.files import sync_folder
from scheduler.folding import fold
from scheduler.journal import Journal, create_journal, has_journal, read_journal
from scheduler.plan import Plan
from scheduler.state import RunState
from scheduler.state import resumable as state_resumable

NUMBER: Final = re.compile(r"\d{5}")
UNBORN: Final = ".unborn"


def create_run(
    root: Path, plan: Plan, *, journal: str | None = None, wall_s: Callable[[], float] = time.time
) -> Path:
    """Make the folder of a new run below *root*, with the next free number (00001 first) and its first record.

    A folder with a number always has a journal that begins: it gets its name when all in it is durable.

    journal  the database in which the journal is kept, `postgresql+psycopg://…`; None for a file in the folder

    Raises JournalRejected, JournalUnreachable, JournalUnwritable.
    """
    with unborn_run(root) as (unborn, run_dir):
        create_journal(unborn, journal)
        with Journal(unborn, wall_s) as begun:
            created = {"run": run_dir.name, "plan": plan.to_json(), "parameters": dict(plan.parameters)}
            begun.append("run_created", created, 0)
    return run_dir


@contextlib.contextmanager
def unborn_run(root: Path, name: str | None = None) -> Iterator[tuple[Path, Path]]:
    """An empty folder to fill, and the run folder that it becomes when that has worked: *name*, or the next number.

    Raises RunExists.
    """
    root.mkdir(parents=True, exist_ok=True)
    with _alone(root):
        number = max((int(run.name) for run in list_runs(root)), default=0) + 1
        unborn, run_dir = root / UNBORN, root / (name or f"{number:05d}")
        if run_dir.exists():
            raise RunExists(run_dir)
        shutil.rmtree(unborn, ignore_errors=True)
        unborn.mkdir()
        yield unborn, run_dir
        sync_folder(unborn)
        unborn.rename(run_dir)
        sync_folder(root)


def list_runs(root: Path) -> list[Path]:
    """The runs below *root*, oldest first. None if there is no such folder."""
    try:
        names = sorted(os.listdir(root))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [root / name for name in names if NUMBER.fullmatch(name)]


def open_run(run_dir: Path) -> RunState:
    """The state of a run as its journal tells it. Raises RunNotFound, JournalCorrupt."""
    return fold(read_journal(run_dir))


def open_runs(root: Path) -> Iterator[RunState]:
    """The states of the runs below *root*, oldest first, without those whose journals cannot be read."""
    for run_dir in list_runs(root):
        with contextlib.suppress(JournalError, RunNotFound):
            yield open_run(run_dir)


def resumable(run_dir: Path) -> bool:
    """Whether resuming the run could change anything. Raises RunNotFound, JournalCorrupt."""
    return state_resumable(open_run(run_dir))


def point_latest(link: Path, run_dir: Path) -> None:
    """Let the symbolic link *link* lead to *run_dir*; a reader sees the old run or the new."""
    beside = link.with_name(f".{link.name}.{os.getpid()}")
    with contextlib.suppress(FileNotFoundError):
        beside.unlink()
    beside.symlink_to(os.path.relpath(run_dir, link.parent))
    beside.replace(link)


def find_run(which: str | None, data_dir: Path | None) -> Path:
    """The run folder that a person means. Raises RunNotFound.

    which     a folder, or a number (`12`, `00012`) below `{data_dir}/fat`; None for the newest
    data_dir  the bench's data folder; without it `runs/latest` of the working folder leads to the newest
    """
    hint = "give a run folder, or a number with --data DIR, the bench's data folder"
    if which is not None and not which.isdecimal():
        found = Path(which)
    elif data_dir is not None:
        runs = list_runs(data_dir / "fat")
        if which is None and not runs:
            raise RunNotFound(data_dir / "fat", hint)
        found = runs[-1] if which is None else data_dir / "fat" / f"{int(which):05d}"
    else:
        latest = Path("runs/latest")
        found = latest if which is None else latest.resolve().parent / f"{int(which):05d}"
    if not has_journal(found):
        raise RunNotFound(found, hint)
    return found.resolve()


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Only one process at a time makes a run below *root*."""
    descriptor = os.open(root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
