"""From values to places along an axis, and where its ticks are. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MARGIN: Final = 0.05
"""Of the range, left free on both sides."""
FEW_DECADES: Final = 2.3
"""An axis of fewer has ticks at 1, 2 and 5 of each."""
SUPERSCRIPTS: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True, slots=True)
class Axis:
    """A range of values, linear or logarithmic."""

    low: float
    """In the decades of a logarithmic axis."""
    high: float
    log: bool

    def place(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """From 0, its low end, to 1; NaN where there is no such place."""
        plain = np.asarray(values, dtype=float)
        if self.log:
            plain = np.log10(np.where(plain > 0, plain, np.nan))
        return np.asarray((plain - self.low) / (self.high - self.low))

    def ticks(self, about: int) -> list[tuple[float, str]]:
        """Places and labels of about so many ticks."""
        values = self._decades(about) if self.log else _even(self.low, self.high, about)
        if self.log and len(values) < 2:
            values = [value for value in _even(10**self.low, 10**self.high, about) if value > 0]
        places = self.place(np.array(values, dtype=float))
        texts = _texts(values)
        return [
            (float(place), text)
            for place, text in zip(places, texts, strict=True)
            if -1e-9 <= place <= 1 + 1e-9
        ]

    def _decades(self, about: int) -> list[float]:
        first, last = math.floor(self.low), math.ceil(self.high)
        if self.high - self.low < FEW_DECADES:
            return [
                by * 10.0**decade
                for decade in range(first, last + 1)
                for by in (1, 2, 5)
                if self.low <= decade + math.log10(by) <= self.high
            ]
        step = max(1, round((last - first) / about))
        return [
            10.0**decade
            for decade in range(first - first % step, last + 1, step)
            if self.low <= decade <= self.high
        ]


def axis_of(values: Iterable[NDArray[Any]], *, log: bool = False) -> Axis:
    """An axis on which all of these have a place; from 0 to 1 without any."""
    lows, highs = [], []
    for some in values:
        plain = np.asarray(some, dtype=float)
        good = plain[np.isfinite(plain) & (plain > 0)] if log else plain[np.isfinite(plain)]
        if good.size:
            lows.append(float(good.min()))
            highs.append(float(good.max()))
    if not lows:
        return Axis(0.0, 1.0, log)
    low, high = min(lows), max(highs)
    if log:
        low, high = math.log10(low), math.log10(high)
    if high - low < 1e-9 * max(abs(low), abs(high), 1e-9):
        half = 0.5 if log or low == 0 else 0.1 * abs(low)
        low, high = low - half, high + half
    free = MARGIN * (high - low)
    # Values that begin at nothing are shown from there on.
    return Axis(low if low == 0 and not log else low - free, high + free, log)


def _even(low: float, high: float, about: int) -> list[float]:
    rough = (high - low) / about
    decade = 10.0 ** math.floor(math.log10(rough))
    step = next(by * decade for by in (1, 2, 2.5, 5, 10) if by * decade >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _texts(values: list[float]) -> list[str]:
    """Short, and all of one kind."""
    most = max((abs(value) for value in values), default=0.0)
    if 1e-3 <= most < 1e5 or most == 0:
        return [f"{value:.6g}".replace("-", "−") for value in values]
    return [_with_power(value) for value in values]


def _with_power(value: float) -> str:
    if value == 0:
        return "0"
    power = math.floor(math.log10(abs(value)) + 1e-9)
    front = value / 10.0**power
    tail = f"10{str(power).translate(SUPERSCRIPTS)}"
    return tail if abs(front - 1) < 1e-9 else f"{front:.3g}·{tail}".replace("-", "−")
