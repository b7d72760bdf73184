"""What a test may leave behind: threads, child processes, sockets, shared-memory segments."""

from __future__ import annotations

import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

GRACE_S = 3.0
"""A process that was told to stop may take so long to be gone."""

POLL_S = 0.2

SEGMENTS = Path("/dev/shm")
"""Where Linux shows shared-memory segments."""


NAMED_AFTER = re.compile(r"-([0-9]+)-")
"""Process id in the name of a segment."""

NAMED_AFTER_NOBODY = "sem.mp-"
"""How names of `multiprocessing`'s semaphores begin: no process can be told from them, killed ones leave them."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What exists at one moment."""

    threads: frozenset[int]
    children: frozenset[int]
    sockets: frozenset[tuple[int, str]]
    segments: frozenset[str]


def snapshot() -> Snapshot:
    """Take stock."""
    me = psutil.Process()
    return Snapshot(
        threads=frozenset(t.ident for t in threading.enumerate() if t.ident is not None),
        children=frozenset(child.pid for child in me.children(recursive=True)),
        sockets=frozenset((c.fd, str(c.laddr)) for c in me.net_connections(kind="inet")),
        segments=frozenset(p.name for p in SEGMENTS.glob("*")) if SEGMENTS.is_dir() else frozenset(),
    )


def leaked(before: Snapshot) -> list[str]:
    """What exists now and did not before, in words; empty when nothing was left."""
    for thread in threading.enumerate():
        if thread.ident not in before.threads and thread is not threading.current_thread():
            thread.join(GRACE_S)
    me = psutil.Process()
    new_children = [c for c in me.children(recursive=True) if c.pid not in before.children]
    _, alive = psutil.wait_procs(new_children, timeout=GRACE_S)
    now = snapshot()
    left = [f"thread {t.name}" for t in threading.enumerate() if t.ident not in before.threads]
    left += [f"process {c.pid} ({' '.join(c.cmdline()[:4])})" for c in alive if c.is_running()]
    left += [f"socket {address}" for _, address in now.sockets - before.sockets]
    new_segments = _ours_that_stay(now.segments - before.segments)
    left += [f"shared-memory segment {name}" for name in sorted(new_segments)]
    return left


def _ours_that_stay(names: frozenset[str]) -> frozenset[str]:
    """Segments that are still there after a while and are nobody else's.

    What is gone by then was somebody's for a moment only: semaphores of a process that has just ended outlive it until
    its tracker removes them. A name may tell that its maker is none of ours.
    """
    deadline = time.monotonic() + GRACE_S
    while True:
        names -= _mapped_by_others() if names else frozenset()
        names = frozenset(name for name in names if (SEGMENTS / name).exists() and not _made_by_others(name))
        if not names or time.monotonic() > deadline:
            return names
        time.sleep(POLL_S)


def _made_by_others(name: str) -> bool:
    """Whether a segment may be somebody else's by its name.

    A name may bear the id of a process outside our own tree, as `sem.loky-4591-l5gl554u` does. Semaphores without one
    are not held against a test while other tests run beside it: theirs are killed on purpose.
    """
    if name.startswith(NAMED_AFTER_NOBODY) and "PYTEST_XDIST_WORKER" in os.environ:
        return True
    found = NAMED_AFTER.search(name)
    if found is None or not psutil.pid_exists(int(found[1])):
        return False
    me = psutil.Process()
    return int(found[1]) not in {me.pid, *(child.pid for child in me.children(recursive=True))}


def _mapped_by_others() -> set[str]:
    """Segments that processes outside our own tree use: tests that run beside this one, a browser."""
    me = psutil.Process()
    ours = {me.pid, *(child.pid for child in me.children(recursive=True))}
    found = set()
    for pid in set(psutil.pids()) - ours:
        try:
            maps = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace")
        except OSError:  # it has ended meanwhile, or is another user's
            continue
        found |= {line.split(f"{SEGMENTS}/", 1)[1] for line in maps.splitlines() if f"{SEGMENTS}/" in line}
    return found
