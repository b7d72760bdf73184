"""A figure of a report before it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is drawn from which arrays."""

    anchor: str
    """In the page, and the name of the picture's file."""
    title: str
    caption: str
    arrays: str
    """Name of the arrays that a task left (`fat.report.data`)."""
    task: str
    """Title of that task, for a report that is written before it has run."""
    draw: Callable[[dict[str, Any]], bytes]
    """From the arrays to PNG."""
