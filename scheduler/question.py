"""Questions of tasks to people: values, and what an answer does. Pure functions.

A task that asks waits. *yes* lets it go on. *no* is asked again, to confirm it; the second *no* needs a reason, and
ends the run with it. An answer is to one question as it stands: two people who say *no* at the same time have not
confirmed each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scheduler.requests import Request

Event = tuple[str, dict[str, Any]]
"""Name and data of a record to write."""


@dataclass(frozen=True, slots=True)
class Question:
    """One that waits for its answer."""

    task: str
    number: int
    """The attempt's first, second … question."""
    text: str
    severity: str
    """How much people are to be raised: a `scheduler.notify.notice.Severity`."""
    seq: int
    """The record that asked it, or asked it again; an answer names it."""
    asked_at: float
    """Unix time, seconds."""
    denied: bool = False
    """Answered *no* once: it is asked again, and the next *no* ends the run."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A *yes*."""

    number: int
    text: str
    """The question."""
    by: str
    comment: str
    at: float
    """When it was given: Unix time, seconds."""


def meant(questions: Mapping[str, Question], answer: Request) -> Question | str:
    """Which open question a request answers, or a sentence why none."""
    if answer.answer not in ("yes", "no"):
        return f"an answer is yes or no, not {answer.answer!r}"
    if not questions:
        return "nothing is asked just now"
    if answer.question:
        found = [question for question in questions.values() if str(question.seq) == answer.question]
        return found[0] if found else "that question is open no more; look again at what is asked now"
    if answer.task:
        return questions.get(answer.task) or f"{answer.task} asks nothing; {', '.join(questions)} does"
    if len(questions) > 1:
        return f"several tasks ask: {', '.join(questions)}; say which one the answer is for"
    return next(iter(questions.values()))


def refusal(questions: Mapping[str, Question], answer: Request) -> str | None:
    """Why a request answers nothing; None when it does."""
    question = meant(questions, answer)
    if isinstance(question, str):
        return question
    if ends_run(question, answer) and not answer.reason.strip():
        return "a second no ends the run, and that needs a reason"
    return None


def ends_run(question: Question, answer: Request) -> bool:
    """Whether the answer confirms a *no*."""
    return question.denied and answer.answer == "no"


def answered(question: Question, answer: Request) -> Event:
    """The event of an answer that was not refused."""
    return "question_answered", {
        "task": question.task,
        "number": question.number,
        "yes": answer.answer == "yes",
        "by": answer.by,
        "comment": answer.reason,
    }


def farewell(question: Question, answer: Request) -> str:
    """Why a run ends whose question was answered *no* twice."""
    return f"{answer.by} answered no to {question.text!r}: {answer.reason}"
