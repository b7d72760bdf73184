"""Which stored conditions a request fits, and which version of a constant is meant. Pure functions of values.

The store asks the same questions in SQL (`finding`); these are the rules that its answers are tested against.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

Strategy = Literal["closest", "prior"]


@dataclass(frozen=True, slots=True)
class Given:
    """One parameter of a request. Its unit is the parameter's own."""

    parameter_id: int
    value: float
    text: str | None = None
    """Set for text parameters; *value* is then 0."""
    lower: float = 0.0
    upper: float = 0.0
    """Deviations below and above *value* that a new condition will allow; both are positive."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One parameter of a stored condition: `value - lower … value + upper`, both included."""

    parameter_id: int
    value: float
    text: str | None
    lower: float
    upper: float

    def allows(self, given: Given) -> bool:
        """Whether the value of a request lies within the deviations, or the stored text begins as the request's.

        A run with the first half of the stored memory cells, in the same order, may use the constants; the comma that
        ends the text of a request keeps cell 25 apart from 250.
        """
        if self.text is not None or given.text is not None:
            if not self.text or not given.text:
                return self.text == given.text
            return self.text.startswith(given.text)
        lowest, highest = bounds(self)
        return lowest <= given.value <= highest

    def is_exactly(self, given: Given) -> bool:
        """Whether value and deviations are equal."""
        return (self.value, self.text, self.lower, self.upper) == (
            given.value,
            given.text,
            given.lower,
            given.upper,
        )


def bounds(stored: Stored) -> tuple[float, float]:
    """The lowest and the highest value that a stored parameter allows."""
    return stored.value - stored.lower, stored.value + stored.upper


def parameter_set(parameter_ids: Iterable[int]) -> str:
    """A text that is equal for equal sets of parameters: `2,3,6`."""
    return ",".join(str(number) for number in sorted(parameter_ids))


def fingerprint(parameters: Iterable[Stored | Given]) -> str:
    """A text that is equal for conditions with the same parameters, values, texts and deviations."""
    # Adding zero makes -0.0 the 0.0 that it equals.
    listed = sorted(
        (
            p.parameter_id,
            repr(p.value + 0.0),
            p.text or "",
            p.text is None,
            repr(p.lower + 0.0),
            repr(p.upper + 0.0),
        )
        for p in parameters
    )
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()


def possible(stored: Sequence[Stored], request: Mapping[int, Given]) -> bool:
    """Whether a condition fits a request: the same parameters, each within its deviations."""
    return _same_parameters(stored, request) and all(s.allows(request[s.parameter_id]) for s in stored)


def expected(stored: Sequence[Stored], request: Mapping[int, Given]) -> bool:
    """Whether a condition is the requested one: the same parameters, values and deviations."""
    return _same_parameters(stored, request) and all(s.is_exactly(request[s.parameter_id]) for s in stored)


def _same_parameters(stored: Sequence[Stored], request: Mapping[int, Given]) -> bool:
    return len(stored) == len(request) and all(s.parameter_id in request for s in stored)


class Dated(Protocol):
    """Something that begins at a time."""

    @property
    def begin_at(self) -> int:
        """Milliseconds since 1970."""
        ...

    @property
    def id(self) -> int:
        """Grows with the order of creation."""
        ...


DatedT = TypeVar("DatedT", bound=Dated)


def by_closeness(versions: Iterable[DatedT], event_at: int) -> list[DatedT]:
    """Versions by |begin_at - event_at|, the closest first; of equals the earlier, then the newer entry."""
    return sorted(versions, key=lambda v: (abs(v.begin_at - event_at), v.begin_at, -v.id))


def choose(versions: Iterable[DatedT], event_at: int, strategy: Strategy) -> DatedT | None:
    """The version that a strategy selects, or None.

    closest  the smallest |begin_at - event_at|, also from the future
    prior    the latest with begin_at <= event_at
    """
    if strategy == "prior":
        versions = [v for v in versions if v.begin_at <= event_at]
    ordered = by_closeness(versions, event_at)
    return ordered[0] if ordered else None
