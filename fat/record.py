"""The record of an acceptance run: what its journal tells, its measurements, and where they come from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fat.files import write_json_atomically
from scheduler import RunState, Verdict, open_run
from scheduler.state import TaskState


def write_record(run_dir: Path) -> dict[str, Any]:
    """Write `record.json` from the journal, and return it."""
    record = build_record(open_run(run_dir))
    write_json_atomically(run_dir / "record.json", record)
    return record


def is_recorded(run_dir: Path) -> bool:
    """Whether `record.json` tells what the journal tells; a report may have added to it."""
    try:
        written = json.loads((run_dir / "record.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    told = json.loads(json.dumps(build_record(open_run(run_dir))))
    return isinstance(written, dict) and all(written.get(key) == value for key, value in told.items())


def build_record(state: RunState) -> dict[str, Any]:
    """The record of a run in any state."""
    parameters: Mapping[str, Any] = {} if state.plan is None else state.plan.parameters
    measurements = [
        [task.task.id, measured]
        for task in state.tasks.values()
        for measured in task.outputs.get("measurements", ())
    ]
    started = state.started_at
    return {
        "run": state.run,
        "plan": "" if state.plan is None else state.plan.name,
        "verdict": str(state.verdict),
        "summary": _summary(state, measurements),
        "started": None
        if started is None
        else datetime.fromtimestamp(started, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "host": state.host,
        "version": state.version,
        "attempt": state.attempt,
        "provenance": {
            "bench": parameters.get("bench", ""),
            "seed": parameters.get("seed"),
            "bench_sha256": hashlib.sha256(str(parameters.get("bench_text", "")).encode()).hexdigest(),
            "detector": parameters.get("detector"),
            "modules": parameters.get("modules"),
            "runs": parameters.get("runs"),
            "constants": state.tasks["light"].outputs.get("constants") if "light" in state.tasks else None,
            **parameters.get("provenance", {}),
        },
        "measurements": measurements,
        "tasks": [_task(task) for task in state.tasks.values()],
    }


def comparable(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record without what differs from run to run though the result is the same: wall times, attempts, host."""
    kept = {
        key: value for key, value in record.items() if key not in ("started", "host", "attempt", "version")
    }
    wall = ("started_at", "wall_s", "attempt")
    kept["tasks"] = [{k: v for k, v in task.items() if k not in wall} for task in record["tasks"]]
    return kept


def _task(task: TaskState) -> dict[str, Any]:
    backup = ""
    if task.backup is not None:
        backup = "verified" if task.backup.verified else f"failed: {task.backup.error}"
    return {
        "id": task.task.id,
        "title": task.task.title,
        "verdict": str(task.verdict),
        "outputs": {key: value for key, value in task.outputs.items() if key != "measurements"},
        "error": task.error or task.reason,
        "backup_text": backup,
        "attempt": task.attempt,
        "started_at": task.started_at,
        "wall_s": task.wall_s,
        "started_sim_ns": task.started_sim_ns,
        "finished_sim_ns": task.finished_sim_ns,
    }


def _summary(state: RunState, measurements: list[list[Any]]) -> str:
    failed = [
        f"{measured['device']}: {measured['about']}" if measured.get("device") else measured["about"]
        for _, measured in measurements
        if measured["verdict"] == Verdict.FAIL
    ]
    done = sum(task.verdict is not Verdict.UNSET for task in state.tasks.values())
    text = f"{done} of {len(state.tasks)} tasks done, {len(measurements)} measurements"
    if failed:
        return f"{text}; outside its limit: {', '.join(failed)}."
    return f"{text}, all within their limits." if measurements else f"{text}."
