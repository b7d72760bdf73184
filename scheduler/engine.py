"""The engine: carries a run out. Decides from the state alone, and writes down what it does before it does it."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from scheduler.backup.making import addresses
from scheduler.book import Book
from scheduler.channel import Job
from scheduler.clock import Clock
from scheduler.config import SchedulerTable
from scheduler.conversation import Conversation
from scheduler.decide import (
    Action,
    Finish,
    Leave,
    MakeBackup,
    RunCheck,
    RunTask,
    SkipTask,
    Wait,
    beside_backup,
    decide,
)
from scheduler.dialogue import Dialogue
from scheduler.ended import write_check_ending, write_ending
from scheduler.ending import Limits
from scheduler.errors import ClockLost, JournalUnwritable, PlanRejected, RunNotFound
from scheduler.jobs import job_of
from scheduler.journal import Journal
from scheduler.listening import Listener, Listeners
from scheduler.live import LiveFile
from scheduler.lookup import demand_functions
from scheduler.outage import Outage
from scheduler.outcome import Outcome
from scheduler.plan import Plan
from scheduler.runner import Runner
from scheduler.saving import Saving
from scheduler.scribe import Scribe
from scheduler.state import RunState, TaskState, TaskStatus, resumable
from scheduler.steering import Steering
from scheduler.switchboard import Switchboard
from scheduler.terminal import Terminal
from scheduler.unrecorded import CleaningUp
from scheduler.verdict import EXIT_CODES, EXIT_INTERRUPTED
from scheduler.waits import Waits
from scheduler.wake import Wake
from scheduler.watching import Watch


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
        self._nothing_to_do_in: RunState | None = None
        """The state in which it was decided to wait."""
        self._stands = False
        """Whether simulated time must not move while it waits."""
        self._running: dict[Conversation, tuple[str, int]] = {}
        """Task and attempt of each that runs."""
        self._checking: tuple[Conversation, str, str, int] | None = None
        """The check that runs, before which task, and the run's clock when it was begun."""

    def run(self) -> Outcome:
        """Carry the run out.

        Raises JournalError (JournalUnwritable: things were cleaned up without a record), LauncherLost, and PlanRejected
        (before anything has started) when the plan differs from the run's, or names functions that cannot be found.
        """
        with ExitStack() as stack:
            journal = stack.enter_context(Journal(self._run_dir, patient=True, at_least_read=True))
            wake = stack.enter_context(Wake())
            scribe = stack.enter_context(Scribe(journal, wake.ring))
            self._book = book = Book(journal.records, scribe, self._clock, self._listeners)
            plan = self._demand_plan()
            if not resumable(book.state):
                return Outcome(book.state.verdict, 0, interrupted=False, nothing_left=True)
            grace_s, log = self._settings.stop_grace_s, self._run_dir / "log" / "launcher.log"
            runner = stack.enter_context(
                Runner(lock=journal.fileno(), log=log, preload=self._preload, grace_s=grace_s)
            )
            self._waits = waits = Waits(self._clock, wake.ring)
            self._board = board = stack.enter_context(Switchboard(runner, waits, wake, grace_s))
            stack.callback(self._live.clear)
            self._outage = Outage(book, board, self._settings.journal_patience_s)
            self._saving = Saving(self._run_dir, book, self._settings, wake.ring)
            stack.callback(self._saving.close)
            self._steering = steering = Steering(self._run_dir, book, wake, self._dialogue)
            steering.begin()
            try:
                demand_functions(plan, self._run_dir, board, self._watch(None), self._heed)
                if not steering.interrupted:
                    self._start()
                    self._carry_out()
                if book.owes:
                    raise book.gone()
            except JournalUnwritable as error:
                CleaningUp(self._run_dir, book, board, wake, self._environment).carry_out(error)
                raise
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
            self._heed()
            if self._book.owes:
                self._outlast()
            elif self._board.stopping or self._checking is not None:
                self._listen()
            elif self._steering.holding():
                self._hold()
            elif self._book.state is self._nothing_to_do_in:
                self._listen()
            elif not self._act(self._next()):
                break
        self._board.kill()
        while self._steering.owes_reason():
            self._board.turn()
            self._heed()

    def _outlast(self) -> None:
        """The journal is gone: serve what runs, begin nothing, until it is back, or must be done without."""
        stands = self._stands or self._outage.time_stands
        self._listen(stands=stands)
        self._outage.look(stands=stands)

    def _next(self) -> Action:
        """What is to do now."""
        state, saving = self._book.state, self._saving
        action = decide(state, saving.making)
        return beside_backup(action, state, reading=saving.reading) if saving.busy else action

    def _heed(self) -> None:
        """Take up what people and signals want."""
        if self._steering.interruption():
            self._waits.drop(self)
            self._board.stop()

    def _hold(self) -> None:
        """Begin nothing; the run is paused when the task that others wait for has ended."""
        running = [task for task in self._book.state.tasks.values() if task.status is TaskStatus.RUNNING]
        if all(task.task.beside for task in running):
            self._steering.hold()
        self._listen()

    def _act(self, action: Action) -> bool:
        """Do what was decided. False when nothing is left to do."""
        self._stands = False
        match action:
            case Leave():
                return False
            case Finish(verdict):
                self._book.write("run_finished", verdict=str(verdict))
            case SkipTask(task, reason):
                self._book.write("task_skipped", task=task.task.id, reason=reason)
            case MakeBackup(task, to):
                self._saving.begin(task, to)
            case RunCheck(check, before):
                self._begin_check(check, before)
            case RunTask(task):
                self._begin_task(task)
            case Wait(until_ns, stands):
                self._stands = stands
                self._wait(until_ns)
        return True

    def _begin_check(self, check: str, before: TaskState) -> None:
        job = self._job("check", check, before)
        watch = self._watch(None, f"check {check} before {before.task.id}")
        limits = Limits(self._settings.check_timeout_s)

        def start() -> None:
            conversation = self._start_child(job, watch, limits)
            self._checking = (conversation, check, before.task.id, self._book.sim_ns)

        if self._running:  # their records would hide when it was begun
            self._book.write_then(start, "check_started", check=check, before=before.task.id)
        else:
            self._book.look_at_clock()
            start()

    def _begin_task(self, task: TaskState) -> None:
        name, attempt = task.task.id, task.attempt + 1
        job = self._job("task", task.task.call, task)
        pause_s = 0.0 if job.begin_at_ns is None else task.task.retry_pause_s
        limits = Limits(task.task.timeout_s + pause_s, task.task.heartbeat_s)

        def start() -> None:
            watch = self._watch(self._book.state.tasks[name], name)
            watch.progress(0.0, 0.0, "")
            self._running[self._start_child(job, watch, limits)] = (name, attempt)

        self._book.write_then(start, "task_started", task=name, attempt=attempt)

    def _start_child(self, job: Job, watch: Watch, limits: Limits) -> Conversation:
        """Start it; one whose beginning was owed when the run was stopped is told so at once."""
        conversation = self._board.start(job, watch, limits)
        if self._outage.interrupted:
            self._board.stop()
        return conversation

    def _wait(self, until_ns: int | None) -> None:
        """Wait until something happens, or the clock is there."""
        if until_ns is not None and not self._waits.has(self):
            self._waits.add(self, until_ns, self._reached)
        self._nothing_to_do_in = self._book.state
        self._listen()

    def _reached(self, now: int | ClockLost) -> None:
        self._book.write("clock_reached", lost=isinstance(now, ClockLost))

    def _listen(self, *, stands: bool = False) -> None:
        """Let the child processes talk, and write down how they and backups ended."""
        for conversation, ending in self._board.turn(stands=stands or self._stands):
            if self._checking is not None and self._checking[0] is conversation:
                _, check, before, begun_ns = self._checking
                self._checking = None
                attempts = self._settings.check_attempts
                write_check_ending(self._book, check, before, ending, begun_ns=begun_ns, attempts=attempts)
                continue
            name, attempt = self._running.pop(conversation)
            self._live.drop(name)
            write_ending(self._book, name, attempt, ending)
        if self._saving.take_up():
            self._nothing_to_do_in = None

    def _job(self, kind: Literal["task", "check"], call: str, task: TaskState) -> Job:
        return job_of(self._book.state, kind, call, task, self._run_dir, self._environment)

    def _watch(self, task: TaskState | None, name: str = "") -> Watch:
        return Watch(self._book, self._live, task, name)
