"""Finding devices by parts of their names: words in any order, any case, without hyphens, with small typos."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LONGEST: Final = 100
"""Characters of a search that count."""
_RUNS: Final = re.compile(r"[^\W\d_]+|\d+")


@dataclass(frozen=True, slots=True)
class Device:
    """A device with its name, and other words by which people know it: detector, aggregator, position."""

    id: int
    name: str
    place: str = ""


def find(search: str, devices: Sequence[Device]) -> list[int]:
    """Ids of the devices that are meant.

    Those whose names hold all words; if there are none, those that hold them in name and place; if there are none
    either, those that hold them but for typos. Digits are never taken for typos: M103 is not M104.
    """
    words = _words(search)
    if not words:
        return [device.id for device in devices]
    names = {device.id: squashed(device.name) for device in devices}
    full = {device.id: names[device.id] + " " + squashed(device.place) for device in devices}
    for texts in (names, full):
        if found := [key for key, text in texts.items() if all(word in text for word in words)]:
            return found
    return [key for key, text in full.items() if all(_nearly(word, text) for word in words)]


def squashed(text: str) -> str:
    """Letters and digits only, without case."""
    return "".join(c for c in text.casefold() if c.isalnum())


def _words(search: str) -> list[str]:
    # Hyphens, underscores and blanks all separate: people remember the parts, not what stood between them.
    return ["".join(word) for word in re.findall(r"[^\W_]+", search[:LONGEST].casefold())]


def _nearly(word: str, text: str) -> bool:
    return all(run in text if run.isdigit() else _letters_nearly(run, text) for run in _RUNS.findall(word))


def _letters_nearly(letters: str, text: str) -> bool:
    allowed = 0 if len(letters) < 4 else 1 if len(letters) < 8 else 2
    return letters in text or distance_within(letters, text) <= allowed


def distance_within(pattern: str, text: str) -> int:
    """Fewest edits (insert, delete, replace, swap neighbours) that make *pattern* a part of *text*."""
    before_last: list[int] = []
    last = [0] * (len(text) + 1)
    for i, wanted in enumerate(pattern, 1):
        row = [i]
        for j, there in enumerate(text, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (wanted != there))
            if i > 1 and j > 1 and wanted == text[j - 2] and pattern[i - 2] == there:
                cost = min(cost, before_last[j - 2] + 1)
            row.append(cost)
        before_last, last = last, row
    return min(last)
