"""The tables `[scheduler.slack]`, `[scheduler.email]` and `[scheduler.webhook]` of a bench file.

Secrets never stand in a bench file, which is copied into every run: tables name an environment variable or a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from scheduler.notify.notice import Severity

Names = Annotated[tuple[str, ...], Field(strict=False)]
SecretFile = Annotated[Path | None, Field(strict=False)]
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


class MessengerTable(BaseModel):
    """What all have in common."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    drain_s: Annotated[float, Field(ge=0, le=600)] = 5.0
    """How long the end of a run waits for messages that are still to be delivered."""


class PeopleTable(MessengerTable):
    """Who is who."""

    shifter: Names = ()
    """Get warnings and what is critical."""
    expert: Names = ()
    """The same."""
    admin: Names = ()
    """The same."""
    backup_shifter: Names = ()
    """Get what is critical."""

    def persons(self, severity: Severity) -> tuple[str, ...]:
        """Who is told by name; somebody with two offices once."""
        if severity not in (Severity.WARNING, Severity.CRITICAL):
            return ()
        more = self.backup_shifter if severity is Severity.CRITICAL else ()
        return tuple(dict.fromkeys((*self.shifter, *self.expert, *self.admin, *more)))


class SlackTable(PeopleTable):
    """Slack. Persons are user ids (`U…`). Without a token nothing is sent to a real Slack."""

    base_url: str | None = None
    """Base of the Web API, ending in `/api/`. Default: the bench's own Slack, where it has one."""
    token_variable: str = "STELLWERK_SLACK_TOKEN"
    """Name of the environment variable that holds the token."""
    token_file: SecretFile = None
    """A file that holds it, instead."""
    channel: str = "#fat"
    """Every message goes here."""


class EmailTable(PeopleTable):
    """E-mail. Persons are addresses; without `host` nothing is sent."""

    host: str | None = None
    """The SMTP server."""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the line to it is encrypted."""
    sender: str = "stellwerk@localhost"
    user: str | None = None
    """To log in as. Default: without."""
    password_variable: str = "STELLWERK_EMAIL_PASSWORD"
    """Name of the environment variable that holds the password."""
    password_file: SecretFile = None
    """A file that holds it, instead."""
    everything_to: Names = ()
    """Addresses that get every message, also each task's beginning; a list with an archive, for example."""

    @model_validator(mode="after")
    def _no_password_in_the_open(self) -> Self:
        if self.user is not None and self.security == "none" and self.host not in LOOPBACK:
            raise ValueError('a password needs security = "starttls" or "tls"')
        return self


class WebhookTable(MessengerTable):
    """A POST of JSON for each message. Addresses that are a secret stand in an environment variable or a file."""

    url: str | None = None
    """Where to."""
    url_variable: str | None = None
    """Name of the environment variable that holds it, instead."""
    url_file: SecretFile = None
    """A file that holds it, instead."""
