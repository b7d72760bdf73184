"""Lengths of time as people write them: `40 s`, `20 min`, `1 h 30 min`, `2 d`; a bare number is seconds."""

from __future__ import annotations

import re
from typing import Any, Final

SECONDS: Final = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_PART: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(d|h|min|s)(?![a-z])")


def seconds(value: Any) -> float:
    """The length in seconds. Raises ValueError with a sentence."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        parts = _PART.findall(value)
        if parts and not _PART.sub("", value).strip():
            return sum(float(number) * SECONDS[unit] for number, unit in parts)
    raise ValueError(f"{value!r} is no length of time; write it like 40 s, 20 min, 1 h 30 min or 2 d")


def spoken(length_s: float) -> str:
    """A length with its two largest units: `2 d 3 h`, `12 min`, `40 s`."""
    left = round(length_s)
    if left == 0:
        return "0 s" if length_s == 0 else "< 1 s"
    words = []
    for unit, size in sorted(SECONDS.items(), key=lambda pair: -pair[1]):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count} {unit}")
    return " ".join(words[:2])
