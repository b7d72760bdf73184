"""What records of questions to people do to the state of a run."""

from __future__ import annotations

from dataclasses import replace

from scheduler.journal import JournalRecord
from scheduler.question import Answer, Question
from scheduler.state import RunState, with_task


def unasked(state: RunState, task: str) -> dict[str, Question]:
    """The open questions without that of a task."""
    return {name: question for name, question in state.questions.items() if name != task}


def question_asked(state: RunState, record: JournalRecord) -> RunState:
    """A task waits for people."""
    data = record.data
    task, number = state.tasks[data["task"]], data["number"]
    question = Question(task.task.id, number, str(data["text"]), str(data["severity"]), record.seq, record.at)
    # An answer that an earlier attempt was given in this place was to another question.
    task = replace(task, answers=task.answers[: task.asked_before + number - 1])
    return with_task(state, task, questions={**unasked(state, task.task.id), task.task.id: question})


def question_answered(state: RunState, record: JournalRecord) -> RunState:
    """They said yes; or no, which is asked again once."""
    data = record.data
    question = state.questions[data["task"]]
    left = unasked(state, question.task)
    if data["yes"]:
        answer = Answer(question.number, question.text, data["by"], data["comment"], record.at)
        task = state.tasks[question.task]
        return with_task(state, replace(task, answers=(*task.answers, answer)), questions=left)
    if question.denied:
        return replace(state, questions=left)
    again = replace(question, seq=record.seq, denied=True)
    return replace(state, questions={**state.questions, question.task: again})
