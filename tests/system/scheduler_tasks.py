"""Task functions for test_scheduler_*.py: each ends in its own way."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from scheduler.task import CheckResult, TaskContext, TaskResult
from scheduler.verdict import Verdict


def passes(context: TaskContext) -> None:
    context.note(f"{context.task_id} ran")


def leaves_its_name(context: TaskContext) -> None:
    (context.run_dir / "latest.json").write_text(f'"{context.task_id}"')


def fails(context: TaskContext) -> TaskResult:
    return TaskResult(Verdict.FAIL, {"noise": 9.5})


def aborts(context: TaskContext) -> TaskResult:
    return TaskResult(Verdict.ABORTED)


def breaks(context: TaskContext) -> None:
    raise RuntimeError("the pump is off")


def breaks_until_mended(context: TaskContext) -> None:
    if not (context.run_dir / "mended").exists():
        raise RuntimeError("the pump is off")


def exits(context: TaskContext) -> None:
    sys.exit("I leave")


def vanishes(context: TaskContext) -> None:
    os._exit(7)


def crashes(context: TaskContext) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def returns_nonsense(context: TaskContext) -> Any:
    return "fine"


def returns_nan(context: TaskContext) -> TaskResult:
    return TaskResult(outputs={"noise": float("nan")})


def returns_too_much(context: TaskContext) -> TaskResult:
    return TaskResult(outputs={"pixels": "0" * (2 << 20)})


def dawdles(context: TaskContext) -> None:
    """Never ends by itself; cleans up when told to stop."""
    try:
        context.progress(1, 4, "dawdling")
        context.note("begun")
        threading.Event().wait()
    finally:
        (context.run_dir / "cleaned").write_text("yes")


def ignores_stop(context: TaskContext) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    context.note("begun")
    while True:
        threading.Event().wait()


def waits(context: TaskContext) -> TaskResult:
    before = context.clock.now_ns()
    return TaskResult(outputs={"waited_ns": context.clock.wait_until(before + 5_000_000_000) - before})


def waits_beyond_patience(context: TaskContext) -> None:
    context.note("begun")
    context.clock.wait_until(1 << 62)


def tells_all(context: TaskContext) -> TaskResult:
    sys.stdout.write("to standard output\n")
    Path(context.run_dir / "seen").write_text(context.environment["token"])
    return TaskResult(
        outputs={
            "arguments": dict(context.arguments),
            "parameters": dict(context.parameters),
            "results": {name: dict(found) for name, found in context.results.items()},
            "title": context.title,
            "attempt": context.attempt,
        }
    )


def shows_progress(context: TaskContext) -> None:
    for done in range(1, 1001):
        context.progress(done, 1000, f"frame {done}")


def well(context: TaskContext) -> CheckResult:
    return CheckResult(True, "well")


def unwell_before_b(context: TaskContext) -> CheckResult:
    return CheckResult(context.task_id != "b", f"module 3 is silent before {context.task_id}")


def check_breaks(context: TaskContext) -> CheckResult:
    raise RuntimeError("no route to the module")


def asks(context: TaskContext) -> TaskResult:
    """Two questions; tells what was answered."""
    gain = context.ask("Is the gain OK?", severity="critical")
    door = context.ask("Is the door shut?")
    return TaskResult(outputs={"said": [[a.text, a.by, a.comment] for a in (gain, door)]})


def check_asks(context: TaskContext) -> CheckResult:
    context.ask("Is all well?")
    return CheckResult(True, "well")


def suspends_itself(context: TaskContext) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def holds_the_interpreter(context: TaskContext) -> None:
    """Wait in C without letting other threads run."""
    ctypes.PyDLL(None).pause()


def is_busy(context: TaskContext) -> None:
    """Compute for longer than its heartbeat, without a word."""
    end_s = time.monotonic() + context.arguments["for_s"]
    while time.monotonic() < end_s:
        pass


def fails_often(context: TaskContext) -> TaskResult:
    if context.failures < context.arguments["times"]:
        raise RuntimeError(f"cable {context.failures} is loose")
    return TaskResult(outputs={"began_ns": context.clock.now_ns()})


def works_in_parts(context: TaskContext) -> TaskResult:
    """Three parts, each with a file, a note and a question; then stop by hand, or fail, once."""
    done = list(context.kept or [])
    for part in range(len(done), 3):
        context.note(f"part {part}")
        context.ask(f"Begin part {part}?")
        (context.artefacts / f"part{part}.txt").write_text(f"{part}\n")
        context.clock.wait_until(context.clock.now_ns() + 1_000_000_000)
        done.append(part)
        context.keep(done)
        if part == 1 and not (context.run_dir / "mended").exists():
            raise RuntimeError("the pump is off")
    return TaskResult(outputs={"parts": done, "kept": context.kept})


def keeps_too_much(context: TaskContext) -> None:
    context.keep("0" * (1 << 17))


def meets(context: TaskContext) -> TaskResult:
    """Ends only when another task runs at the same time."""
    context.note("here")
    (context.run_dir / f"here_{context.task_id}").touch()
    while not (context.run_dir / f"here_{context.arguments['whom']}").exists():
        time.sleep(0.01)
    return TaskResult(outputs={"results": sorted(context.results)})


def waits_for_file(context: TaskContext) -> None:
    while not (context.run_dir / context.arguments["file"]).exists():
        time.sleep(0.01)


def waits_and_tells(context: TaskContext) -> TaskResult:
    """Two waits on the clock; then leaves a file for whom it concerns."""
    times = [
        context.clock.wait_until(context.clock.now_ns() + s * 1_000_000_000) for s in context.arguments["s"]
    ]
    (context.run_dir / f"here_{context.task_id}").touch()
    return TaskResult(outputs={"times_s": [ns // 1_000_000_000 for ns in times]})


def repairs_at_the_third_look(context: TaskContext) -> CheckResult:
    if context.failures < 2:
        return CheckResult(False, f"firmware is old (look {context.failures})")
    return CheckResult(True, "firmware is 272", repaired="module 5003 was flashed again")


def cleans(context: TaskContext) -> None:
    """Clean up; tell that it did where no journal is, and which attempt it was."""
    context.note("cleaning up")
    context.clock.wait_until(context.clock.now_ns() + 1_000_000_000)
    with Path(context.arguments["told"]).open("a") as file:
        file.write(f"{context.task_id} {context.attempt} {sorted(context.results)}\n")
    if context.attempt == 0 and context.arguments.get("breaks"):
        context.notify("the ramp does not answer", severity="critical")
        raise RuntimeError("the high voltage is still on")


def goes_on_alone(context: TaskContext) -> TaskResult:
    """Work while nobody may write anything down."""
    try:
        context.progress(1, 3, "waiting")
        context.note("waiting")
        while not (context.run_dir / "go").exists():
            time.sleep(0.01)
        ended_ns = context.clock.wait_until(context.clock.now_ns() + 1_000_000_000)
        context.progress(3, 3, "done")
    except BaseException:
        context.progress(2, 3, "stopped")
        raise
    return TaskResult(outputs={"ended_s": ended_ns // 1_000_000_000})
