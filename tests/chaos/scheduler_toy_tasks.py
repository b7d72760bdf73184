"""The functions of the toy plan. Light to import: each task process does."""

from __future__ import annotations

import json

from scheduler.task import CheckResult, TaskContext, TaskResult
from scheduler.verdict import Verdict

STEP_NS = 1_000_000_000


def measure(context: TaskContext) -> TaskResult:
    """Take a while, say so, and build on what came before."""
    now = context.clock.wait_until(context.clock.now_ns() + context.arguments["steps"] * STEP_NS)
    context.progress(1, 1)
    context.note(f"measured for {context.arguments['steps']} steps")
    total = context.arguments["steps"] + sum(result["total"] for result in context.results.values())
    (context.run_dir / f"{context.task_id}.json").write_text(json.dumps({"total": total}))
    return TaskResult(Verdict(context.arguments.get("verdict", "PASS")), {"total": total, "at": now})


def all_is_well(context: TaskContext) -> CheckResult:
    """A check that takes time, as one that asks hardware does."""
    context.clock.wait_until(context.clock.now_ns() + STEP_NS // 4)
    return CheckResult(True, f"well before {context.task_id}")
