"""Times of the catalogue: milliseconds since 1970 inside, Berlin time outside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

BERLIN: Final = ZoneInfo("Europe/Berlin")
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)

_LOST_PLUS: Final = re.compile(r"(?P<time>[T:]\S+) (?P<offset>\d\d:?\d\d)$")


def parse_time(text: str) -> int:
    """Read an ISO 8601 time: any offset, `Z`, or none (then it is Berlin time).

    A `+` that a client did not escape arrives as a space; it is put back. Returns milliseconds since 1970-01-01
    UTC, rounded down. Raises ValueError when it is no time, or lies outside 1970 … 2200.
    """
    try:
        at = datetime.fromisoformat(_LOST_PLUS.sub(r"\g<time>+\g<offset>", text.strip()))
    except (ValueError, OverflowError):
        raise ValueError("is not a time; write ISO 8601, such as 2026-01-05T09:00:00+01:00") from None
    if not EARLIEST.year < at.year < LATEST.year:
        raise ValueError(f"must lie between {EARLIEST.year + 1} and {LATEST.year - 1}")
    if at.tzinfo is None:
        at = at.replace(tzinfo=BERLIN)
    return (at - EPOCH) // timedelta(milliseconds=1)


def format_time(ms: int | None) -> str | None:
    """Milliseconds since 1970 as ISO 8601 with milliseconds and the offset of Europe/Berlin."""
    if ms is None:
        return None
    at = EPOCH + timedelta(milliseconds=ms)
    return at.astimezone(BERLIN).isoformat(timespec="milliseconds")


def version_name(begin_at_ms: int, start_idx: int) -> str:
    """The catalogue's name of a version, from the time its data begin: `20240229_101500_sIdx=0`."""
    at = (EPOCH + timedelta(milliseconds=begin_at_ms)).astimezone(BERLIN)
    return f"{at:%Y%m%d_%H%M%S}_sIdx={start_idx}"
