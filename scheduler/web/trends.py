"""Trends of a run as charts: a picture for each group and unit, in a range of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from scheduler.trends import Series, TrendReader, shown
from scheduler.web.chart import Chart, Curve, chart, time_steps
from scheduler.web.text import about
from scheduler.web.values import natural

RANGES: Final = {"hour": 3600.0, "day": 86_400.0, "all": None}
"""Seconds before the latest point."""
MOST_CHARTS: Final = 12
MOST_CURVES: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to see."""

    range: str = "all"
    group: str = ""
    name: str = ""

    @classmethod
    def read(cls, query: Mapping[str, str]) -> Wanted:
        """From an address; what is not understood is the default."""
        span = query.get("range", "all")
        return cls(span if span in RANGES else "all", query.get("group", "")[:80], query.get("name", "")[:80])

    def address(self, **changes: str) -> str:
        """The query of an address that shows this, but for *changes*."""
        asked = {"range": self.range, "group": self.group, "name": self.name, **changes}
        return urlencode({key: value for key, value in asked.items() if value})


@dataclass(frozen=True, slots=True)
class Pictures:
    """The charts of a run."""

    charts: tuple[Chart, ...]
    groups: tuple[str, ...]
    more: int
    """Pictures that are too many to be shown at once."""
    series: int
    left_out: int
    axis: str


def pictures(
    reader: TrendReader,
    starts: Sequence[tuple[float, float]],
    wanted: Wanted,
    day_offset_s: float | None,
    day: Callable[[float], str],
) -> Pictures:
    """Draw the trends.

    starts        when engines took the run up: (Unix time, run's clock), seconds
    day_offset_s  Unix time where the run's clock is 0, when the two go at one pace; None otherwise
    day           writes a time of day
    """
    by_picture: dict[tuple[str, str], list[Series]] = {}
    for series in reader.series.values():
        by_picture.setdefault((series.group, series.unit), []).append(series)
    groups = tuple(sorted({group for group, _ in by_picture}, key=natural))
    chosen = [key for key in by_picture if not wanted.group or key[0] == wanted.group]
    last = max((series.clock_s[-1] for series in reader.series.values() if series.clock_s), default=0.0)
    charts = []
    for key in chosen[:MOST_CHARTS]:
        drawn = _picture(key, by_picture[key], starts, wanted, last, (day_offset_s, day))
        charts += [] if drawn is None else [drawn]
    more = len(chosen) - len(chosen[:MOST_CHARTS])
    axis = "time of day" if day_offset_s is not None else "the run's clock"
    return Pictures(tuple(charts), groups, more, len(reader.series), reader.left_out, axis)


def _picture(
    key: tuple[str, str],
    all_series: Sequence[Series],
    starts: Sequence[tuple[float, float]],
    wanted: Wanted,
    last: float,
    calendar: tuple[float | None, Callable[[float], str]],
) -> Chart | None:
    chosen = [series for series in all_series if not wanted.name or series.name == wanted.name]
    chosen = sorted(chosen, key=lambda series: natural(series.name))[:MOST_CURVES]
    curves = [Curve(series.name, shown(series, starts), series.low, series.high) for series in chosen]
    length = RANGES[wanted.range]
    earliest = min((curve.points[0][0] for curve in curves if curve.points), default=last)
    first = earliest if length is None else max(earliest, last - length)
    offset, day = calendar
    if offset is None:
        ticks = [(x, about(x)) for x in time_steps(first, last)]
    else:
        ticks = [(x - offset, day(x)) for x in time_steps(first + offset, last + offset)]
    return chart(key[0] or "Trends", key[1], curves, (first, last), ticks)
