"""One run in a line of the history, and its values: small, and kept once the run cannot change any more."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from scheduler.files import replace_json
from scheduler.schedule.forecast import spans
from scheduler.state import RunState, RunStatus, TaskStatus, resumable
from scheduler.verdict import Verdict
from scheduler.web.schedule import BAD
from scheduler.web.text import harmless
from scheduler.web.values import Key, Sheet, Value, as_json, value_from

KEPT: Final = ".page"
"""Folder below that of the runs: what can be made from the journals at any time."""
FORM: Final = 1
SPANS_KEPT: Final = 30


@dataclass(frozen=True, slots=True)
class Summary:
    """One run in a line."""

    run: str
    plan: str
    verdict: str
    """Empty while it has none."""
    status: str
    operator: str
    started_at: float | None
    ended_at: float | None
    tasks: int
    done: int
    bad: int
    """Tasks that failed, broke or were aborted."""
    values: int
    outside: int
    """Values outside their limits."""
    spans: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """How long its tasks took, seconds by the run's clock, by function; some of each."""
    final: bool = False
    """Nothing about it can change any more."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read what `asdict` made. Raises KeyError, TypeError, ValueError."""
        told = {f.name: body[f.name] for f in fields(cls)}
        told["spans"] = {call: tuple(map(float, seconds)) for call, seconds in body["spans"].items()}
        return cls(**told)


def summarise(run: str, state: RunState, sheet: Sheet, *, alive: bool) -> Summary:
    """A run in a line."""
    tasks = state.tasks.values()
    latest = sheet.latest()
    parameters = state.plan.parameters if state.plan is not None else {}
    finished = state.status is RunStatus.FINISHED
    operator = parameters.get("operator")
    return Summary(
        run=run,
        plan=harmless(state.plan.name, 120) if state.plan is not None else "",
        verdict=str(state.verdict) if finished else "",
        status=str(state.status) if finished or alive else "stopped",
        operator=harmless(operator, 60) if isinstance(operator, str) else "",
        started_at=state.started_at,
        ended_at=state.ended_at if state.ended_at is not None or alive else state.updated_at,
        tasks=len(state.tasks),
        done=sum(task.status is TaskStatus.DONE for task in tasks),
        bad=sum(task.verdict in BAD for task in tasks),
        values=len(latest),
        outside=sum(value.verdict is Verdict.FAIL for value in latest),
        spans={call: tuple(seconds[-SPANS_KEPT:]) for call, seconds in spans(state).items()},
        final=finished and not alive and not resumable(state),
    )


def keep(root: Path, summary: Summary, values: Mapping[Key, Value]) -> None:
    """Write a summary and values beside the runs, so that they need not be made again. A full disk is no trouble."""
    with contextlib.suppress(OSError, ValueError):
        (root / KEPT).mkdir(exist_ok=True)
        body = {"form": FORM, "values": [as_json(value) | {"task": value.task} for value in values.values()]}
        replace_json(root / KEPT / f"{summary.run}-values.json", body)
        replace_json(root / KEPT / f"{summary.run}.json", {"form": FORM, "summary": asdict(summary)})


def kept_summary(root: Path, run: str) -> Summary | None:
    """A summary that was kept; None when there is none that can be read."""
    try:
        body = json.loads((root / KEPT / f"{run}.json").read_text(encoding="utf-8"))
        return Summary.from_json(body["summary"]) if body["form"] == FORM else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def kept_values(root: Path, run: str) -> dict[Key, Value] | None:
    """Values that were kept; None when there are none that can be read."""
    try:
        body = json.loads((root / KEPT / f"{run}-values.json").read_text(encoding="utf-8"))
        if body["form"] != FORM:
            return None
        values = [value_from(str(told["task"]), told) for told in body["values"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return {value.key: value for value in values}
