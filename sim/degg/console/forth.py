"""The language of the console: a stack, and words that each are a row of a table.

A word's stack effect says what it takes and gives, `ch volts --`: names to the left are taken from the stack, the last
from its top; names to the right are put on it. The kind of an item is the last letter of its name: `name$` is a text,
`x.` a number with a fraction, `x?` anything; all others are whole numbers, and `ch` is a channel, 0 or 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final

from sim.degg.refusal import Refused

if TYPE_CHECKING:
    from sim.degg.module import Module
    from sim.kernel import SimTime

Item = int | float | str
Given = Item | Sequence[Item] | None

MAX_STACK: Final = 4096
MAX_STRING: Final = 255
MAX_REPLY: Final = 8 << 20
"""Bytes that one line may make the board say."""
CHANNELS: Final = (0, 1)
_NUMBER: Final = re.compile(r"-?[0-9]{1,10}|0[xX][0-9a-fA-F]{1,8}")
_TOKEN: Final = re.compile(r"\S+")
_STRING: Final = 's"'


@cache
def _names(effect: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a stack effect takes, and what it gives."""
    taken, _, given = effect.partition("--")
    return tuple(taken.split()), tuple(given.split())


@dataclass(frozen=True, slots=True)
class Word:
    """One row of a table of words."""

    name: str
    effect: str
    about: str
    """What it does, in one sentence."""
    act: Callable[..., Given]
    """Called with the call and what the word takes; returns what it gives. Raises Refused."""
    needs_fpga: bool = False
    """Without a configured FPGA it says `NAME: FAIL`."""
    needs_lid: bool = False
    """Refused unless the LID interlock is closed."""

    @property
    def takes(self) -> tuple[str, ...]:
        """Names to the left."""
        return _names(self.effect)[0]

    @property
    def gives(self) -> tuple[str, ...]:
        """Names to the right."""
        return _names(self.effect)[1]


@dataclass(slots=True)
class Reply:
    """What a command line causes."""

    data: bytearray = field(default_factory=bytearray)
    after_s: float = 0.0
    """How long the board is at work."""
    until_input: bool = False
    """The wait ends, without an answer, when the client sends something."""
    silent: bool = False
    """Nothing more is said, not even a prompt."""
    upload: str | None = None
    """A file of this name follows by YMODEM."""


@dataclass(slots=True)
class Call:
    """A word at work."""

    board: Module
    now: SimTime
    stack: list[Item]
    reply: Reply
    word: Word

    def say(self, text: str) -> None:
        """Print text."""
        self.send(text.encode("latin-1", "replace"))

    def send(self, data: bytes) -> None:
        """Print bytes as they are."""
        if len(self.reply.data) + len(data) > MAX_REPLY:
            raise StackFault("Output overflow")
        self.reply.data += data

    def wait(self, seconds: float) -> None:
        """Be at work for a while."""
        self.reply.after_s += seconds

    def pop_numbers(self, count: int) -> list[int]:
        """Take *count* whole numbers, in the order in which they were put. Raises Refused."""
        if not 0 <= count <= len(self.stack):
            raise StackFault("Stack underflow")
        numbers = [_whole(item) for item in self.stack[len(self.stack) - count :]]
        del self.stack[len(self.stack) - count :]
        return numbers


class StackFault(Exception):
    """The stack does not hold what a word takes; the text is printed."""


def table_of(*groups: Iterable[Word]) -> Mapping[str, Word]:
    """Words by name. Raises ValueError for a name that stands twice."""
    words: dict[str, Word] = {}
    for word in (word for group in groups for word in group):
        if word.name in words:
            raise ValueError(f"the word {word.name!r} stands twice in the table")
        words[word.name] = word
    return words


def evaluate(words: Mapping[str, Word], board: Module, stack: list[Item], text: str, now: SimTime) -> Reply:
    """Do what a line says, from left to right.

    When a word fails, its fault is printed, the rest is left undone and the stack is empty.
    """
    reply = Reply()
    position = 0
    try:
        while (
            (match := _TOKEN.search(text, position)) is not None and not reply.silent and reply.upload is None
        ):
            token, position = match.group(), match.end()
            if token == _STRING:
                string, position = _string(text, position)
                _push(stack, (string,))
            elif (word := words.get(token)) is not None:
                _push(stack, _do(Call(board, now, stack, reply, word)))
            elif _NUMBER.fullmatch(token) is not None:
                _push(stack, (_number(token),))
            else:
                raise StackFault(f"{token} ?")
    except StackFault as fault:
        stack.clear()
        reply.data += str(fault).encode("latin-1", "replace")
    return reply


def _do(call: Call) -> Sequence[Item]:
    word = call.word
    taken = _take(call.stack, word)
    try:
        if word.needs_fpga and not call.board.fpga_configured():
            raise Refused
        if word.needs_lid and not call.board.interlocks.lid:
            raise Refused("LID interlock not set")
        given = word.act(call, *taken)
    except Refused as refused:
        reason = f", {refused}" if str(refused) else ""
        raise StackFault(f"{word.name}: FAIL{reason}") from None
    if given is None:
        return ()
    return (given,) if isinstance(given, int | float | str) else given


def _take(stack: list[Item], word: Word) -> list[Item]:
    names = word.takes
    if len(stack) < len(names):
        raise StackFault(f"{word.name}: Stack underflow")
    items = stack[len(stack) - len(names) :]
    del stack[len(stack) - len(names) :]
    try:
        return [_of_kind(name, item) for name, item in zip(names, items, strict=True)]
    except ValueError as error:
        raise StackFault(f"{word.name}: {error}") from None


def _of_kind(name: str, item: Item) -> Item:
    if name.endswith("?"):
        return item
    if name.endswith("$"):
        if not isinstance(item, str):
            raise ValueError(f"{name[:-1]} is not a string")
        return item
    if isinstance(item, str):
        raise ValueError(f"{name} is not a number")
    if name.endswith("."):
        return float(item)
    number = _whole(item)
    if name == "ch" and number not in CHANNELS:
        raise ValueError(f"Bad channel {number}")
    return number


def _whole(item: Item) -> int:
    if not isinstance(item, int):
        raise StackFault("Not a whole number")
    return item


def _push(stack: list[Item], items: Sequence[Item]) -> None:
    if len(stack) + len(items) > MAX_STACK:
        raise StackFault("Stack overflow")
    stack.extend(items)


def _number(token: str) -> int:
    number = int(token, 0) if token[:2] in ("0x", "0X") else int(token)
    if not -(1 << 31) <= number < 1 << 32:
        raise StackFault(f"{token} ?")
    return number


def _string(text: str, position: int) -> tuple[str, int]:
    """The text after `s"` and one blank, up to the closing quote."""
    end = text.find('"', position + 1)
    if end < 0:
        raise StackFault("Unterminated string")
    if end - position > MAX_STRING:
        raise StackFault("String too long")
    return text[position + 1 : end], end + 1


def shown(item: Item) -> str:
    """An item as `.s` prints it."""
    return f"{item:.6f}" if isinstance(item, float) else str(item)
