"""The functions of the toy plan. Light to import: each task process does."""

from __future__ import annotations

import json

from scheduler.task import CheckResult, TaskContext, TaskResult
from scheduler.verdict import Verdict

STEP_NS = 1_000_000_000


def measure(context: TaskContext) -> TaskResult:
    """Take a while, say so, and build on what came before."""
    if context.failures < context.arguments.get("failures", 0):
        raise RuntimeError("a cable is loose")
    now = context.clock.wait_until(context.clock.now_ns() + context.arguments["steps"] * STEP_NS)
    context.progress(1, 1)
    context.note(f"measured for {context.arguments['steps']} steps")
    earlier = sum(result.get("total", 0) for result in context.results.values())
    total = context.arguments["steps"] + earlier
    (context.run_dir / f"{context.task_id}.json").write_text(json.dumps({"total": total}))
    return TaskResult(Verdict(context.arguments.get("verdict", "PASS")), {"total": total, "at": now})


def measure_in_parts(context: TaskContext) -> TaskResult:
    """Two parts, each kept with a file; what was done is not done again."""
    totals = list(context.kept or [])
    while len(totals) < 2:
        context.clock.wait_until(context.clock.now_ns() + context.arguments["steps"] * STEP_NS)
        totals.append(context.arguments["steps"])
        (context.artefacts / f"part{len(totals)}.json").write_text(json.dumps(totals))
        context.note(f"part {len(totals)}")
        context.keep(totals)
    return TaskResult(Verdict.PASS, {"total": sum(totals)})


def analyse(context: TaskContext) -> TaskResult:
    """Takes no part in time."""
    return TaskResult(outputs={"total": 100 * context.results["dark"]["total"]})


def all_is_well(context: TaskContext) -> CheckResult:
    """A check that takes time, as one that asks hardware does."""
    context.clock.wait_until(context.clock.now_ns() + STEP_NS // 4)
    return CheckResult(True, f"well before {context.task_id}")
