"""How the cost grows: with the number of modules and of memory cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.bench.end_to_end import EndToEnd, Load
from pipeline.bench.end_to_end import measure as run


@dataclass(frozen=True, slots=True)
class Growth:
    """Measured loads and a fit: core-milliseconds = a + b × module images of a train."""

    points: Sequence[EndToEnd]
    per_train_ms: float
    """Core-milliseconds of a train without images, of all parts together."""
    per_module_image_ms: float

    @property
    def per_image_ms(self) -> float:
        """Core-milliseconds of one more image of sixteen modules."""
        return 16 * self.per_module_image_ms


def measure(
    modules: Sequence[int],
    frames: Sequence[int],
    seconds: float,
    most_images_per_s: float,
    tell: Callable[[str], None],
) -> Growth:
    """Run every combination that two cores can hold, at ten trains a second."""
    points = []
    for count in modules:
        for cells in frames:
            load = Load(frames=cells, modules=count, seconds=seconds, client=False)
            if load.images_per_s > most_images_per_s:
                continue
            tell(f"{count} modules × {cells} frames")
            points.append(run(replace(load)))
    return fitted(points)


def fitted(points: Sequence[EndToEnd]) -> Growth:
    """A line through the loads that held: one that lost trains had too little of the machine."""
    held = [point for point in points if point.holds]
    images = np.array([point.load.frames * point.load.modules for point in held], float)
    cost = np.array([_cost_ms(point) for point in held])
    slope, constant = np.polyfit(images, cost, 1) if len(held) > 1 else (float("nan"), float("nan"))
    return Growth(points, float(constant), float(slope))


def _cost_ms(point: EndToEnd) -> float:
    """Core-milliseconds in the 100 ms of a train."""
    return 100 * sum(point.cores.values())


def plot(growth: Growth, path: Path) -> None:
    """Core-milliseconds of a train against its module images, with the fit."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    markers = "osD^v*"
    for number, modules in enumerate(sorted({point.load.modules for point in growth.points})):
        chosen = [point for point in growth.points if point.load.modules == modules]
        colour, label = f"C{number}", f"{modules} module{'s' if modules > 1 else ''}"
        for held in (True, False):
            points = [point for point in chosen if point.holds == held]
            axes.plot(
                [point.load.frames * point.load.modules for point in points],
                [_cost_ms(point) for point in points],
                markers[number % len(markers)],
                label=label if held else None,
                color=colour,
                markerfacecolor=colour if held else "none",
                alpha=0.85,
            )
    span = np.array(axes.get_xlim()).clip(0)
    axes.plot(span, growth.per_train_ms + growth.per_module_image_ms * span, color="0.4", linewidth=1)
    axes.set(xlabel="module images in a train", ylabel="core-milliseconds for each train")
    axes.set_title(
        f"{growth.per_train_ms:.1f} ms + {growth.per_module_image_ms:.3f} ms for each module image; "
        "hollow: trains were lost",
        fontsize=10,
    )
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)
