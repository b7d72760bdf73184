"""Fewer events where they cost much and tell little: for simulated modules, whose events cost computing time.

The published counts are the functions' own defaults. With these the analyses still stay within their goals: the dark
rate by a hundred periods of a second is that of 5000 of a tenth, with fewer questions to consoles (docs/degg-dark.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from fat.degg.schedule.section import Step

FEWER: Final[Mapping[str, Mapping[str, str | int | float | bool]]] = {
    "measure_scaler": {
        "n_jobs": 4,
        "use_fir": True,
        "threshold_pe": 0.25,
        "periods": 100,
        "period_ms": 1000,
    },
    "measure_hv": {"n_jobs": 4, "step_volts": 10.0, "reads": 5},
    "measure_camera": {"n_jobs": 4, "frames": 10},
    "measure_linearity": {"n_jobs": 4, "events": 2000},
    "slowmon": {"n_jobs": 4, "verbose": False, "events": 500},
}
"""By task: arguments after its comment, all up to the last that differs, since the ini form goes by position."""


def economical(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps, with fewer events."""
    for step in steps:
        yield replace(step, arguments={**step.arguments, **FEWER.get(step.task, {})})
