"""The record of a run as JSON values: the folded journal, for reports, exports and comparisons."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from scheduler.folding import fold
from scheduler.journal import read_journal
from scheduler.state import RunState, TaskState

WALL_KEYS: Final = frozenset(
    {
        "at",
        "attempt",
        "created_at",
        "ended_at",
        "finished_at",
        "host",
        "pid",
        "started_at",
        "updated_at",
        "version",
        "wall_s",
    }
)
"""What differs between two runs that went the same way."""
CSV_COLUMNS: Final = (
    "id",
    "title",
    "verdict",
    "wall_s",
    "started_at",
    "started_sim_ns",
    "finished_sim_ns",
    "attempt",
    "error",
    "reason",
)
CLOCK_KEYS: Final = frozenset({"started_sim_ns", "finished_sim_ns"})
"""Of a task that takes no part in time: when it runs is a matter of the machine."""
BACKUP_KEYS: Final = frozenset({"file", "files", "sha256"})
"""An archive holds the journal, whose wall times and attempts differ."""


def record(run_dir: Path) -> dict[str, Any]:
    """The record of a run. Raises RunNotFound, JournalCorrupt."""
    return as_record(fold(read_journal(run_dir)))


def as_record(state: RunState) -> dict[str, Any]:
    """A run's state as JSON values."""
    return {
        "run": state.run,
        "plan": state.plan.name if state.plan else None,
        "parameters": dict(state.plan.parameters) if state.plan else {},
        "status": str(state.status),
        "verdict": str(state.verdict),
        "stopped_by": None if state.stop is None else state.stop.text,
        "attempt": state.attempt,
        "created_at": state.created_at,
        "started_at": state.started_at,
        "ended_at": state.ended_at,
        "updated_at": state.updated_at,
        "host": state.host,
        "pid": state.pid,
        "version": state.version,
        "sim_ns": state.sim_ns,
        "tasks": [_task(task) for task in state.tasks.values()],
    }


def comparable(body: Mapping[str, Any]) -> dict[str, Any]:
    """A record without wall times, attempt numbers and host: equal for runs that went the same way, killed or not."""
    # Where archives lie and what they are called is of no matter.
    keys = WALL_KEYS | {"backups"}
    tasks = [
        {
            **_without(task, keys if task["timed"] else keys | CLOCK_KEYS),
            "backup": _saved(task["backup"]),
            "artefacts": task["artefacts"]["files"],
            # What is put right once is well when a resumed run looks again.
            "checks": {
                name: _without(seen, frozenset({"repaired"})) for name, seen in task["checks"].items()
            },
            "answers": [_without(answer, WALL_KEYS) for answer in task["answers"]],
        }
        for task in body["tasks"]
    ]
    return {**_without(body, WALL_KEYS), "tasks": tasks}


def as_csv(body: Mapping[str, Any]) -> str:
    """A record as a table with a row for each task, for spreadsheets; outputs as JSON in the last column."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow((*CSV_COLUMNS, "outputs"))
    for task in body["tasks"]:
        cells = ("" if task[name] is None else _plain(str(task[name])) for name in CSV_COLUMNS)
        table.writerow((*cells, json.dumps(task["outputs"])))
    return text.getvalue()


def _plain(cell: str) -> str:
    """Text that a spreadsheet would take for a formula gets a quote in front."""
    return f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell


def _without(body: Mapping[str, Any], keys: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in keys}


def _saved(backup: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if backup is None else _without(backup, BACKUP_KEYS)


def _task(state: TaskState) -> dict[str, Any]:
    task, backup = state.task, state.backup
    return {
        "id": task.id,
        "title": task.title,
        "call": task.call,
        "arguments": dict(task.arguments),
        "timed": task.timed,
        "status": str(state.status),
        "verdict": str(state.verdict),
        "attempt": state.attempt,
        "outputs": dict(state.outputs),
        "error": state.error,
        "traceback": state.traceback,
        "failures": list(state.failures),
        "reason": state.reason,
        "notes": list(state.notes),
        "artefacts": {
            "folder": state.artefact_folder if state.artefacts else "",
            "files": [asdict(artefact) for artefact in state.artefacts],
        },
        "answers": [asdict(answer) for answer in state.answers],
        "checks": {name: asdict(seen) for name, seen in state.checks.items()},
        "backup": None
        if backup is None
        else {
            "verified": backup.verified,
            "file": backup.file,
            "sha256": backup.sha256,
            "files": backup.files,
            "error": backup.error,
        },
        "backups": {to: asdict(seen) for to, seen in state.saved.seen.items()},
        "started_at": state.started_at,
        "finished_at": state.finished_at,
        "wall_s": state.wall_s,
        "started_sim_ns": state.started_sim_ns,
        "finished_sim_ns": state.finished_sim_ns,
    }
