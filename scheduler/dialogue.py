"""What is said at a run's terminal: questions of tasks, and why a run was stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from scheduler.question import Question
from scheduler.requests import Request, login
from scheduler.terminal import Terminal

YES: Final = ("y", "yes")
NO: Final = ("n", "no")
HOW: Final = "yes or no (and a comment, if you like)?"
WHY: Final = "Why was the run stopped? (It stands in the record. Ctrl-C again leaves without.)"
WHY_NO: Final = "Then the run ends here. Why? (It stands in the record.)"


class Dialogue:
    """Asks one thing after the other: the reason for a stop first, then the oldest question.

    A line is `yes` or `no`, in any case or by its first letter, and a comment. After the second *no* everything typed
    is the reason.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._shown = 0
        """The record whose question stands at the terminal."""
        self._ending = False
        """A second no was typed; its reason is wanted."""
        self.wants_reason = False
        """A person stopped the run and has not told why yet."""

    def want_reason(self) -> None:
        """Ask why the run was stopped, until something is typed."""
        self.wants_reason = True
        self._terminal.ask(WHY)

    @property
    def owes_reason(self) -> bool:
        """Whether the reason for a stop may still be typed."""
        return self.wants_reason and not self._terminal.gone

    def listen(self, questions: Mapping[str, Question]) -> Iterator[Request | str]:
        """What was typed since the last time: answers to questions; a text is why the run was stopped."""
        if self.wants_reason:
            yield from self._reason()
            return
        question = next(iter(questions.values()), None)
        if question is None or question.seq != self._shown:
            self._turn_to(question)
        if question is None:
            return
        for line in self._terminal.lines():
            answer = self._answer(question, line)
            if answer is not None:
                yield answer
                return  # the question is another one now, and what else was typed no answer to it

    def _reason(self) -> Iterator[str]:
        for line in self._terminal.lines():
            if line:
                self.wants_reason = False
                self._terminal.done()
                yield line
                return
            self._terminal.ask(WHY)

    def _turn_to(self, question: Question | None) -> None:
        self._ending = False
        if question is not None:
            again = "You said no, which ends the run. Once more: " if question.denied else ""
            self._terminal.ask(f"{again}{question.text}\n{question.task} waits: {HOW}")
        elif self._shown:
            self._terminal.done()
        self._shown = 0 if question is None else question.seq

    def _answer(self, question: Question, line: str) -> Request | None:
        word, _, comment = line.partition(" ")
        word, comment = word.rstrip(",.:;!").lower(), comment.strip()
        if self._ending:
            if line:
                return self._request(question, "no", line)
            self._terminal.ask(WHY_NO)
        elif word in YES:
            return self._request(question, "yes", comment)
        elif word in NO and (comment or not question.denied):
            return self._request(question, "no", comment)
        elif word in NO:
            self._ending = True
            self._terminal.ask(WHY_NO)
        else:
            self._terminal.ask(f"{question.task} waits: {HOW}")
        return None

    @staticmethod
    def _request(question: Question, answer: str, reason: str) -> Request:
        return Request("answer", login(), reason, question.task, answer=answer, question=str(question.seq))
