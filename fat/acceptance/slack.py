"""Whether and where an acceptance run tells Slack."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from fat.bench.file import BenchFile
from scheduler import Listener

SIMULATED_TOKEN: Final = "xoxb-simulated"
"""Enough for the bench's own Slack, which keeps no secrets."""


def slack_listener(
    file: BenchFile, run_dir: Path, endpoints: Mapping[str, Any]
) -> tuple[list[Listener], Callable[[], str | None]]:
    """The listeners for Slack, none or one, and what ends them; the end returns a sentence when messages are left.

    A real Slack (`[scheduler.slack] base_url`) needs its token in the environment.
    """
    table = file.scheduler.slack
    token = os.environ.get(table.token_variable)
    base_url = table.base_url
    if base_url is None and "slack" in endpoints:
        base_url, token = str(endpoints["slack"]), token or SIMULATED_TOKEN
    if base_url is None:
        return [], lambda: None
    if token is None:
        reason = f"Slack is not told: the environment variable {table.token_variable} is not set"
        return [], lambda: reason
    from scheduler.notify.slack import SlackNotifier

    notifier = SlackNotifier(run_dir, table, base_url, token)
    return [notifier], notifier.close
