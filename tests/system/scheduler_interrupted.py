"""A program that carries one run out and tells its events, to be interrupted by test_scheduler_signals.py.

python scheduler_interrupted.py RUN_DIR GRACE_S
"""

from __future__ import annotations

import sys
from pathlib import Path

from scheduler import Engine, SchedulerTable, WallClock


class Teller:
    """Prints each event."""

    def event(self, record, state):
        sys.stdout.write(f"{record.event}\n")
        sys.stdout.flush()

    def progress(self, progress):
        pass


settings = SchedulerTable(stop_grace_s=float(sys.argv[2]))
sys.exit(Engine(Path(sys.argv[1]), None, WallClock(), {}, settings, [Teller()]).run().exit_code)
