"""The `[scheduler.slack]` table of a bench file."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class SlackTable(BaseModel):
    """Where messages go. Without a token in the environment nothing is sent to a real Slack."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    base_url: str | None = None
    """Base of the Web API, ending in `/api/`. Default: the bench's own Slack, where it has one."""
    token_variable: str = "STELLWERK_SLACK_TOKEN"
    """Name of the environment variable that holds the token; tokens never stand in a bench file."""
    channel: str = "#fat"
    """Every message goes here."""
    persons: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """User ids or channels that get warnings as well: shifter, expert."""
    drain_s: Annotated[float, Field(ge=0, le=600)] = 5.0
    """How long the end of a run waits for messages that are still to be delivered."""
