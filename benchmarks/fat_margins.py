"""How far from their limits are the values of a finished run? `python benchmarks/fat_margins.py RUN_FOLDER...`.

Several runs are taken together. For each limit that judged: how many values, smallest, median, greatest, and two
distances in standard deviations, each of the side of the limit alone (a tail towards it counts, one away does not):

    all      from the median of all values to the limit, by the spread of all
    one      from the mean of the nearest part to the limit, by the spread of repeats: values of one part of one module,
             at whatever temperatures

`one` tells how often a good module is called bad by an error of measurement; `all` how often a module is made that
misses the limit, if modules differ by chance. Simulated ones are drawn from ranges that end before the limit: there a
small `all` is no harm. A `-` has no spread, or no repeats, to measure by.

    --least N   tell of limits whose `one` is below N (5)

The exit code is 1 when there is such a limit, or a value is outside.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEAST_SIGMAS = 5.0


@dataclass(frozen=True)
class Margin:
    """One side of one limit, and the values that it has judged."""

    limit: str
    """Name of the goalpost, without its prefix."""
    unit: str
    side: str
    """`at least` or `at most`."""
    bound: float
    count: int
    least: float
    median: float
    most: float
    of_all: float
    """Standard deviations from the median to the bound; NaN without a spread."""
    of_one: float
    """Standard deviations of repeats from the nearest part's mean to the bound; NaN without repeats."""
    missed: int

    def near(self, least: float) -> bool:
        """Nearer than so many standard deviations of repeats."""
        return self.of_one < least


def margins(measurements: Iterable[dict[str, Any]]) -> Iterator[Margin]:
    """Of measurements as a record has them, by the name of the limit; what is no number is left out."""
    judged: dict[tuple[str, str, float], list[dict[str, Any]]] = defaultdict(list)
    for measured in measurements:
        limit, value = measured.get("limit"), measured["value"]
        if limit is None or value is None or not np.isfinite(value):
            continue
        for side in ("at_least", "at_most"):
            if limit[side] is not None:
                judged[(limit["name"].rsplit("_", 1)[-1], side, limit[side])].append(measured)
    for (name, side, bound), values in sorted(judged.items()):
        yield _margin(name, side, bound, values)


def _margin(name: str, side: str, bound: float, measured: Sequence[dict[str, Any]]) -> Margin:
    """Distances are those of mirrored values for `at_least`, so that greater is always nearer."""
    sign = 1.0 if side == "at_most" else -1.0
    values = np.array([float(one["value"]) for one in measured])
    median, parts = float(np.median(values)), _parts(measured)
    nearest = max(sign * part.mean() for part in parts)
    return Margin(
        name,
        measured[0]["unit"],
        side.replace("_", " "),
        bound,
        values.size,
        float(values.min()),
        median,
        float(values.max()),
        _over(sign * (bound - median), sign * (values - median)),
        _over(sign * bound - nearest, sign * _residuals(parts)),
        int(np.count_nonzero(sign * (values - bound) > 0)),
    )


def _parts(measured: Sequence[dict[str, Any]]) -> list[NDArray[np.float64]]:
    """Values of each part of each run."""
    groups: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for one in measured:
        groups[(one.get("run"), one.get("device"), one.get("part"))].append(float(one["value"]))
    return [np.array(values) for values in groups.values()]


def _residuals(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Of repeats from their part's mean, as wide as if the mean were known."""
    wide = [(part - part.mean()) * np.sqrt(part.size / (part.size - 1)) for part in parts if part.size > 1]
    return np.concatenate(wide) if wide else np.zeros(0)


def _over(distance: float, deviations: NDArray[np.float64]) -> float:
    """In standard deviations of the positive side; NaN when nothing deviates."""
    towards = deviations[deviations > 0]
    sigma = float(np.sqrt(np.mean(towards**2))) if towards.size else 0.0
    return distance / sigma if sigma else float("nan")


def main() -> int:
    """Read, print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--least", type=float, default=LEAST_SIGMAS)
    given = parser.parse_args()
    found = list(margins(of_runs(given.runs)))
    print(
        f"{'limit':40} {'':8} {'':>7} {'values':>6} {'least':>9} {'median':>9} {'most':>9} {'all':>6} {'one':>6}"
    )
    for margin in found:
        print(_row(margin, given.least))
    near = sum(margin.near(given.least) or margin.missed > 0 for margin in found)
    print(f"{near or 'no'} limits are nearer than {given.least:g} standard deviations, or missed")
    return 1 if near else 0


def of_runs(folders: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """What the runs have measured; each measurement tells its run."""
    for folder in folders:
        for _, measured in json.loads((folder / "record.json").read_text())["measurements"]:
            yield {**measured, "run": str(folder)}


def _row(margin: Margin, least: float) -> str:
    all_, one = ("-" if np.isnan(value) else f"{value:.1f}" for value in (margin.of_all, margin.of_one))
    mark = f"  {margin.missed} missed" if margin.missed else "  near" if margin.near(least) else ""
    return (
        f"{margin.limit:40} {margin.side:8} {margin.bound:7g} {margin.count:6} {margin.least:9.4g} "
        f"{margin.median:9.4g} {margin.most:9.4g} {all_:>6} {one:>6}{mark}"
    )


if __name__ == "__main__":
    sys.exit(main())
