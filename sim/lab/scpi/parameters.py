"""Kinds of parameters: each reads what was sent, and shows a value as the instrument answers it."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from sim.lab.scpi.errors import ScpiError
from sim.lab.scpi.headers import short
from sim.lab.scpi.lexing import WHITE, block_content

Value = bool | int | float | str

HERTZ: Final = {"HZ": 1.0, "KHZ": 1e3, "MHZ": 1e6, "GHZ": 1e9, "UHZ": 1e-6}
SECONDS: Final = {"S": 1.0, "MS": 1e-3, "US": 1e-6, "NS": 1e-9}
VOLTS: Final = {"V": 1.0, "MV": 1e-3, "UV": 1e-6, "KV": 1e3}
AMPERES: Final = {"A": 1.0, "MA": 1e-3, "UA": 1e-6}
OHMS: Final = {"OHM": 1.0, "KOHM": 1e3, "MOHM": 1e6}
PER_CENT: Final = {"PCT": 1.0, "%": 1.0}
DEGREES: Final = {"DEG": 1.0, "RAD": 180.0 / math.pi}
NO_UNIT: Final[Mapping[str, float]] = {}

INFINITE: Final = 9.9e37
"""What stands for infinity in answers (SCPI-99, volume 1, 7.2.1.4)."""

_DECIMAL: Final = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[ \t]*([A-Za-z%/]*)")
_EXPONENT: Final = re.compile(r"[eE][+-]?0*([0-9]+)")
_BASES: Final = {"H": 16, "Q": 8, "B": 2}
_LONGEST_BASED: Final = 34
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_RANGE: Final = re.compile(r"[0-9]{1,4}(:[0-9]{1,4})?")


class Parameter(Protocol):
    """One kind of parameter."""

    def read(self, text: str, /) -> Any:
        """The value of what was sent. Raises ScpiError."""
        ...

    def shown(self, value: Any, /) -> str:
        """A value as the instrument answers it."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A number as it was sent, before anybody looked at limits."""

    value: float | None
    """None: a word."""
    word: str = ""
    """MIN, MAX, DEF, INF or UP, DOWN."""
    unit: str = ""

    def within(self, low: float, high: float, default: float | None = None) -> float:
        """The number that is meant. Raises ScpiError if it lies outside the limits, which are allowed themselves."""
        words = {"MIN": low, "MAX": high}
        if self.value is None:
            value = words.get(self.word, default if self.word == "DEF" else None)
            if value is None:
                raise ScpiError(-224)
            return value
        # A client that prints with six digits may not miss a limit by the seventh.
        slack = 1e-9 * max(abs(low), abs(high))
        if not low - slack <= self.value <= high + slack:
            raise ScpiError(-222)
        return min(max(self.value, low), high)


_WORDS: Final = {
    form: short(word)
    for word in ("MINimum", "MAXimum", "DEFault", "INFinity", "UP", "DOWN")
    for form in (word.upper(), short(word))
}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit whose limits depend on other settings: read as `Asked`.

    Units whose factor is 0 are kept as names for the one who knows how to convert them.
    """

    units: Mapping[str, float] = field(default_factory=dict)
    form: str = "{:.10E}"

    def read(self, text: str) -> Asked:
        """Value and unit, or a word."""
        if _WORD.fullmatch(text):
            if (word := _WORDS.get(text.upper())) is None:
                raise ScpiError(-104)
            return Asked(None, word)
        if text[:1] == "#":
            return Asked(_based(text))
        match = _DECIMAL.fullmatch(text)
        if match is None:
            raise ScpiError(-121 if text[:1] in tuple("+-.0123456789") else -104)
        number, unit = match.group(1), match.group(2).upper()
        exponent = _EXPONENT.search(number)
        if exponent and (len(exponent.group(1)) > 5 or int(exponent.group(1)) > 32000):
            raise ScpiError(-123)
        if not unit:
            return Asked(float(number))
        factor = self.units.get(unit)
        if factor is None:
            raise ScpiError(-131 if self.units else -138)
        return Asked(float(number) * (factor or 1.0), unit=unit)

    def shown(self, value: float) -> str:
        """Infinity has a number of its own."""
        return "9.9E+37" if math.isinf(value) else self.form.format(value)


@dataclass(frozen=True, slots=True)
class Number:
    """A number between two limits."""

    low: float
    high: float
    default: float | None = None
    """For the word DEF."""
    units: Mapping[str, float] = field(default_factory=dict)
    form: str = "{:.10E}"
    whole: bool = False
    """Whether it is rounded to an integer."""
    infinite: bool = False
    """Whether INF is allowed, which needs no upper limit."""

    def read(self, text: str) -> float | int:
        """The number, inside its limits."""
        asked = Quantity(self.units).read(text)
        if self.infinite and (asked.word == "INF" or (asked.value or 0.0) >= INFINITE):
            return math.inf
        value = asked.within(self.low, self.high, self.default)
        return round(value) if self.whole else value

    def shown(self, value: float) -> str:
        """As the form says; whole numbers without a fraction."""
        return Quantity(form="{:d}" if self.whole and not math.isinf(value) else self.form).shown(value)


@dataclass(frozen=True, slots=True)
class LimitWord:
    """MIN, MAX or DEF, which a query may bear to ask for a limit of its setting."""

    kind: Number

    def read(self, text: str) -> float | int:
        """The limit."""
        if _WORDS.get(text.upper()) not in ("MIN", "MAX", "DEF"):
            raise ScpiError(-104)
        return self.kind.read(text)

    def shown(self, value: float) -> str:
        """As the setting's."""
        return self.kind.shown(value)


@dataclass(frozen=True, slots=True)
class Boolean:
    """ON, OFF or a number, of which all but 0 are on."""

    def read(self, text: str) -> bool:
        """Whether it is on."""
        word = text.upper()
        if word in ("ON", "OFF"):
            return word == "ON"
        asked = Quantity().read(text) if not _WORD.fullmatch(text) else None
        if asked is None or asked.value is None:
            raise ScpiError(-224)
        return abs(asked.value) >= 0.5

    def shown(self, value: bool) -> str:
        """1 or 0."""
        return str(int(value))


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several words, in short or long form; its value is the short form."""

    words: Sequence[str]

    def read(self, text: str) -> str:
        """The short form of the word."""
        sent = text.upper()
        for word in self.words:
            if sent in (word.upper(), short(word)):
                return short(word)
        raise ScpiError(-224 if _WORD.fullmatch(text) else -104)

    def shown(self, value: str) -> str:
        """The short form."""
        return value


@dataclass(frozen=True, slots=True)
class Channels:
    """A list of channels, `(@1,3:4)`."""

    last: int

    def read(self, text: str) -> tuple[int, ...]:
        """The channels that it names."""
        if not (text.startswith("(@") and text.endswith(")")):
            raise ScpiError(-104)
        named: set[int] = set()
        for part in text[2:-1].split(","):
            if _RANGE.fullmatch(part.strip()) is None:
                raise ScpiError(-171)
            first, _, last = part.strip().partition(":")
            channels = range(int(first), int(last or first) + 1)
            if not channels or channels[0] < 1 or channels[-1] > self.last:
                raise ScpiError(-222)
            named.update(channels)
        return tuple(sorted(named))

    def shown(self, value: tuple[int, ...]) -> str:
        """As a list."""
        return f"(@{','.join(map(str, value))})"


@dataclass(frozen=True, slots=True)
class Text:
    """A string in quotation marks."""

    longest: int = 80

    def read(self, text: str) -> str:
        """What stands between the marks."""
        quote = text[:1]
        if quote not in ('"', "'") or len(text) < 2 or text[-1] != quote:
            raise ScpiError(-104)
        content = text[1:-1].replace(quote * 2, quote)
        if len(content) > self.longest:
            raise ScpiError(-222)
        return content

    def shown(self, value: str) -> str:
        """In double quotation marks."""
        return '"' + value.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Block:
    """A block of bytes, `#15hello`, read as text with one character for each byte."""

    def read(self, text: str) -> str:
        """The content."""
        if len(text) < 2 or text[0] != "#" or text[1] not in "0123456789":
            raise ScpiError(-104)
        begin, length = block_content(text, 0, int(text[1]))
        if text[1] == "0":
            return text[begin:].removesuffix("\n")
        if text[begin + length :].strip(WHITE):
            raise ScpiError(-161)
        return text[begin : begin + length]

    def shown(self, value: str) -> str:
        """With its length."""
        length = str(len(value))
        return f"#{len(length)}{length}{value}"


def _based(text: str) -> float:
    base = _BASES.get(text[1:2].upper())
    try:
        if base is None or len(text) > _LONGEST_BASED or "_" in text:
            raise ScpiError(-104)
        return float(int(text[2:], base))
    except ValueError:
        raise ScpiError(-121) from None
