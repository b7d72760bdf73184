"""An instrument that speaks SCPI: a dialect, a table, values. It knows neither sockets nor buses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from sim.kernel import SimTime
from sim.lab.scpi.common import COMMON
from sim.lab.scpi.errors import ScpiError
from sim.lab.scpi.headers import Place, Tree
from sim.lab.scpi.lexing import parameters, units
from sim.lab.scpi.parameters import Value
from sim.lab.scpi.session import Session
from sim.lab.scpi.status import ErrorQueue, QueueStyle, Status
from sim.lab.scpi.table import Call, Command, Entry, Kept, Query, Setting, read_parameters

MAX_ANSWER: Final = 1 << 16
"""Bytes that one message may make an instrument answer; more is a deadlock (IEEE 488.2, 6.3.1.7)."""

_HEADER_LETTERS: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_:*?")


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between makers."""

    identity: str
    """Answer to `*IDN?`."""
    queue: QueueStyle = field(default_factory=QueueStyle)
    newline: bytes = b"\n"
    """Ends answers on sockets and serial lines."""
    version: str = "1999.0"
    """Answer to `SYSTem:VERSion?`."""


class ScpiInstrument:
    """The state of one instrument, whoever talks to it. Adding another is a table, and `changed` if it does something.

    channels  the largest number of a `#` in headers
    """

    def __init__(self, dialect: Dialect, table: Iterable[Entry], channels: int = 1) -> None:
        self.dialect = dialect
        settings: list[Setting | Kept] = []
        others: list[Command | Query] = []
        for entry in table:
            if isinstance(entry, Setting | Kept):
                settings.append(entry)
            else:
                others.append(entry)
        self._defaults: dict[str, Value] = {entry.name: entry.default for entry in settings}
        self.values: dict[str, Value] = dict(self._defaults)
        self.status = Status(ErrorQueue(dialect.queue))
        self._tree = Tree((*COMMON, *chain(*(entry.entries() for entry in settings)), *others), channels)

    def connect(self, newline: bytes | None = None) -> Session:
        """A connection of its own over a socket or a serial line, whose answers end with *newline*."""
        return Session(self, newline or self.dialect.newline)

    def default(self, name: str) -> Value:
        """A value after `*RST`."""
        return self._defaults[name]

    def change(self, now: SimTime, **values: Value) -> None:
        """Set values together. May raise ScpiError from `checked`, and then none has changed."""
        wanted = self.checked({**self.values, **values}, values)
        self.values = wanted
        self.changed(now)

    def checked(self, wanted: dict[str, Value], changed: dict[str, Value]) -> dict[str, Value]:  # noqa: ARG002
        """All values as they will be, after couplings between them. Raises ScpiError if they cannot be."""
        return wanted

    def changed(self, now: SimTime) -> None:
        """Values have changed: the place to couple the instrument to the world."""

    def reset(self, now: SimTime) -> None:
        """`*RST`: every setting as its table says. Status and errors stay."""
        self.values = dict(self._defaults)
        self.changed(now)

    def triggered(self, now: SimTime) -> None:  # noqa: ARG002
        """`*TRG`, or the trigger of the bus. May raise ScpiError."""
        raise ScpiError(-211)

    def operation(self, now: SimTime) -> int:  # noqa: ARG002
        """Condition register OPERation."""
        return 0

    def questionable(self, now: SimTime) -> int:  # noqa: ARG002
        """Condition register QUEStionable."""
        return 0

    def execute(self, message: str, now: SimTime, *, answer_waits: bool = False) -> str:
        """Carry out one program message; returns its answers joined with `;`, empty if there are none.

        A unit that is refused answers nothing and is noted in the error queue; the units after it are carried out.

        answer_waits  an earlier answer has not been read yet
        """
        answers: list[str] = []
        size = 0
        path: tuple[str, ...] = ()
        try:
            for header, text in units(message):
                try:
                    path, answer = self._carry_out(header, text, path, now, answer_waits or bool(answers))
                except ScpiError as error:
                    self.status.note(error.number)
                    continue
                if answer is not None:
                    answers.append(answer)
                    size += len(answer) + 1
                if size > MAX_ANSWER:
                    raise ScpiError(-430)
        except ScpiError as error:
            self.status.note(error.number)
            if error.number == -430:
                return ""
        return ";".join(answers)

    def _carry_out(
        self, header: str, text: str, path: Sequence[str], now: SimTime, answer_waits: bool
    ) -> tuple[tuple[str, ...], str | None]:
        keywords = _keywords(header, path)
        asks = header.endswith("?")
        place, numbers = self._tree.find(keywords)
        self._settle(now)
        entry = _entry(place, asks)
        call = Call(self, read_parameters(entry, parameters(text)), numbers, now, answer_waits)
        path = tuple(path) if header.startswith("*") else keywords[:-1]
        if isinstance(entry, Query):
            return path, entry.answer(call)
        entry.do(call)
        return path, None

    def _settle(self, now: SimTime) -> None:
        self.status.operation.set(self.operation(now))
        self.status.questionable.set(self.questionable(now))


def _entry(place: Place, asks: bool) -> Command | Query:
    entry = place.query if asks else place.command
    if entry is None:
        raise ScpiError(-113)
    return entry


def _keywords(header: str, path: Sequence[str]) -> tuple[str, ...]:
    if not _HEADER_LETTERS.issuperset(header):
        raise ScpiError(-101)
    name = header.removesuffix("?")
    if name.startswith("*"):
        return (name,)
    if name.startswith(":"):
        keywords = tuple(name[1:].split(":"))
    else:
        keywords = (*path, *name.split(":"))
    return keywords
