"""The `[scheduler]` table of a bench file."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from scheduler.backup.destination import open_destination
from scheduler.errors import DestinationRejected, JournalRejected
from scheduler.journal.place import database_url
from scheduler.notify.config import EmailTable, SlackTable, WebhookTable


def _address(address: str) -> str:
    try:
        open_destination(address)
    except DestinationRejected as error:
        raise ValueError(str(error)) from error
    return address


def _database(address: str) -> str:
    try:
        return database_url(address)
    except JournalRejected as error:
        raise ValueError(str(error)) from error


Address = Annotated[str, AfterValidator(_address)]
Database = Annotated[str, AfterValidator(_database)]


class SchedulerTable(BaseModel):
    """How acceptance runs are carried out."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    journal: Database | None = None
    """The database in which journals of new runs are kept: `postgresql+psycopg://USER@HOST/NAME`. A password comes from
    PGPASSWORD or `~/.pgpass`. Default: `journal.sqlite` in the run's folder."""
    journal_patience_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """For so long a journal in a database may be gone while no task goes on; then things are cleaned up
    without a record."""
    backup_to: Annotated[tuple[Address, ...], Field(strict=False)] = ()
    """Where backups go, a folder for each run: a folder, `ssh://user@host/path`, `user@host:path`, or a URL of fsspec
    such as `s3://bucket/path`; several are allowed. Default: `backup` beside the folder of the runs."""
    backup_keep_last: Annotated[int | None, Field(ge=1)] = None
    """How many backups of a run stay at each destination; with `backup_keep_days`, what either keeps stays.
    Default: all. The newest always stays."""
    backup_keep_days: Annotated[float | None, Field(gt=0)] = None
    """How long backups of a run stay at each destination."""
    backup_include: Annotated[tuple[str, ...], Field(strict=False)] = (
        "*.json",
        "*.jsonl",
        "trends.csv",
        "report.html",
        "results/**/*",
        "pictures/*",
    )
    """Which files of the run folder go into a backup: glob patterns relative to it. Not for detector data."""
    stop_grace_s: Annotated[float, Field(gt=0, le=600)] = 5.0
    """How long a task that is told to stop may take before it is killed."""
    check_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    """How long a check between tasks may take."""
    check_attempts: Annotated[int, Field(ge=1, le=20)] = 1
    """How often a check between tasks may have another look, and repair, before the run stops; in all."""
    slack: SlackTable = SlackTable()
    """Whom to tell on Slack, and where."""
    email: EmailTable = EmailTable()
    """Whom to write letters."""
    webhook: WebhookTable = WebhookTable()
    """Which program to tell."""
