"""From numbers of modules to a task's result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fat.configs import configs_folder
from fat.limits import load_limits
from fat.measurement import Measurement, verdict_of
from scheduler import TaskContext, TaskResult


@dataclass(frozen=True, slots=True)
class Taken:
    """A value of one module, or of the control unit."""

    device: str
    """Such as AGIPD03, as its files name it."""
    measurement: Measurement
    value: float


def judged(context: TaskContext, taken: Sequence[Taken], outputs: Mapping[str, Any]) -> TaskResult:
    """The task's result: FAIL when a value of any device is outside its limit; who failed is noted in the journal."""
    limits = load_limits(configs_folder() / "limits" / f"{context.parameters['limits']}.toml")
    measured = [(one.device, one.measurement.taken(float(one.value), limits)) for one in taken]
    for device, value in measured:
        if value.verdict == "FAIL":
            shown = "no number" if value.value is None else f"{value.value:.4g} {value.unit}"
            limit = "none" if value.limit is None else str(value.limit)
            context.note(f"{device}: {value.about}: {shown}, limit {limit}")
    listed = [{**value.as_json(), "device": device, "part": ""} for device, value in measured]
    return TaskResult(verdict_of(value for _, value in measured), {**outputs, "measurements": listed})
