"""How entries of the logbook are shown to people."""

from __future__ import annotations

from typing import Any, Final

from fat.degg.logbook.book import Entry

MOST: Final = 60
"""Characters of a gist."""
TOLD: Final = ("text", "reason", "comment")
"""Fields that say in words what an entry is about; the first one that has some."""


def shown(value: Any) -> str:
    """A value of a form as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def gist(entry: Entry, most: int = MOST) -> str:
    """What an entry is about, in one line; nothing if it says so nowhere."""
    told = next((str(entry.values[name]) for name in TOLD if entry.values.get(name)), "")
    line = told.partition("\n")[0]
    return line if len(line) <= most else f"{line[: most - 1]}…"
