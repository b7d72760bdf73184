"""The device kind `slack`: as much of Slack's Web API as posting messages and uploading files needs.

Light to import: the server is imported when a bench builds one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from sim.kernel.device import DeviceKind, Server, Surroundings
from sim.kernel.faults import FaultSpec


class SlackTable(BaseModel):
    """`[sim.devices.NAME]` with `kind = "slack"`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    """0 = a free port."""
    team: str = "stellwerk"
    """Name of the workspace in answers."""
    keep_messages: Annotated[int, Field(ge=1, le=100_000)] = 5000
    """Older messages are forgotten."""


FAULTS: Final = (
    FaultSpec(
        "rate_limit",
        "Answers 429 with Retry-After.",
        "messages arrive late; the run's outbox counts retries",
        {"retry_after_s": 1},
    ),
    FaultSpec(
        "refuse_message",
        "Answers ok: false.",
        "the run's outbox holds the message with Slack's reason",
        {"error": "fatal_error"},
    ),
    FaultSpec(
        "server_error",
        "Answers 500.",
        "the run's outbox counts retries; undelivered messages are told at the end",
        {},
    ),
    FaultSpec(
        "slow_answer",
        "Answers only after a while of wall time.",
        "the run goes on; messages arrive late",
        {"delay_s": 1.0},
    ),
)


def build(surroundings: Surroundings, table: SlackTable) -> Mapping[str, Server]:
    """One server, whose address is the base URL that a client of Slack's Web API takes."""
    from sim.remote.server import SlackServer

    return {"": SlackServer(surroundings, table.host, table.port, table.team, table.keep_messages)}


KIND: Final = DeviceKind(
    name="slack",
    about="A Slack workspace: posting, updating, uploads; shows its messages as a page.",
    config=SlackTable,
    faults=FAULTS,
    build=build,
)
