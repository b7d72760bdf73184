"""Executors for the correction: threads, or processes that leave Ctrl-C to their parent and end with it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context, parent_process
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def executor_of(workers: int, *, processes: bool) -> Executor:
    """So many threads or processes."""
    return WorkerProcesses(workers) if processes else ThreadPoolExecutor(workers)


class WorkerProcesses(ProcessPoolExecutor):
    """Processes that leave Ctrl-C to their parent and end when it is killed."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers, get_context("spawn"), initializer=_begin)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """As any executor's; the processes start in here.

        Ctrl-C reaches the whole process group. While a new process imports it would end there with a
        traceback, so it inherits a blocked signal. The parent hears the signal when this returns.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """In each process: end with the parent, which would not be there to take the results."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="end with parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
