"""The fault script: which fault strikes when, drawn from a seed. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

CALM_S: Final = (3.0, 9.0)
"""Shortest and longest time without a fault between two."""
STRIKES: Final = (1, 6)
"""Fewest and most trains that a fault strikes."""
FIRST_S: Final = 4.0
LEFT_OUT: Final = frozenset({"unasked_train", "dead_asic", "noisy_module", "swapped_gain", "clipped_adc"})
"""Faults that need an acquisition to end, and those of images, which no ledger shows."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One fault at a time."""

    at_s: float
    """Seconds after the soak began."""
    device: str
    fault: str
    times: int
    """How often it strikes; then it is over by itself."""
    parameters: Mapping[str, Any]


def draw_script(
    seed: int, seconds: float, faults: Mapping[str, Mapping[str, Mapping[str, Any]]], modules: int
) -> list[Strike]:
    """Faults over *seconds*, with calm between them, the same for the same seed.

    faults  by device and name, with their parameters' defaults
    """
    rng = random.Random(seed)
    known = [(device, name) for device in sorted(faults) for name in sorted(set(faults[device]) - LEFT_OUT)]
    script, at = [], FIRST_S
    while at < seconds - CALM_S[1]:
        device, name = rng.choice(known)
        parameters = {"module": rng.randrange(modules)} if "module" in faults[device][name] else {}
        script.append(Strike(round(at, 2), device, name, rng.randint(*STRIKES), parameters))
        at += rng.uniform(*CALM_S)
    return script
