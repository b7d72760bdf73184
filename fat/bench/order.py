"""In which order the parts of a bench start: receivers bind first, senders get their addresses."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Part:
    """Something that the bench starts."""

    name: str
    needs: Sequence[str]
    """Endpoint keys, or prefixes ending in a dot, that must be known before."""
    provides: Sequence[str]
    """Keys, or prefixes ending in a dot, that it will add."""


def _meets(need: str, provided: str) -> bool:
    if need.endswith("."):
        return provided.startswith(need) or provided == need
    return provided == need or (provided.endswith(".") and need.startswith(provided))


def ready_to_start(waiting: Mapping[str, Part], running: Collection[str]) -> list[str]:
    """Names of the waiting parts whose needs no other part that is not yet running will provide.

    Parts that need each other in a circle are all returned once nothing else can start: each must cope with
    a need that is absent.
    """
    free = []
    for name, part in waiting.items():
        others = [other for key, other in waiting.items() if key != name and key not in running]
        blocked = any(_meets(need, p) for need in part.needs for other in others for p in other.provides)
        if not blocked:
            free.append(name)
    return free or list(waiting)
