"""A measurement that is named after a temperature begins there, or people are told that it does not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fat.degg.station.module import Module
from fat.degg.tasks.box import box_celsius
from scheduler import TaskContext
from scheduler.notify.notice import Severity

AWAY_C: Final = 6.0
"""Vessels lag 3 to 4.5 C behind after the ten hours from -40 to -20 C, and a mainboard is 10 to 15 C warmer than its
vessel: a smaller difference says nothing."""
_NAMED: Final = re.compile(r"\bat ([-\N{MINUS SIGN}+]?\d+(?:\.\d+)?) ?(?:\N{DEGREE SIGN} ?)?C\b")


def named_celsius(comment: str) -> float | None:
    """The temperature that a comment names, `dark noise at -40 C`; None when it names none."""
    found = _NAMED.search(comment)
    return None if found is None else float(found[1].replace("\N{MINUS SIGN}", "-"))


def celsius_as_it_begins(context: TaskContext, boards: Mapping[Module, float], comment: str) -> float:
    """Air of the box by the mainboards, C, as a measurement begins; a warning where its comment names another.

    boards  temperatures of the mainboards, C; without any the box is NaN, and nobody is told
    """
    celsius, named = box_celsius(context, boards), named_celsius(comment)
    if named is not None and abs(celsius - named) > AWAY_C:
        sentence = f"{context.title} ({comment}) began while the box was at {celsius:.0f} C"
        context.note(sentence)
        context.notify(f"{sentence}, {abs(celsius - named):.0f} C away", severity=Severity.WARNING)
    return celsius
