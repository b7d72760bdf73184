"""A program that carries one run out at its terminal, as `stellwerk fat run` does, for test_scheduler_terminal.py.

python scheduler_terminal.py RUN_DIR
"""

from __future__ import annotations

import sys
from pathlib import Path

from fat.acceptance.display import Display
from scheduler import Engine, SchedulerTable, WallClock

with Display() as display:
    engine = Engine(
        Path(sys.argv[1]), None, WallClock(), {}, SchedulerTable(), [display], (), display.keyboard()
    )
    outcome = engine.run()
sys.exit(outcome.exit_code)
