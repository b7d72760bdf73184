"""The engine: carries a run out. Decides from the state alone, and writes down what it does before it does it."""

from __future__ import annotations

import os
import platform
import select
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from scheduler import requests, wishes
from scheduler.backup.making import addresses, make_backup, remove
from scheduler.backup.seen import superfluous
from scheduler.calling import calls_of
from scheduler.channel import Job
from scheduler.clock import Clock
from scheduler.config import SchedulerTable
from scheduler.conversation import POLL_S, Ending
from scheduler.decide import Finish, Leave, MakeBackup, RunCheck, RunTask, SkipTask, decide
from scheduler.errors import BackupFailed, ClockLost, PlanRejected, RunNotFound
from scheduler.folding import apply, fold
from scheduler.journal import Journal
from scheduler.listening import Listener, Listeners
from scheduler.live import LiveFile, Progress
from scheduler.notify.notice import Notice
from scheduler.plan import Plan
from scheduler.runner import Runner
from scheduler.state import RunStatus, TaskState, resumable
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
    ) -> None:
        self._run_dir, self._plan = run_dir, plan
        self._clock, self._environment, self._settings = clock, dict(environment), settings
        self._listeners = Listeners(listeners)
        self._preload = preload
        self._live = LiveFile(run_dir)
        self._sim_ns = 0
        self._interrupted = False
        self._heeded_signals = 0
        self._abort: requests.Request | None = None
        self._pause: requests.Request | None = None

    def run(self) -> Outcome:
        """Carry the run out.

        Raises JournalError, LauncherLost, and PlanRejected (before anything has started) when the plan differs from
        the run's, or names functions that cannot be found.
        """
        with ExitStack() as stack:
            self._journal = stack.enter_context(Journal(self._run_dir))
            self._state = fold(self._journal.records)
            plan = self._demand_plan()
            if not resumable(self._state):
                return Outcome(self._state.verdict, 0, interrupted=False, nothing_left=True)
            self._wake = stack.enter_context(Wake())
            self._runner = stack.enter_context(
                Runner(
                    self._clock,
                    self._wake,
                    lock=self._journal.fileno(),
                    log=self._run_dir / "log" / "launcher.log",
                    preload=self._preload,
                    stop_grace_s=self._settings.stop_grace_s,
                )
            )
            stack.callback(self._live.clear)
            requests.take(self._run_dir)
            self._demand_functions(plan)
            if not self._interrupted:
                self._start()
                self._carry_out()
        code = EXIT_INTERRUPTED if self._interrupted else EXIT_CODES[self._state.verdict]
        return Outcome(self._state.verdict, code, self._interrupted)

    def _demand_plan(self) -> Plan:
        plan = self._state.plan
        if plan is None:
            raise RunNotFound(self._run_dir, "its journal does not begin; make a new run")
        if self._plan is not None and self._plan.to_json() != plan.to_json():
            raise PlanRejected(self._plan.name, f"run {self._state.run} was made with another plan")
        return plan

    def _demand_functions(self, plan: Plan) -> None:
        """Look every function up, in a child process: its modules are none of the engine's business."""
        calls = calls_of(plan)
        job = Job("resolve", "", str(self._run_dir), "", "", 1, calls, {}, {}, {})
        ending = self._runner.run(job, Watch(self, None), RESOLVE_TIMEOUT_S)
        if ending.stopped:
            return
        if ending.result is None:
            raise PlanRejected(plan.name, f"its functions could not be looked up: {ending.error}")
        for task, reason in ending.result.items():
            raise PlanRejected(plan.name, reason, task)

    def _start(self) -> None:
        self._write(
            "run_started",
            attempt=self._state.attempt + 1,
            host=platform.node(),
            pid=os.getpid(),
            version=version("stellwerk"),
            resumed=self._state.attempt > 0,
            backup_to=addresses(self._settings.backup_to, self._run_dir),
        )

    def _carry_out(self) -> None:
        while not self.hurried():
            self.interruption()
            if self._pause is not None and self._state.stop is None:
                self._hold()
                continue
            match decide(self._state):
                case Leave():
                    return
                case Finish(verdict):
                    self._write("run_finished", verdict=str(verdict))
                case SkipTask(task, reason):
                    self._write("task_skipped", task=task.task.id, reason=reason)
                case MakeBackup(task, to):
                    self._back_up(task, to)
                case RunCheck(check, before):
                    self._run_check(check, before)
                case RunTask(task):
                    self._run_task(task)

    def _run_check(self, check: str, before: TaskState) -> None:
        job = self._job("check", check, before, before.attempt + 1)
        watch = Watch(self, None, f"check {check} before {before.task.id}")
        ending = self._runner.run(job, watch, self._settings.check_timeout_s)
        if ending.stopped:
            return
        found = ending.result or {"ok": False, "text": ending.error}
        self._write("check_finished", check=check, before=before.task.id, ok=found["ok"], text=found["text"])

    def _run_task(self, task: TaskState) -> None:
        name, attempt = task.task.id, task.attempt + 1
        self._write("task_started", task=name, attempt=attempt)
        watch = Watch(self, self._state.tasks[name], name)
        watch.progress(0.0, 0.0, "")
        ending = self._runner.run(
            self._job("task", task.task.call, task, attempt), watch, task.task.timeout_s
        )
        self._live.clear()
        if not ending.stopped:
            self._write_ending(name, attempt, ending)

    def _write_ending(self, name: str, attempt: int, ending: Ending) -> None:
        if ending.result is None:
            self._write(
                "task_failed", task=name, attempt=attempt, error=ending.error, traceback=ending.traceback
            )
            return
        self._write(
            "task_finished",
            task=name,
            attempt=attempt,
            verdict=ending.result["verdict"],
            outputs=ending.result["outputs"],
            wall_s=ending.wall_s,
        )

    def _back_up(self, task: TaskState, to: str) -> None:
        name, include = task.task.id, self._settings.backup_include
        try:
            made = make_backup(self._run_dir, to, include, seq=len(self._journal.records), label=name)
        except BackupFailed as error:
            self._write("backup_failed", task=name, to=to, error=str(error))
            return
        self._write("backup_finished", task=name, verified=True, **asdict(made))
        self._prune(to)

    def _prune(self, to: str) -> None:
        last, days = self._settings.backup_keep_last, self._settings.backup_keep_days
        old = superfluous(self._state.archives, to, keep_last=last, keep_days=days, now_s=time.time())
        if old:
            gone, kept_by = remove(old, to)
            self._write("backup_pruned", to=to, files=gone, error=kept_by)

    def _job(self, kind: Any, call: str, task: TaskState, attempt: int) -> Job:
        plan = self._state.plan
        return Job(
            kind=kind,
            call=call,
            run_dir=str(self._run_dir.resolve()),
            task_id=task.task.id,
            title=task.task.title,
            attempt=attempt,
            arguments=task.task.arguments,
            parameters=plan.parameters if plan else {},
            results={
                name: state.outputs
                for name, state in self._state.tasks.items()
                if state.finished_at is not None
            },
            environment=self._environment,
            positional=list(task.task.positional) if kind == "task" else [],
        )

    def _hold(self) -> None:
        """Wait, between tasks, until someone says to go on."""
        if self._state.status is not RunStatus.PAUSED and self._pause is not None:
            self._write("paused", by=self._pause.by)
        select.select([self._wake], [], [], POLL_S)
        self._wake.hush()

    def interruption(self) -> bool:
        """Take up signals and requests. True once, when the run becomes interrupted; that is journalled by then."""
        self._take_requests()
        if self._interrupted:
            return False  # what runs now is cleaning up
        if self._wake.signals:
            reason = f"stopped by {self._wake.last_signal}"
        elif self._abort is not None:
            told = f": {self._abort.reason}" if self._abort.reason else ""
            reason = f"aborted by {self._abort.by}{told}"
        else:
            return False
        self._heeded_signals = min(1, self._wake.signals)
        self._interrupted = True
        self._write("run_interrupted", reason=reason)
        return True

    def hurried(self) -> bool:
        """Whether another signal came after the run was interrupted: leave everything, now."""
        return self._interrupted and self._wake.signals > self._heeded_signals

    def _take_requests(self) -> None:
        if not requests.asked(self._run_dir):
            return
        for request in requests.take(self._run_dir):
            if request.kind == "abort":
                self._abort = request
            elif request.kind == "pause":
                self._pause = request
            elif request.kind in ("skip", "move"):
                self._grant(request)
            elif self._pause is not None:
                self._pause = None
                if self._state.status is RunStatus.PAUSED:
                    self._write("continued", by=request.by)

    def _grant(self, wish: requests.Request) -> None:
        """Change what is to come as somebody wishes, or say why not."""
        why = wishes.refusal(self._state, wish)
        if why is not None:
            self._write("request_refused", request=wish.kind, task=wish.task, by=wish.by, why=why)
            return
        name, data = wishes.event(wish)
        self._write(name, **data)

    def note(self, task: TaskState, text: str) -> None:
        """Journal what a task noted."""
        self._write("task_note", task=task.task.id, text=text)

    def notify(self, by: str, notice: Notice) -> None:
        """Journal what a task or a check has to tell people; who tells them are listeners."""
        told = {"text": notice.text, "picture": notice.picture, "title": notice.title}
        self._write("notification", by=by, severity=str(notice.severity), **told)

    def show(self, progress: Progress, *, at_once: bool) -> None:
        """Show progress to all who look."""
        self._live.show(progress, at_once=at_once)
        self._listeners.show(progress)

    @property
    def sim_ns(self) -> int:
        """The run's clock when it was last read."""
        return self._sim_ns

    def _write(self, event: str, **data: Any) -> None:
        # Without a clock the time last known will do: the next task or check meets the same trouble and tells it.
        with suppress(ClockLost):
            self._sim_ns = self._clock.now_ns()
        record = self._journal.append(event, data, self._sim_ns)
        self._state = apply(self._state, record)
        self._listeners.tell(record, self._state)
