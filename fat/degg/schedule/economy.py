"""Fewer events where they cost much and tell little: for simulated modules, whose events cost computing time.

Fewer events also take less of the bench's time, and the freezer's does not get shorter by that: a loop of monitoring
took an hour with the published events and takes three minutes with these. What a move of the freezer lasts is therefore
waited for, in its quick monitoring, so that what is to be measured at -40 C is measured there. On a bench whose clock
skips, that costs a millisecond.

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

BEFORE_MINUTES: Final[Mapping[str, int]] = {"n_jobs": 4, "repeats": 3}
"""Of `online_mon`, between its comment and its minutes: its own defaults, which the ini form must name."""


def economical(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps, with fewer events and what the freezer's moves need of time."""
    for step in steps:
        arguments = {**step.arguments, **FEWER.get(step.task, {})}
        if step.minutes:
            arguments |= {**BEFORE_MINUTES, "minutes": step.minutes}
        yield replace(step, arguments=arguments)
