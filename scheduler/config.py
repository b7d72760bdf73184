"""The `[scheduler]` table of a bench file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from scheduler.notify.config import EmailTable, SlackTable, WebhookTable


class SchedulerTable(BaseModel):
    """How acceptance runs are carried out."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    backup_dir: Annotated[Path | None, Field(strict=False)] = None
    """Where backups go, a folder for each run; default: `backup` beside the folder of the runs."""
    backup_include: Annotated[tuple[str, ...], Field(strict=False)] = (
        "*.json",
        "*.jsonl",
        "report.html",
        "results/**/*",
        "pictures/*",
    )
    """Which files of the run folder go into a backup: glob patterns relative to it. Not for detector data."""
    stop_grace_s: Annotated[float, Field(gt=0, le=600)] = 5.0
    """How long a task that is told to stop may take before it is killed."""
    check_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    """How long a check between tasks may take."""
    slack: SlackTable = SlackTable()
    """Whom to tell on Slack, and where."""
    email: EmailTable = EmailTable()
    """Whom to write letters."""
    webhook: WebhookTable = WebhookTable()
    """Which program to tell."""
