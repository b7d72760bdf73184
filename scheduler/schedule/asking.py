"""Questions about a schedule that need other people's modules: asked of a child process, which imports them.

`python -m scheduler.schedule.asking` reads one JSON object from stdin and answers with one on stdout:
`{"answer": …}` or `{"refused": sentence}`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any, Final

from scheduler.calling import bound, resolve, uncallable
from scheduler.declared import declarations
from scheduler.errors import PlanRejected, ScheduleRejected
from scheduler.plan import Plan, Task, judge

TIMEOUT_S: Final = 120.0


def ask(question: Mapping[str, Any]) -> Any:
    """Ask it. Raises ScheduleRejected with the sentence of a refusal."""
    child = [sys.executable, "-P", "-m", "scheduler.schedule.asking"]
    path = os.pathsep.join(part or os.getcwd() for part in sys.path)
    try:
        done = subprocess.run(
            child,
            input=json.dumps(question),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            env={**os.environ, "PYTHONPATH": path},
        )
    except subprocess.TimeoutExpired:
        raise ScheduleRejected([f"its modules took more than {TIMEOUT_S:g} s to load"]) from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ScheduleRejected([f"its modules ended the process that loads them: {last}"]) from None
    if "refused" in answer:
        raise ScheduleRejected([str(answer["refused"])])
    return answer["answer"]


def _answer(question: Mapping[str, Any]) -> Any:
    if "calls" in question:
        return uncallable(question["calls"])
    if "declared" in question:
        return declarations(question["declared"])
    if "arrange" in question:
        return _plan_of(question["arrange"], (Plan.from_json(question["given"]),))
    if "plan" in question:
        return _plan_of(question["plan"], ())
    call = question["fragment"]
    tasks = _called(call, (question["parameters"], *question["positional"]))
    try:
        given = tuple(tasks)
    except TypeError:
        given = (None,)
    if not all(isinstance(task, Task) for task in given):
        raise LookupError(f"{call} must return tasks")
    # Each by itself: whether their order is allowed is a matter of the whole schedule.
    for task in given:
        judge("draft", task)
    return [task.to_json() for task in given]


def _plan_of(call: str, values: tuple[Any, ...]) -> Any:
    plan = _called(call, values)
    if not isinstance(plan, Plan):
        raise LookupError(f"{call} returned {type(plan).__name__}; it must return a Plan")
    return plan.to_json()


def _called(call: str, values: tuple[Any, ...]) -> Any:
    function = resolve(call)
    if not values:
        return function()
    first, *rest = values
    positional, named = bound(function, call, rest, {})
    return function(first, *positional, **named)


def main() -> None:
    """Answer one question. What modules print goes to stderr."""
    question = json.load(sys.stdin)
    with redirect_stdout(sys.stderr):
        try:
            answer = {"answer": _answer(question)}
        except LookupError as error:
            answer = {"refused": str(error.args[0])}
        except PlanRejected as error:
            answer = {"refused": str(error)}
        except Exception as error:  # noqa: BLE001 - other people's functions: whatever they raise is a refusal
            answer = {"refused": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
