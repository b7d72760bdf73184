"""Which of several versions is meant: closest, prior or exact. Pure functions of values."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeVar, get_args

from pipeline.constants.model import Strategy
from pipeline.errors import SettingRejected

TICK: Final = timedelta(milliseconds=1)
"""What the catalogue keeps of a time."""


class Dated(Protocol):
    """Something that begins at a time."""

    @property
    def begin_at(self) -> datetime:
        """When the data were taken."""
        ...

    @property
    def id(self) -> int:
        """Grows with the order of injection."""
        ...


DatedT = TypeVar("DatedT", bound=Dated)


def strategy_of(name: str) -> Strategy:
    """A strategy by its name. Raises SettingRejected."""
    for strategy in get_args(Strategy):
        if name == strategy:
            known: Strategy = strategy
            return known
    raise SettingRejected("selection", name, f"one of {', '.join(get_args(Strategy))}")


def to_tick(moment: datetime) -> datetime:
    """The moment as the catalogue keeps it: whole milliseconds, rounded down."""
    return moment - timedelta(microseconds=moment.microsecond % 1000)


def in_order(versions: Iterable[DatedT], event_at: datetime) -> list[DatedT]:
    """By |begin - event|, the closest first; of equals the earlier, then the one injected later."""
    event = to_tick(event_at)
    return sorted(versions, key=lambda v: (abs(v.begin_at - event), v.begin_at, -v.id))


def may_begin(begin_at: datetime, event_at: datetime, strategy: Strategy) -> bool:
    """Whether a strategy allows a version that begins then."""
    event = to_tick(event_at)
    if strategy == "closest":
        return True
    return begin_at <= event if strategy == "prior" else to_tick(begin_at) == event


def choose(versions: Iterable[DatedT], event_at: datetime, strategy: Strategy) -> DatedT | None:
    """The version that a strategy selects, or None."""
    ordered = in_order((v for v in versions if may_begin(v.begin_at, event_at, strategy)), event_at)
    return ordered[0] if ordered else None
