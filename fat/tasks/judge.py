"""From numbers to a task's result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fat.configs import configs_folder
from fat.limits import load_limits
from fat.measurement import Measurement, verdict_of
from scheduler import TaskContext, TaskResult


def judged(
    context: TaskContext, taken: Sequence[tuple[Measurement, float]], outputs: Mapping[str, Any]
) -> TaskResult:
    """The task's result: FAIL when a value is outside its limit; the measurements go into the record."""
    limits = load_limits(configs_folder() / "limits" / f"{context.parameters['limits']}.toml")
    measured = [measurement.taken(float(value), limits) for measurement, value in taken]
    return TaskResult(verdict_of(measured), {**outputs, "measurements": [m.as_json() for m in measured]})
