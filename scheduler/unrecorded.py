"""Cleaning up when the journal takes nothing more: carried out, told to people, and not recorded.

What the journal says last is what has happened, as after kill -9: the run is resumed from there, and cleans up again at
its end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from scheduler.book import Book
from scheduler.channel import Job
from scheduler.ending import Ending, Limits
from scheduler.errors import JournalUnwritable, SchedulerError
from scheduler.jobs import NS_PER_S, job_of
from scheduler.notify.notice import Notice, Severity
from scheduler.question import Answer
from scheduler.state import Stop, TaskState, TaskStatus
from scheduler.switchboard import Switchboard
from scheduler.verdict import Verdict
from scheduler.wake import Wake

OUTSIDE: Final = 0
"""The attempt of what is in no record: its folder of artefacts is no other attempt's."""
LEAVE_AT: Final = 2
"""So many signals end the cleaning up as well."""


class CleaningUp:
    """What always runs, once more and without a record, after which the engine leaves."""

    def __init__(
        self, run_dir: Path, book: Book, board: Switchboard, wake: Wake, environment: Mapping[str, Any]
    ) -> None:
        self._run_dir, self._environment = run_dir, environment
        self._book, self._board, self._wake = book, board, wake
        self._state = book.state

    def carry_out(self, why: JournalUnwritable) -> None:
        """Stop what runs, then do all cleaning up that has not ended. Raises nothing that the scheduler raises."""
        self._book.shut = True
        self._state = replace(self._state, stop=Stop(Verdict.ERROR, str(why)))
        tasks = self._state.tasks.values()
        begun = self._state.attempt > 0  # else no engine has moved anything
        left = [task for task in tasks if begun and task.task.always and task.status is not TaskStatus.DONE]
        names = ", ".join(task.task.id for task in left)
        then = f"these still clean up, without a record: {names}" if left else "nothing is left to clean up"
        self._tell(f"run stopped: {why}. What runs is stopped; {then}", Severity.CRITICAL)
        try:
            self._board.stop()
            while self._board.stopping and not self._hurried:
                self._board.turn()
            failed = [sentence for task in left if (sentence := self._clean(task))]
            self._board.kill()
        except SchedulerError as error:  # the launcher is gone as well
            failed = [f"{names}: {error}"]
        if failed:
            self._tell(f"NOT cleaned up, go and look: {'; '.join(failed)}", Severity.CRITICAL)
        elif left:
            self._tell(f"cleaned up: {names}; resuming the run does it again at its end", Severity.WARNING)

    def _clean(self, task: TaskState) -> str:
        """Try it as often as the plan allows; a sentence when it did not work."""
        error = "not begun, a second signal came"
        for failures in range(1 + task.task.retries):
            if self._hurried:
                break
            error = _trouble(self._once(task, failures))
            if not error:
                return ""
        return f"{task.task.id}: {error}"

    def _once(self, task: TaskState, failures: int) -> Ending:
        pause_s = task.task.retry_pause_s if failures else 0.0
        self._book.look_at_clock()
        job = replace(
            self._job(task),
            attempt=OUTSIDE,
            since=OUTSIDE,
            kept=None,
            failures=failures,
            begin_at_ns=self._book.sim_ns + round(pause_s * NS_PER_S) if pause_s else None,
        )
        ear = _Ear(lambda notice: self._tell(f"{task.task.id}: {notice.text}", notice.severity))
        conversation = self._board.start(
            job, ear, Limits(task.task.timeout_s + pause_s, task.task.heartbeat_s)
        )
        while not self._hurried:
            for ended, ending in self._board.turn():
                if ended is conversation:
                    return ending
            if ear.asked:
                conversation.stop()
        self._board.kill()
        return Ending(stopped=True)

    def _job(self, task: TaskState) -> Job:
        return job_of(self._state, "task", task.task.call, task, self._run_dir, self._environment)

    @property
    def _hurried(self) -> bool:
        return self._wake.signals >= LEAVE_AT

    def _tell(self, text: str, severity: Severity) -> None:
        notice = Notice(severity, text, wake=severity is Severity.CRITICAL)
        self._book.listeners.tell_unrecorded(notice, self._state)


def _trouble(ending: Ending) -> str:
    """What went wrong in cleaning up; empty when nothing did."""
    if ending.stopped:
        return "stopped: it asks people, which needs the journal, or a second signal came"
    if ending.result is None:
        return ending.error
    verdict = Verdict(ending.result["verdict"])
    return "" if verdict is Verdict.PASS else f"ended with {verdict}"


class _Ear:
    """Hears a task of which nothing is written down: only what it has to tell people goes on."""

    def __init__(self, tell: Callable[[Notice], None]) -> None:
        self._tell = tell
        self.asked = False
        """It waits for people, whose answer could not be journalled."""

    def note(self, text: str) -> None:
        """For the journal."""

    def notify(self, notice: Notice) -> None:
        """To people."""
        self._tell(notice)

    def progress(self, done: float, total: float, text: str) -> None:
        """For the displays of a run that goes on."""

    def ask(self, _number: int, _text: str, _severity: str) -> None:
        """Nobody is asked."""
        self.asked = True

    def answer(self, _number: int) -> Answer | None:
        """There is none."""
        return None

    def keep(self, _value: Any, kept: Callable[[], None]) -> None:
        """No attempt goes on with it."""
        kept()
