"""From numbers of modules to a task's result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fat.configs import configs_folder
from fat.limits import load_limits
from fat.measurement import Measured, Measurement, verdict_of
from scheduler import TaskContext, TaskResult, Verdict


@dataclass(frozen=True, slots=True)
class Taken:
    """A value of one module, or of the control unit."""

    device: str
    """Such as AGIPD03, as its files name it."""
    measurement: Measurement
    value: float


def judged(
    context: TaskContext, taken: Sequence[Taken], outputs: Mapping[str, Any], *, limits: str = ""
) -> TaskResult:
    """The task's result: FAIL when a value of any device is outside its limit; each is noted in the journal.

    limits  name of the limit set; empty: the plan's
    """
    name = limits or str(context.parameters["limits"])
    known = load_limits(configs_folder() / "limits" / f"{name}.toml")
    measured = [replace(one.measurement, device=one.device).taken(float(one.value), known) for one in taken]
    for value in measured:
        if value.verdict is Verdict.FAIL:
            context.note(_sentence(value))
    return TaskResult(verdict_of(measured), {**outputs, "measurements": [m.as_json() for m in measured]})


def _sentence(measured: Measured) -> str:
    what = measured.what
    unit = "" if what.unit == "1" else f" {what.unit}"
    shown = "no number" if measured.value is None else f"{measured.value:.4g}{unit}"
    limit = "none" if measured.limit is None else str(measured.limit)
    return f"{what.device}: {what.about}: {shown}; limit {limit}"
