"""What an acquisition gives: results in the shape of the scan, the report of its series, remarks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pipeline.dectris.engine import SeriesReport, SeriesStart
from pipeline.dectris.reduce import FrameSums, VirtualDetectors
from pipeline.dectris.tune import Choice


@runtime_checkable
class WithResult(Protocol):
    """A reduction that has something to show, also while the series runs."""

    def result(self) -> Any:
        """What is there so far."""


@runtime_checkable
class WithEnd(Protocol):
    """A reduction that holds a file, or something else that must be closed after each series."""

    def close(self) -> None:
        """The series is over."""


@dataclass(frozen=True, slots=True, eq=False)
class AcquisitionResult:
    """What came of one series."""

    start: SeriesStart
    report: SeriesReport
    nav_shape: tuple[int, ...]
    results: tuple[Any, ...]
    """Of the reductions, in their order: sums (height, width); values of images in the shape of the scan."""
    remarks: tuple[str, ...]
    """What else there is to say: a series that does not fit the scan, what the unit dropped."""
    choice: Choice
    """The sizes that it ran with, and why."""
    dropped: int | None = None
    """Images that the unit says it dropped; None where it was not asked, or did not answer."""

    @property
    def complete(self) -> bool:
        """Whether the series is whole and fits the scan."""
        return self.report.complete and self.start.expected == math.prod(self.nav_shape)

    def sentences(self) -> tuple[str, ...]:
        """Everything that there is to say, a sentence each."""
        return *self.report.sentences(), *self.remarks


def results_of(reductions: Sequence[object], nav_shape: tuple[int, ...]) -> tuple[Any, ...]:
    """The reductions' results so far; values of single images in the shape of the scan."""
    return tuple(
        in_scan(reduction, reduction.result(), nav_shape) if isinstance(reduction, WithResult) else None
        for reduction in reductions
    )


def in_scan(reduction: object, result: Any, nav_shape: tuple[int, ...]) -> Any:
    """(…, frames) or (frames, 2) as (…, *nav_shape) or (*nav_shape, 2); other results as they are.

    Positions without an image are NaN, or 0 where values are integers; images beyond the scan are left out.
    """
    from pipeline.dectris.reduce import CentreOfMass

    if isinstance(reduction, (FrameSums, VirtualDetectors)):
        return _fitted(result, nav_shape).reshape(*result.shape[:-1], *nav_shape)
    if isinstance(reduction, CentreOfMass):
        return _fitted(result.T, nav_shape).T.reshape(*nav_shape, 2)
    return result


def _fitted(values: NDArray[Any], nav_shape: tuple[int, ...]) -> NDArray[Any]:
    """The last axis cut or filled up to the scan's length."""
    count, have = math.prod(nav_shape), values.shape[-1]
    if have >= count:
        return values[..., :count]
    filler = np.nan if values.dtype.kind == "f" else 0
    return np.concatenate(
        [values, np.full((*values.shape[:-1], count - have), filler, values.dtype)], axis=-1
    )


def fit_remarks(series: int, expected: int, nav_shape: tuple[int, ...]) -> tuple[str, ...]:
    """What is to be said when a series has another number of images than the scan has positions."""
    count = math.prod(nav_shape)
    scan = " × ".join(str(side) for side in nav_shape)
    if expected < count:
        return (
            f"series {series} has {expected} images; a scan of {scan} needs {count}, so its last {count - expected} "
            "positions stay empty",
        )
    if expected > count:
        return (
            f"series {series} has {expected} images, {expected - count} more than a scan of {scan}; sums hold all "
            "of them, maps the first",
        )
    return ()
