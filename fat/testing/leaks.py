"""What a test may leave behind: threads, child processes, sockets, shared-memory segments."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import psutil

GRACE_S = 3.0
"""A process that was told to stop may take so long to be gone."""


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
        segments=frozenset(p.name for p in Path("/dev/shm").glob("*"))
        if Path("/dev/shm").is_dir()
        else frozenset(),
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
    left += [f"shared-memory segment {name}" for name in now.segments - before.segments]
    return left
