"""A program that carries one run out with the settings of a bench file, for test_scheduler_backup_remote.py.

python scheduler_backed_up.py BENCH.toml RUN_DIR [EVENT]: it is gone at once in place of writing that event.
python scheduler_backed_up.py BENCH.toml RUN_DIR halts EVENT TASK ...: after each of these it says so, and waits for a
line.
"""

from __future__ import annotations

import os
import signal
import sys
import tomllib
from pathlib import Path
from typing import Any

from scheduler import Engine, SchedulerTable
from scheduler.journal import Journal

append = Journal.append


class StillClock:
    """The same instant for ever: nobody here waits."""

    def now_ns(self) -> int:
        return 0

    def wait_until(self, t_ns: int) -> int:
        return t_ns

    def interrupt(self) -> None:
        pass


def deadly(self: Journal, event: str, data: Any, sim_ns: int) -> Any:
    """Write it, or lose power."""
    if event in sys.argv[3:] and sys.argv[3] != "halts":
        os.kill(os.getpid(), signal.SIGKILL)
    return append(self, event, data, sim_ns)


class Halts:
    """Waits where the command line says so."""

    def event(self, entry: Any, state: Any) -> None:
        now = f"{entry.event} {entry.data.get('task', '')}"
        if now in " ".join(sys.argv[3:]):
            sys.stdout.write(f"{now}\n")
            sys.stdout.flush()
            sys.stdin.readline()

    def progress(self, progress: Any) -> None:
        pass


Journal.append = deadly  # type: ignore[method-assign]
settings = SchedulerTable.model_validate(tomllib.loads(Path(sys.argv[1]).read_text())["scheduler"])
sys.exit(Engine(Path(sys.argv[2]), None, StillClock(), {}, settings, [Halts()]).run().exit_code)
