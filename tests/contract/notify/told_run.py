"""Carries a run out and tells a webhook of it; killed at one of its journal writes when told so.

python told_run.py RUN_DIR URL [WRITE WHERE]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2] / "chaos"))

from scheduler_toy import JumpClock, die_at

from scheduler import Engine, SchedulerTable
from scheduler.notify.build import notifiers_of
from scheduler.notify.config import WebhookTable

if __name__ == "__main__":
    run_dir, url, *death = sys.argv[1:]
    if death:
        die_at(int(death[0]), death[1])
    table = SchedulerTable(webhook=WebhookTable(url=url, drain_s=20.0))
    people = notifiers_of(Path(run_dir), table)
    outcome = Engine(Path(run_dir), None, JumpClock(), {}, table, people.listeners).run()
    assert people.close() == []
    sys.exit(outcome.exit_code)
