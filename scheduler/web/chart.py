"""Charts as values: places in per cent, for a template to draw. Pure.

Lines are one drawing that is stretched to its place; texts and marks stand over it at places in per cent, so that they
are readable and round at every width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from scheduler.web.text import figure

COLOURS: Final = 8
DASHES: Final = 3
"""Lines are told apart by colour, then by dashes."""
COLUMNS: Final = 400
"""Of each column of a picture the lowest and the highest point are drawn."""
MOST_MARKS: Final = 40
MOST_VALUE: Final = 1e100
SIZE: Final = 1000
"""Of the drawing, in its own unit."""
STEPS_S: Final = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
)  # fmt: skip
TICKS: Final = 5

Points = Sequence[tuple[float, float]]
"""(x, y) by x; a NaN is a gap."""


@dataclass(frozen=True, slots=True)
class Curve:
    """What to draw."""

    name: str
    points: Points
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the grid and its text."""

    at: float
    """Per cent from the left, or from the top."""
    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point outside its limits, or a point that stands alone."""

    x: float
    y: float
    shape: str
    tone: str
    """`fail`, or the colour of its line: `k0` to `k7`."""
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One curve as it is drawn, and in figures."""

    name: str
    path: str
    colour: int
    dash: int
    latest: str
    lowest: str
    highest: str
    outside: int
    """How many points are outside the limits."""
    state: str
    """Of the latest point: `within`, `above`, `below`, or nothing without limits."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One picture."""

    title: str
    unit: str
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]
    band: tuple[float, float] | None
    """Top and height of what is within the limits, per cent."""
    edges: tuple[float, ...]
    """Where the limits themselves are, per cent from the top; those beyond the picture are not among them."""
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def chart(
    title: str,
    unit: str,
    curves: Sequence[Curve],
    span: tuple[float, float],
    x_ticks: Sequence[tuple[float, str]],
    *,
    dots: bool = False,
) -> Chart | None:
    """Draw curves over the range *span* of x; None when none has a point in it.

    x_ticks  place and text of each line of the grid
    dots     show every point, as for few
    """
    first, last = span
    seen = [(curve, [(x, _drawn(y)) for x, y in curve.points if first <= x <= last]) for curve in curves]
    heights = [y for _, points in seen for _, y in points if math.isfinite(y)]
    if not heights:
        return None
    limits = _common_limits(curves)
    bottom, top = _heights(heights, [limit for limit in limits if limit is not None])

    def x_of(x: float) -> float:
        return 50.0 if last == first else 100 * (x - first) / (last - first)

    def y_of(y: float) -> float:
        return min(120.0, max(-20.0, 100 * (top - y) / (top - bottom)))

    marks = [
        mark
        for n, (curve, points) in enumerate(seen)
        # A line of one point is none.
        for mark in _marks(curve, points, x_of, y_of, tone=f"k{n % COLOURS}", dots=dots or len(points) < 3)
    ]
    return Chart(
        title=title,
        unit=unit,
        lines=tuple(
            _line(n, curve, points, (bottom, top, x_of, y_of)) for n, (curve, points) in enumerate(seen)
        ),
        marks=tuple(marks),
        band=_band(limits, y_of),
        edges=tuple(y_of(limit) for limit in limits if limit is not None and bottom < limit < top),
        x_ticks=tuple(Tick(x_of(x), text) for x, text in x_ticks if first <= x <= last),
        y_ticks=tuple(Tick(y_of(y), figure(y)) for y in _round_steps(bottom, top)),
    )


def _drawn(y: float) -> float:
    """What cannot be drawn is a gap."""
    return y if abs(y) <= MOST_VALUE else math.nan


def time_steps(first: float, last: float) -> list[float]:
    """Round times in a range, some TICKS of them, seconds."""
    span = max(last - first, 1e-9)
    step = next(
        (s for s in STEPS_S if span / s <= TICKS), STEPS_S[-1] * math.ceil(span / STEPS_S[-1] / TICKS)
    )
    return [n * step for n in range(math.ceil(first / step), math.floor(last / step) + 1)]


def _common_limits(curves: Sequence[Curve]) -> tuple[float | None, float | None]:
    """The limits when all curves have the same; a band for some of them would tell a lie."""
    found = {(curve.low, curve.high) for curve in curves}
    return found.pop() if len(found) == 1 else (None, None)


def _heights(heights: Sequence[float], limits: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest of the picture: all points, and the limits unless they are far away."""
    low, high = min(heights), max(heights)
    reach = max(3 * (high - low), 0.5 * max(abs(low), abs(high))) or 1.0
    near = [limit for limit in limits if low - reach <= limit <= high + reach]
    low, high = min([low, *near]), max([high, *near])
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return low - margin, high + margin


def _round_steps(bottom: float, top: float) -> list[float]:
    raw = (top - bottom) / TICKS
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw)
    return [n * step for n in range(math.ceil(bottom / step), math.floor(top / step) + 1)]


def _band(
    limits: tuple[float | None, float | None], y_of: Callable[[float], float]
) -> tuple[float, float] | None:
    low, high = limits
    if low is None and high is None:
        return None
    top = 0.0 if high is None else min(100.0, max(0.0, y_of(high)))
    end = 100.0 if low is None else min(100.0, max(0.0, y_of(low)))
    return (top, end - top) if end > top else None


def _line(
    number: int,
    curve: Curve,
    points: Points,
    scale: tuple[float, float, Callable[[float], float], Callable[[float], float]],
) -> Line:
    _, _, x_of, y_of = scale
    heights = [y for _, y in points if math.isfinite(y)]
    latest = heights[-1] if heights else None
    return Line(
        name=curve.name,
        path=_path(points, x_of, y_of),
        colour=number % COLOURS,
        dash=number // COLOURS % DASHES,
        latest=figure(latest),
        lowest=figure(min(heights, default=None)),
        highest=figure(max(heights, default=None)),
        outside=sum(outside(curve, y) != "" for y in heights),
        state=""
        if latest is None or (curve.low is None and curve.high is None)
        else outside(curve, latest) or "within",
    )


def outside(curve: Curve, y: float) -> str:
    """`above` or `below` its limits; nothing within."""
    if curve.high is not None and y > curve.high:
        return "above"
    return "below" if curve.low is not None and y < curve.low else ""


def _path(points: Points, x_of: Callable[[float], float], y_of: Callable[[float], float]) -> str:
    words: list[str] = []
    pen = "M"
    for x, y in _thinned(points, x_of):
        if not math.isfinite(y):
            pen = "M"
            continue
        words.append(f"{pen}{x_of(x) * SIZE / 100:.1f} {y_of(y) * SIZE / 100:.1f}")
        pen = "L"
    return "".join(words)


def _thinned(points: Points, x_of: Callable[[float], float]) -> Iterable[tuple[float, float]]:
    """All points, or of each column the lowest and the highest: no excursion is lost, but gaps are."""
    if len(points) <= 2 * COLUMNS:
        return points
    columns: dict[int, list[tuple[float, float]]] = {}
    for point in points:
        if math.isfinite(point[1]):
            columns.setdefault(int(x_of(point[0]) * COLUMNS / 100), []).append(point)
    kept: list[tuple[float, float]] = []
    for column in columns.values():
        ends = {min(column, key=lambda p: p[1]), max(column, key=lambda p: p[1])}
        kept += sorted(ends)
    return kept


def _marks(
    curve: Curve,
    points: Points,
    x_of: Callable[[float], float],
    y_of: Callable[[float], float],
    *,
    tone: str,
    dots: bool,
) -> list[Mark]:
    """Triangles where a value is outside, first where it left; dots for each point on request."""
    found: list[Mark] = []
    before = ""
    for x, y in points:
        if not math.isfinite(y):
            continue
        where = outside(curve, y)
        if where and (dots or where != before):
            shape = "▲" if where == "above" else "▼"
            found.append(
                Mark(x_of(x), y_of(y), shape, "fail", f"{curve.name}: {figure(y)}, {where} the limits")
            )
        elif dots:
            found.append(Mark(x_of(x), y_of(y), "●", tone, f"{curve.name}: {figure(y)}"))
        before = where
    return found[-MOST_MARKS:]
