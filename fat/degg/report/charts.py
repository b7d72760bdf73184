"""What a report of optical modules draws: measurements of a module, of all modules together, and values over the run.

However often something was measured, there is one panel of it: of graphs the last of each temperature, of values their
course with the limits.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np

from fat.degg.report.gather import Judged, RunResults, bucket
from fat.degg.results.quantity import Graph
from fat.limits import Limit
from fat.report.chart import Chart, Panel, Series, Tone

OF_PART: Final[dict[str, Tone]] = {"LowerPmt": "blue", "UpperPmt": "green"}
WARMTH: Final[tuple[Tone, ...]] = ("blue", "green", "orange", "pink")
"""From cold to warm."""
THICK: Final = 1.8
THIN: Final = 0.6
NAMED: Final = 6
"""At most so many curves of one panel are named."""
MOST_MISSED: Final = 8
"""Panels of what was missed; the module's own report has all of it."""
FEWEST: Final = 5
"""What was judged more often has a course."""


def of_all(results: RunResults) -> Iterator[Chart]:
    """Each measurement of all modules, warmest and coldest: whoever differs from the others is seen."""
    marked = {(one.device, one.part) for device in results.devices for one in results.failed(device.serial)}
    for graphs in filter(_differ, results.graphs_by_name.values()):
        warmths = _warmths(graphs)
        ends = [warmths[-1], warmths[0]] if len(warmths) > 1 else warmths
        panels = tuple(
            _beside([graph for graph in graphs if bucket(graph.temperature_c) == celsius], marked, celsius)
            for celsius in ends
        )
        caption = "All modules, the last of each" + (", warm and cold." if len(panels) > 1 else ".")
        yield Chart(graphs[-1].title, caption, panels)


def of_module(results: RunResults, serial: str) -> Iterator[Chart]:
    """Each measurement of a module: a panel for each part, its temperatures in one."""
    for graphs in filter(_differ, results.graphs_of(serial).values()):
        parts = sorted({graph.part for graph in graphs})
        panels = tuple(_of_part(part, [graph for graph in graphs if graph.part == part]) for part in parts)
        curves = list(dict.fromkeys(label for graph in graphs for label in graph.curves))
        dashed = f"; dashed: {', '.join(curves)}" if 0 < len(curves) <= NAMED else ""
        warm = any(graph.temperature_c is not None for graph in graphs)
        caption = f"The last{' of each temperature' if warm else ''}{dashed}."
        yield Chart(graphs[-1].title, caption, panels)


def course(results: RunResults, serial: str) -> Chart | None:
    """What was judged again and again in a run, where it has changed or missed its limit."""
    panels = [
        _course(results, of_one, about)
        for about, of_one in _by_quantity(results.of_device(serial)).items()
        if _tells(of_one)
    ]
    caption = "All values of the run by bench time, with the limits (dashed); what missed one is marked."
    return Chart("In the course of the run", caption, tuple(panels)) if panels else None


def missed(results: RunResults, serials: Iterable[str]) -> Chart | None:
    """The course of what modules have missed, if it was judged more than once."""
    panels = []
    for serial in serials:
        abouts = {one.about for one in results.failed(serial)}
        for about, of_one in _by_quantity(results.of_device(serial)).items():
            if about in abouts and len(of_one) > FEWEST:
                panels.append(_course(results, of_one, f"{serial}: {about}"))
    caption = "All values of the run by bench time, with the limits (dashed)."
    return Chart("What was missed", caption, tuple(panels[:MOST_MISSED])) if panels else None


def worst(judged: Sequence[Judged]) -> float | None:
    """The value that is nearest to its limit, or farthest beyond it; None without numbers."""
    good = [(one.value, one.limit) for one in judged if one.value is not None and math.isfinite(one.value)]
    return min(good, key=lambda pair: _room(*pair))[0] if good else None


def _room(value: float, limit: Limit | None) -> float:
    """How far a value is within its limit; negative beyond it."""
    if limit is None:
        return math.inf
    if limit.equals is not None:
        return -abs(value - limit.equals)
    above = math.inf if limit.at_least is None else value - limit.at_least
    below = math.inf if limit.at_most is None else limit.at_most - value
    return min(above, below)


def _differ(graphs: Sequence[Graph]) -> bool:
    """Whether there is anything to be seen: no power cycle that failed needs no figure."""
    values = np.concatenate([graph.y for graph in graphs])
    good = values[np.isfinite(values)]
    return bool(good.size and good.max() > good.min())


def _warmths(graphs: Sequence[Graph]) -> list[float | None]:
    """From cold to warm; what has no temperature comes last."""
    found = {bucket(graph.temperature_c) for graph in graphs}
    return sorted(found, key=lambda celsius: (celsius is None, celsius or 0.0))


def _beside(graphs: Sequence[Graph], marked: Collection[tuple[str, str]], celsius: float | None) -> Panel:
    """One quantity of all parts; those that missed a goalpost lie above the others and are named."""
    series: list[Series] = []
    named: set[str] = set()
    odd = 0
    for graph in sorted(graphs, key=lambda graph: (graph.device, graph.part) in marked):
        if (graph.device, graph.part) in marked:
            label = f"{graph.device} {graph.part}" if odd < NAMED else ""
            series.append(_beside_others(graph, "orange" if odd % 2 == 0 else "pink", label, THICK))
            odd += 1
        else:
            tone, label = OF_PART.get(graph.part, "grey"), graph.part or "module"
            series.append(_beside_others(graph, tone, "" if label in named else label, THIN))
            named.add(label)
    count = f"{len(graphs)} part{'s' if len(graphs) != 1 else ''}"
    return _panel(count if celsius is None else f"{_degrees(celsius)}, {count}", graphs[-1], series)


def _of_part(part: str, graphs: Sequence[Graph]) -> Panel:
    """One quantity of one part, a colour for each temperature, with what was fitted."""
    series: list[Series] = []
    of_warmth = {bucket(graph.temperature_c): graph for graph in graphs}
    for number, celsius in enumerate(_warmths(graphs)):
        graph, tone = of_warmth[celsius], WARMTH[number % len(WARMTH)]
        label = ": ".join(filter(None, ("" if celsius is None else _degrees(celsius), graph.text)))
        filled = len(of_warmth) == 1
        series.append(Series(graph.x, graph.y, graph.kind, tone, label, graph.y_error, filled=filled))
        series += [Series(x, y, "line", tone, dashed=True) for x, y in graph.curves.values()]
    return _panel(part or "module", graphs[-1], series)


def _beside_others(graph: Graph, tone: Tone, label: str, weight: float) -> Series:
    """Points that follow each other are a line: dots of thirty parts would be told apart by nobody."""
    follow = graph.kind == "points" and bool(np.all(np.diff(graph.x) > 0))
    return Series(graph.x, graph.y, "line" if follow else graph.kind, tone, label, weight=weight)


def _panel(title: str, graph: Graph, series: Sequence[Series]) -> Panel:
    x_log, y_log = graph.x_scale == "log", graph.y_scale == "log"
    return Panel(title, graph.x_label, graph.y_label, tuple(series), x_log=x_log, y_log=y_log)


def _by_quantity(judged: Sequence[Judged]) -> Mapping[str, list[Judged]]:
    found: dict[str, list[Judged]] = {}
    for one in judged:
        found.setdefault(one.about, []).append(one)
    return found


def _tells(judged: Sequence[Judged]) -> bool:
    """Whether its course tells more than the table of verdicts."""
    times = len({one.task for one in judged})
    return times > FEWEST and len({one.value for one in judged}) > 1


def _course(results: RunResults, judged: Sequence[Judged], title: str) -> Panel:
    series = []
    for part in dict.fromkeys(one.part for one in judged):
        of_part = [one for one in judged if one.part == part and one.value is not None]
        numbers = f": worst {_short(worst(of_part))}, last {_short(of_part[-1].value)}" if of_part else ""
        series.append(_over_time(results, of_part, OF_PART.get(part, "grey"), f"{part or 'module'}{numbers}"))
    outside = [one for one in judged if one.verdict == "FAIL" and one.value is not None]
    if outside:
        series.append(_over_time(results, outside, "orange", "missed", weight=THICK))
    unit = "" if judged[0].unit == "1" else f" / {judged[0].unit}"
    bounds = {bound for one in judged if one.limit is not None for bound in _bounds(one.limit)}
    return Panel(_capital(title), "bench time / h", f"value{unit}", tuple(series), tuple(sorted(bounds)))


def _over_time(
    results: RunResults, judged: Sequence[Judged], tone: Tone, label: str, *, weight: float = 1.0
) -> Series:
    hours = np.array([results.hours.get(one.task, math.nan) for one in judged], dtype=float)
    values = np.array([one.value for one in judged], dtype=float)
    return Series(hours, values, "points", tone, label, weight=weight)


def _bounds(limit: Limit) -> list[float]:
    return [bound for bound in (limit.at_least, limit.at_most, limit.equals) if bound is not None]


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}".replace("-", "−")


def _degrees(celsius: float) -> str:
    return f"{celsius:.0f} °C".replace("-", "−")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
