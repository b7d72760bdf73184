"""Where a program message divides: at `;` into units, a unit into header and parameters (IEEE 488.2, chapter 7).

Messages are text with one character for each byte, so that blocks of data pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from sim.lab.scpi.errors import ScpiError

WHITE: Final = "".join(map(chr, range(33)))
"""White space of IEEE 488.2, 7.4.1.2."""
_SPECIAL: Final = re.compile(r"[;,\"'#(]")
_UNIT: Final = re.compile(r"[\x00-\x20]*([^\x00-\x20]*)[\x00-\x20]*(.*)", re.DOTALL)
_BLOCK: Final = re.compile(r"#([0-9])")


def units(message: str) -> Iterator[tuple[str, str]]:
    """Header and parameter text of each unit, in order; empty units are left out.

    Raises ScpiError where the message cannot be divided any further; what came before is good.
    """
    for unit in _split(message, ";"):
        match = _UNIT.fullmatch(unit)
        if match is not None and match.group(1):
            yield match.group(1), match.group(2)


def parameters(text: str) -> list[str]:
    """The parameters of a unit. Raises ScpiError."""
    if not text:
        return []
    return [_trimmed(part.lstrip(WHITE)) for part in _split(text, ",")]


def _trimmed(parameter: str) -> str:
    # White space at the end of a block belongs to it.
    return parameter if _BLOCK.match(parameter) else parameter.rstrip(WHITE)


def _split(text: str, separator: str) -> Iterator[str]:
    begin = at = 0
    while (match := _SPECIAL.search(text, at)) is not None:
        found, at = match.group(), match.end()
        if found == separator:
            yield text[begin : match.start()]
            begin = at
        elif found in "\"'":
            at = _after(text, found, at, ScpiError(-151))
        elif found == "(":
            at = _after(text, ")", at, ScpiError(-171))
        elif found == "#":
            at = block_end(text, match.start())
    yield text[begin:]


def _after(text: str, closing: str, at: int, otherwise: ScpiError) -> int:
    end = text.find(closing, at)
    if end < 0:
        raise otherwise
    return end + 1


def block_end(text: str, at: int) -> int:
    """Where the block of data at a `#` ends; past the `#` if it is none (`#H1F`). Raises ScpiError."""
    match = _BLOCK.match(text, at)
    if match is None:
        return at + 1
    begin, length = block_content(text, at, int(match.group(1)))
    return begin + length


def block_content(text: str, at: int, digits: int) -> tuple[int, int]:
    """Begin and length of the content of a block whose `#` stands at *at*. Raises ScpiError."""
    begin = at + 2 + digits
    if digits == 0:  # of indefinite length: up to the end of the message
        return begin, len(text) - begin
    length = text[at + 2 : begin]
    if not (length.isascii() and length.isdigit()) or begin + int(length) > len(text):
        raise ScpiError(-161)
    return begin, int(length)
