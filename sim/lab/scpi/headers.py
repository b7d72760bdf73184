"""Headers as manuals print them, `[SOURce#:]FREQuency[:CW|:FIXed]`, and the tree in which sent headers are found.

Capitals are the short form. What stands in brackets may be left out; a bar divides alternatives. `#` is a number, 1 if
it is not sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from sim.lab.scpi.errors import ScpiError

if TYPE_CHECKING:
    from sim.lab.scpi.table import Command, Query

_OPTIONAL: Final = re.compile(r"\[([^\[\]]*)\]")
_KEYWORD: Final = re.compile(r"([A-Za-z_]+)([0-9]*)")
_MAX_SUFFIX_DIGITS: Final = 4


def variants(pattern: str) -> set[tuple[str, ...]]:
    """All ways to send a header, as keywords."""
    optional = _OPTIONAL.search(pattern)
    if optional is None:
        return {tuple(pattern.strip(":").split(":"))}
    before, after = pattern[: optional.start()], pattern[optional.end() :]
    options = ("", *optional.group(1).split("|"))
    return set().union(*(variants(before + option + after) for option in options))


def short(keyword: str) -> str:
    """The short form of a keyword: its capitals."""
    return "".join(letter for letter in keyword if not letter.islower())


class _Node:
    def __init__(self) -> None:
        self.below: dict[str, _Node] = {}
        self.numbered = False
        self.command: Command | None = None
        self.query: Query | None = None

    def child(self, keyword: str) -> _Node:
        name = keyword.rstrip("#")
        node = self.below.setdefault(name.upper(), _Node())
        self.below[short(name)] = node
        node.numbered |= keyword.endswith("#")
        return node


class Tree:
    """The headers of one instrument.

    channels  the largest number that a `#` may be
    """

    def __init__(self, entries: Iterable[Command | Query], channels: int = 1) -> None:
        self._root, self._channels = _Node(), channels
        for entry in entries:
            for keywords in variants(entry.header):
                node = self._root
                for keyword in keywords:
                    node = node.child(keyword)
                entry.take_place(node)

    def find(self, keywords: Sequence[str]) -> tuple[_Node, tuple[int, ...]]:
        """The place of a header, and the numbers in it. Raises ScpiError."""
        node, numbers = self._root, []
        for keyword in keywords:
            name, digits = _parts(keyword)
            below = node.below.get(name)
            if below is None or (digits and not below.numbered):
                raise ScpiError(-113)
            if below.numbered:
                numbers.append(self._number(digits))
            node = below
        return node, tuple(numbers)

    def _number(self, digits: str) -> int:
        number = int(digits[:_MAX_SUFFIX_DIGITS] or 1)
        if len(digits) > _MAX_SUFFIX_DIGITS or not 1 <= number <= self._channels:
            raise ScpiError(-114)
        return number


Place = _Node


def _parts(keyword: str) -> tuple[str, str]:
    if keyword.startswith("*"):
        return keyword.upper(), ""
    match = _KEYWORD.fullmatch(keyword)
    if match is None:
        raise ScpiError(-102)
    return match.group(1).upper(), match.group(2)
