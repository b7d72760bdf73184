"""How the pages write: durations, times of day, figures; and text of tasks made harmless."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Final

from scheduler.state import TaskStatus
from scheduler.verdict import Verdict

MARKS: Final = {
    Verdict.PASS: "✔",
    Verdict.FAIL: "✘",
    Verdict.ERROR: "!",
    Verdict.ABORTED: "■",
    Verdict.SKIPPED: "–",
    Verdict.UNSET: "",
}
"""A shape for each verdict: nobody needs its colour."""
MINUS: Final = "\u2212"
_ANSI: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_CONTROLS: Final = {code: 0x2400 + code for code in range(32) if code != 9} | {0x7F: 0x2421}
_HIDDEN: Final = dict.fromkeys(
    [*range(0x80, 0xA0), *range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2066, 0x206A), 0xFEFF], "·"
)
_UNSEEN: Final = dict.fromkeys((*range(9), *range(11, 32), 127, *_HIDDEN))
_SHOWN: Final[dict[int, int | str]] = {**_CONTROLS, **_HIDDEN}


def harmless(text: str, most: int) -> str:
    """One line of text that cannot do anything to a display: without colour codes, control characters as pictures."""
    line = _ANSI.sub("", text[: 4 * most]).translate(_SHOWN)
    return line if len(line) <= most else f"{line[: most - 1]}…"


def printable(value: object) -> object:
    """What a page says, without what could act on a display: for whatever reached it without being made harmless."""
    # Markup is what templates have made already.
    return value.translate(_UNSEEN) if type(value) is str else value


def duration(seconds: float | None) -> str:
    """Text of a duration: `0.4 s`, `12 s`, `3:05`, `2:03:05`, `2 d 3:05 h`; nothing for None."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24}:{minutes:02d} h"
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def about(seconds: float | None) -> str:
    """A duration that is only estimated, in two units: `40 s`, `12 min`, `3 h 20 min`, `2 d 3 h`."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def time_of_day(at: float | None, now_s: float) -> str:
    """`14:05`, with the day when it is another one, or the date beyond a week; in the bench's time zone."""
    if at is None or not math.isfinite(at):
        return ""
    try:
        then, now = (datetime.fromtimestamp(t).astimezone() for t in (at, now_s))
    except (OverflowError, ValueError, OSError):
        return ""
    days = abs((then.date() - now.date()).days)
    return then.strftime("%H:%M" if days == 0 else "%a %H:%M" if days < 7 else "%Y-%m-%d %H:%M")


def figure(value: float | None) -> str:
    """A number with about four digits that count: `1412`, `3.512`, `−40.2`, `1.2e-05`."""
    if value is None or not math.isfinite(value):
        return "–"
    size = abs(value)
    if size and (size >= 1e7 or size < 1e-3):
        text = f"{value:.3g}"
    else:
        text = f"{value:.0f}" if size >= 1e3 else f"{value:.4g}"
    return text.replace("-", MINUS)


def signal(status: TaskStatus, verdict: Verdict) -> tuple[str, str]:
    """Shape and word for a task."""
    if status is TaskStatus.RUNNING:
        return "▶", "running"
    return MARKS[verdict], "" if verdict is Verdict.UNSET else str(verdict)
