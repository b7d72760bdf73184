"""What people and signals want of a running engine: taken up between its steps and while tasks run."""

from __future__ import annotations

from pathlib import Path

from scheduler import question, requests, wishes
from scheduler.book import Book
from scheduler.dialogue import Dialogue
from scheduler.requests import Request
from scheduler.state import RunStatus
from scheduler.wake import Wake


class Steering:
    """Pauses, stops and changes a run as it is asked to, and lets people answer questions."""

    def __init__(self, run_dir: Path, book: Book, wake: Wake, dialogue: Dialogue | None) -> None:
        self._run_dir, self._book, self._wake, self._dialogue = run_dir, book, wake, dialogue
        self._heeded_signals = 0
        self._abort: str | None = None
        self._pause: Request | None = None
        self._postponed: list[Request] = []
        """What was asked while the journal was gone."""
        self.interrupted = False
        """The run stops; what runs from now on is cleaning up."""

    def begin(self) -> None:
        """Throw away what was asked of an engine before this one."""
        requests.take(self._run_dir)

    def holding(self) -> bool:
        """Whether no new task is to begin, because somebody paused the run."""
        return self._pause is not None and self._book.state.stop is None

    def hold(self) -> None:
        """Write down, once, that the run is paused."""
        if self._pause is not None and self._book.state.status is not RunStatus.PAUSED:
            self._book.write("paused", by=self._pause.by)

    def interruption(self) -> bool:
        """Take up signals and requests. True once, when the run becomes interrupted; that is journalled by then."""
        self._take_requests()
        self._converse()
        if self.interrupted:
            return False
        by_person = self._wake.last_signal == "SIGINT" and self._dialogue is not None
        if self._wake.signals:
            reason = f"stopped by {self._wake.last_signal}"
        elif self._abort is not None:
            reason = self._abort
        else:
            return False
        reason_follows = self._wake.signals > 0 and by_person
        self._heeded_signals = min(1, self._wake.signals)
        self.interrupted = True
        self._book.write("run_interrupted", reason=reason, reason_follows=reason_follows)
        if reason_follows and self._dialogue is not None:
            self._dialogue.want_reason()
        return True

    def hurried(self) -> bool:
        """Whether another signal came after the run was interrupted: leave everything, now."""
        return self.interrupted and self._wake.signals > self._heeded_signals

    def owes_reason(self) -> bool:
        """Whether the person who stopped the run has not told why yet."""
        return self._dialogue is not None and self._dialogue.owes_reason and not self.hurried()

    def _converse(self) -> None:
        """Hear what was typed at the terminal."""
        if self._dialogue is None:
            return
        for heard in self._dialogue.listen(self._book.state.questions):
            if isinstance(heard, Request):
                self._take(heard)
            else:
                self._book.write("reason_given", by=requests.login(), reason=heard)

    def _take_requests(self) -> None:
        postponed, self._postponed = self._postponed, []
        for request in postponed:
            self._take(request)
        if requests.asked(self._run_dir):
            for request in requests.take(self._run_dir):
                self._take(request)

    def _take(self, request: Request) -> None:
        if self._book.owes and request.kind != "abort":  # the state that it is judged by is not that of now
            self._postponed.append(request)
            return
        match request.kind:
            case "abort":
                self._abort = f"aborted by {request.by}: {request.reason}"
            case "pause":
                self._pause = request
            case "continue":
                if self._pause is not None:
                    self._pause = None
                    if self._book.state.status is RunStatus.PAUSED:
                        self._book.write("continued", by=request.by)
            case "answer":
                self._answer(request)
            case "skip" | "move":
                self._grant(request)

    def _answer(self, answer: Request) -> None:
        """Let a question be answered, or say why not. A confirmed no ends the run."""
        questions = self._book.state.questions
        why = question.refusal(questions, answer)
        if why is not None:
            self._refuse(answer, why)
            return
        asked = question.meant(questions, answer)
        if isinstance(asked, str):
            return
        event, data = question.answered(asked, answer)
        self._book.write(event, **data)
        if question.ends_run(asked, answer):
            self._abort = question.farewell(asked, answer)

    def _grant(self, wish: Request) -> None:
        """Change what is to come as somebody wishes, or say why not."""
        why = wishes.refusal(self._book.state, wish)
        if why is not None:
            self._refuse(wish, why)
            return
        name, data = wishes.event(wish)
        self._book.write(name, **data)

    def _refuse(self, request: Request, why: str) -> None:
        self._book.write("request_refused", request=request.kind, task=request.task, by=request.by, why=why)
