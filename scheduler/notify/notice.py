"""What is to be told, to whom, and through what. Values, and the seam behind which messengers stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

ANSWER_TIMEOUT_S: Final = 10.0
"""How long a messenger waits for its server."""


class Severity(StrEnum):
    """How much a message matters, and so who gets it."""

    MESSAGE = "message"
    """To the channel."""
    WARNING = "warning"
    """To the channel, the shifter, the expert and the admin."""
    CRITICAL = "critical"
    """To those and the backup shifter; wakes everybody."""
    MONITORING = "monitoring"
    """To the channel: pictures of how things develop."""


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell, before anybody asks to whom."""

    severity: Severity
    text: str
    wake: bool = False
    """Everybody who can be reached is to be raised."""
    trace: bool = False
    """The text is lines of a program; they keep their form."""
    picture: str = ""
    """A file, relative to the run folder."""
    title: str = ""
    """Of the picture."""

    @property
    def plain(self) -> str:
        """The text as a log or a letter shows it."""
        return f"@channel - {self.text}" if self.wake else self.text


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """One notice for one receiver."""

    id: str
    """The journal record that it tells of, a number, the receiver: the same record makes the same message again."""
    origin: str
    """Of the run, unlike that of any other run: for identifiers that the receiver's server keeps."""
    run: str
    at: float
    """When it happened, Unix time, seconds."""
    receiver: str
    notice: Notice


class Later(Exception):
    """A messenger could not deliver now; the message waits.

    after_s        the server asked to be left alone so long
    receiver_only  the trouble is this receiver's; others can be served
    """

    def __init__(self, reason: str, after_s: float = 0.0, *, receiver_only: bool = False) -> None:
        self.reason, self.after_s, self.receiver_only = reason, after_s, receiver_only
        super().__init__(reason)


class Refused(Exception):
    """The server will never take this message as it is, whoever asks and whenever."""


class Messenger(Protocol):
    """A way to people. Called from one thread."""

    @property
    def name(self) -> str:
        """What people call it; also part of a file name."""
        ...

    def receivers(self, severity: Severity) -> tuple[str, ...]:
        """Who gets a notice."""
        ...

    def send(self, message: OutgoingMessage, root: Mapping[str, str] | None) -> Mapping[str, str]:
        """Deliver one message; returns what the next ones to this receiver need to stand in one thread with it.

        *root* is what the first message of the run to this receiver returned. Raises Later, Refused.
        """
        ...
