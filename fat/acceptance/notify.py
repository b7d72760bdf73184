"""Whom an acceptance run tells, and by what."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from scheduler import SchedulerTable
from scheduler.notify.build import Address, Notifiers, notifiers_of
from scheduler.notify.notice import Notice, Severity
from scheduler.notify.outside import tell_outside

SIMULATED_TOKEN: Final = "xoxb-simulated"
"""Enough for the bench's own Slack, which keeps no secrets."""


def notifiers(settings: SchedulerTable, run_dir: Path, endpoints: Mapping[str, Any]) -> Notifiers:
    """The ways to people that the bench file names; Slack is the bench's own where it has one and names no other."""
    return notifiers_of(run_dir, settings, _own_slack(settings, endpoints))


def warn_outside(
    settings: SchedulerTable, folder: Path, endpoints: Mapping[str, Any], texts: Sequence[str]
) -> list[str]:
    """Warn people of what is in no run. Returns sentences about who was not told."""
    notices = [Notice(Severity.WARNING, text) for text in texts]
    return tell_outside(folder, settings, _own_slack(settings, endpoints), notices)


def _own_slack(settings: SchedulerTable, endpoints: Mapping[str, Any]) -> Address | None:
    if "slack" not in endpoints:
        return None
    token = os.environ.get(settings.slack.token_variable) or SIMULATED_TOKEN
    return Address(str(endpoints["slack"]), token)
