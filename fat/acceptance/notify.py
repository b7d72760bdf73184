"""Whom an acceptance run tells, and by what."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from scheduler import SchedulerTable
from scheduler.notify.build import Address, Notifiers, notifiers_of

SIMULATED_TOKEN: Final = "xoxb-simulated"
"""Enough for the bench's own Slack, which keeps no secrets."""


def notifiers(settings: SchedulerTable, run_dir: Path, endpoints: Mapping[str, Any]) -> Notifiers:
    """The ways to people that the bench file names; Slack is the bench's own where it has one and names no other."""
    own = None
    if "slack" in endpoints:
        token = os.environ.get(settings.slack.token_variable) or SIMULATED_TOKEN
        own = Address(str(endpoints["slack"]), token)
    return notifiers_of(run_dir, settings, own)
