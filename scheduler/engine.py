"""The engine: carries a run out. Decides from the state alone, and writes down what it does before it does it."""

from __future__ import annotations

import os
import platform
import select
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

from scheduler.backup.making import addresses
from scheduler.book import Book
from scheduler.channel import Job
from scheduler.clock import Clock
from scheduler.config import SchedulerTable
from scheduler.conversation import POLL_S, Ending, Limits
from scheduler.decide import Finish, Leave, MakeBackup, RunCheck, RunTask, SkipTask, decide, to_be_retried
from scheduler.dialogue import Dialogue
from scheduler.errors import PlanRejected, RunNotFound
from scheduler.jobs import job_of, look_up
from scheduler.journal import Journal
from scheduler.listening import Listener, Listeners
from scheduler.live import LiveFile
from scheduler.plan import Plan
from scheduler.runner import Runner
from scheduler.saving import save_after
from scheduler.state import TaskState, resumable
from scheduler.steering import Steering
from scheduler.terminal import Terminal
from scheduler.verdict import EXIT_CODES, EXIT_INTERRUPTED, Verdict
from scheduler.wake import Wake
from scheduler.watching import Watch

RESOLVE_TIMEOUT_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How carrying a run out ended."""

    verdict: Verdict
    exit_code: int
    interrupted: bool
    """Stopped by a person or a signal; the run can be resumed."""
    nothing_left: bool = False
    """The run had ended before; nothing was done. The exit code is then 0."""


class Engine:
    """Carries one run out, from its beginning or from where its journal ends.

    run_dir      made by `create_run`
    plan         must be the run's own, or None to take it from the journal
    clock        the run's time; only this process takes part in it
    environment  JSON for the tasks, such as addresses and tokens; never written down
    settings     the `[scheduler]` table
    listeners    who hears of events and progress, called from the thread of `run`
    preload      modules that task processes find loaded; ones that start threads or need a fresh process stay out
    terminal     where questions are asked as well, and why somebody pressed Ctrl-C

    One engine runs once.
    """

    def __init__(
        self,
        run_dir: Path,
        plan: Plan | None,
        clock: Clock,
        environment: Mapping[str, Any],
        settings: SchedulerTable,
        listeners: Sequence[Listener] = (),
        preload: Sequence[str] = (),
        terminal: Terminal | None = None,
    ) -> None:
        self._run_dir, self._plan = run_dir, plan
        self._clock, self._environment, self._settings = clock, dict(environment), settings
        self._listeners = Listeners(listeners)
        self._preload = preload
        self._dialogue = None if terminal is None else Dialogue(terminal)
        self._live = LiveFile(run_dir)

    def run(self) -> Outcome:
        """Carry the run out.

        Raises JournalError, LauncherLost, and PlanRejected (before anything has started) when the plan differs from
        the run's, or names functions that cannot be found.
        """
        with ExitStack() as stack:
            journal = stack.enter_context(Journal(self._run_dir))
            self._book = book = Book(journal, self._clock, self._listeners)
            plan = self._demand_plan()
            if not resumable(book.state):
                return Outcome(book.state.verdict, 0, interrupted=False, nothing_left=True)
            self._wake = stack.enter_context(Wake())
            self._runner = stack.enter_context(
                Runner(
                    self._clock,
                    self._wake,
                    lock=journal.fileno(),
                    log=self._run_dir / "log" / "launcher.log",
                    preload=self._preload,
                    stop_grace_s=self._settings.stop_grace_s,
                )
            )
            stack.callback(self._live.clear)
            self._steering = steering = Steering(self._run_dir, book, self._wake, self._dialogue)
            steering.begin()
            self._demand_functions(plan)
            if not steering.interrupted:
                self._start()
                self._carry_out()
        verdict = book.state.verdict
        code = EXIT_INTERRUPTED if steering.interrupted else EXIT_CODES[verdict]
        return Outcome(verdict, code, steering.interrupted)

    def _demand_plan(self) -> Plan:
        plan = self._book.state.plan
        if plan is None:
            raise RunNotFound(self._run_dir, "its journal does not begin; make a new run")
        if self._plan is not None and self._plan.to_json() != plan.to_json():
            raise PlanRejected(self._plan.name, f"run {self._book.state.run} was made with another plan")
        return plan

    def _demand_functions(self, plan: Plan) -> None:
        """Look every function up, in a child process: its modules are none of the engine's business."""
        job = look_up(plan, self._run_dir)
        ending = self._runner.run(job, self._watch(None), Limits(RESOLVE_TIMEOUT_S))
        if ending.stopped:
            return
        if ending.result is None:
            raise PlanRejected(plan.name, f"its functions could not be looked up: {ending.error}")
        for task, reason in ending.result.items():
            raise PlanRejected(plan.name, reason, task)

    def _start(self) -> None:
        attempt = self._book.state.attempt
        self._book.write(
            "run_started",
            attempt=attempt + 1,
            host=platform.node(),
            pid=os.getpid(),
            version=version("stellwerk"),
            resumed=attempt > 0,
            backup_to=addresses(self._settings.backup_to, self._run_dir),
        )

    def _carry_out(self) -> None:
        while not self._steering.hurried():
            self._steering.interruption()
            if self._steering.holding():
                self._steering.hold()
                self._pass_time()
                continue
            match decide(self._book.state):
                case Leave():
                    break
                case Finish(verdict):
                    self._book.write("run_finished", verdict=str(verdict))
                case SkipTask(task, reason):
                    self._book.write("task_skipped", task=task.task.id, reason=reason)
                case MakeBackup(task, to):
                    save_after(task, to, self._run_dir, self._book, self._settings)
                case RunCheck(check, before):
                    self._run_check(check, before)
                case RunTask(task):
                    self._run_task(task)
        while self._steering.owes_reason():
            self._pass_time()
            self._steering.interruption()

    def _pass_time(self) -> None:
        """Wait for a moment, or until something happens."""
        select.select([self._wake], [], [], POLL_S)
        self._wake.hush()

    def _run_check(self, check: str, before: TaskState) -> None:
        job = self._job("check", check, before)
        watch = self._watch(None, f"check {check} before {before.task.id}")
        ending = self._runner.run(job, watch, Limits(self._settings.check_timeout_s))
        if ending.stopped:
            return
        found = ending.result or {"ok": False, "text": ending.error}
        self._book.write(
            "check_finished", check=check, before=before.task.id, ok=found["ok"], text=found["text"]
        )

    def _run_task(self, task: TaskState) -> None:
        name, attempt = task.task.id, task.attempt + 1
        job = self._job("task", task.task.call, task)
        self._book.write("task_started", task=name, attempt=attempt)
        watch = self._watch(self._book.state.tasks[name], name)
        pause_s = 0.0 if job.begin_at_ns is None else task.task.retry_pause_s
        limits = Limits(task.task.timeout_s + pause_s, task.task.heartbeat_s)
        watch.progress(0.0, 0.0, "")
        ending = self._runner.run(job, watch, limits)
        self._live.clear()
        if not ending.stopped:
            self._write_ending(name, attempt, ending)

    def _write_ending(self, name: str, attempt: int, ending: Ending) -> None:
        if ending.result is None:
            told = {"error": ending.error, "traceback": ending.traceback}
            again = to_be_retried(self._book.state, name)
            self._book.write("task_failed", task=name, attempt=attempt, **told, retried=again)
            return
        result = {key: ending.result[key] for key in ("verdict", "outputs", "artefacts")}
        self._book.write("task_finished", task=name, attempt=attempt, **result, wall_s=ending.wall_s)

    def _job(self, kind: Literal["task", "check"], call: str, task: TaskState) -> Job:
        return job_of(self._book.state, kind, call, task, self._run_dir, self._environment)

    def _watch(self, task: TaskState | None, name: str = "") -> Watch:
        return Watch(self._book, self._steering, self._live, task, name)
