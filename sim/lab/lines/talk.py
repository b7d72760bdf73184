"""What an instrument is to its line: bytes in, answers out, no sockets and no clock of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from sim.kernel import SimTime


@dataclass(frozen=True, slots=True)
class Answer:
    """Bytes that the instrument sends."""

    data: bytes
    after_s: float = 0.0
    """How long the instrument is at work before it sends them. Whatever follows waits as well.

    On a clock that follows the wall this takes wall time; on others it takes none, because the client that waits for
    the answer holds the clock."""
    then: Callable[[SimTime], None] | None = None
    """Called with the time when the work is done, just before the bytes leave: a motor has arrived. On a serial port
    it is called also when the line was cut meanwhile; a TCP connection that ends takes its work along."""
    by_wall: bool = False
    """The work takes wall time on every clock."""
    until_input: bool = False
    """The wait ends when the client sends something meanwhile, and then the bytes are not sent. TCP only."""


class Talker(Protocol):
    """The instrument as one connection sees it: whatever was half received belongs to it."""

    def receive(self, data: bytes, now: SimTime, /) -> Sequence[Answer]:
        """Take bytes, split or merged in any way, and return what they cause. Never raises for any bytes."""
        ...


class Instrument(Protocol):
    """Something with a line."""

    def connect(self) -> Talker:
        """A new connection."""
        ...


@runtime_checkable
class Unasked(Protocol):
    """A talker that also says something by itself. TCP only."""

    def attach(self, push: Callable[[bytes], None], /) -> None:
        """The connection is made: call *push* with what is to be said, now or later, from the line's own loop."""
        ...

    def detach(self) -> None:
        """The connection has ended: call it no more."""
        ...


class Speaker(Protocol):
    """An instrument that sends by itself, asked or not."""

    @property
    def period_s(self) -> float:
        """Seconds of wall time from one message to the next, on every clock."""
        ...

    def speak(self, now: SimTime, /) -> bytes:
        """What it sends now; may be empty."""
        ...
