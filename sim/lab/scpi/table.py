"""The entries of an instrument's table: what it does at a command, what it answers to a query."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sim.kernel import SimTime
from sim.lab.scpi.errors import ScpiError
from sim.lab.scpi.parameters import LimitWord, Number, Parameter, Value

if TYPE_CHECKING:
    from sim.lab.scpi.headers import Place
    from sim.lab.scpi.instrument import ScpiInstrument


@dataclass(frozen=True, slots=True)
class Call:
    """One command or query that somebody sent."""

    instrument: Any
    """The ScpiInstrument; its own functions know of which class."""
    values: tuple[Any, ...]
    """The parameters as their kinds read them; those left out at the end are missing."""
    numbers: tuple[int, ...]
    """Of the header's `#`."""
    now: SimTime
    answer_waits: bool = False
    """Whether an answer that nobody has read waits already."""

    def value(self, index: int, otherwise: Any = None) -> Any:
        """A parameter, or what stands for one that was left out."""
        return self.values[index] if index < len(self.values) else otherwise


@dataclass(frozen=True, slots=True)
class Command:
    """`HEADer parameters`: does something. Its function may raise ScpiError."""

    header: str
    do: Callable[[Call], None]
    parameters: tuple[Parameter, ...] = ()
    optional: int = 0
    """How many of the last parameters may be left out."""

    def take_place(self, place: Place) -> None:
        """Stand in the tree."""
        place.command = self


@dataclass(frozen=True, slots=True)
class Query:
    """`HEADer? parameters`: answers. Its function may raise ScpiError, and then nothing is answered."""

    header: str
    answer: Callable[[Call], str]
    parameters: tuple[Parameter, ...] = ()
    optional: int = 0

    def take_place(self, place: Place) -> None:
        """Stand in the tree."""
        place.query = self


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that is set by `HEADer v` and asked by `HEADer?`, with `MIN` or `MAX` for its limits."""

    header: str
    name: str
    """Key in the instrument's `values`."""
    kind: Parameter
    default: Value
    """After `*RST`."""

    def entries(self) -> tuple[Command | Query, ...]:
        """As command and query."""
        limits = (LimitWord(self.kind),) if isinstance(self.kind, Number) else ()
        query = Query(self.header, self._shown, limits, optional=len(limits))
        return Command(self.header, self._set, (self.kind,)), query

    def _set(self, call: Call) -> None:
        instrument: ScpiInstrument = call.instrument
        instrument.change(call.now, **{self.name: call.values[0]})

    def _shown(self, call: Call) -> str:
        return self.kind.shown(call.value(0, call.instrument.values[self.name]))


@dataclass(frozen=True, slots=True)
class Kept:
    """A value without a header of its own: others set and show it."""

    name: str
    default: Value

    def entries(self) -> tuple[Command | Query, ...]:
        """None."""
        return ()


Entry = Command | Query | Setting | Kept


def read_parameters(entry: Command | Query, texts: list[str]) -> tuple[Any, ...]:
    """The parameters of an entry as their kinds read them. Raises ScpiError."""
    if len(texts) > len(entry.parameters):
        raise ScpiError(-108)
    if len(texts) < len(entry.parameters) - entry.optional:
        raise ScpiError(-109)
    return tuple(kind.read(text) for kind, text in zip(entry.parameters, texts, strict=False))
