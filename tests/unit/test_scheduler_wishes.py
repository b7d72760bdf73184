"""What people may change of a run that goes on, and what is refused."""

from __future__ import annotations

import pytest

from scheduler import JournalRecord, Plan, Task
from scheduler.folding import fold
from scheduler.requests import Request
from scheduler.state import RunState
from scheduler.wishes import event, refusal

PLAN = Plan(
    "p",
    (
        Task("first", "F", "m:f"),
        Task("light", "L", "m:f", leaves={"laser": "on"}),
        Task("dark", "D", "m:f", leaves={"laser": "off"}),
        Task("enter", "E", "m:f", needs={"laser": "off"}),
        Task("tidy", "T", "m:f", always=True),
    ),
    begins={"laser": "off"},
)


def running() -> RunState:
    events = [
        ("run_created", {"run": "00001", "plan": PLAN.to_json(), "parameters": {}}),
        ("run_started", {"attempt": 1, "host": "h", "pid": 1, "version": "1"}),
        ("task_started", {"task": "first", "attempt": 1}),
    ]
    return fold(JournalRecord(n, 0.0, 0, name, data) for n, (name, data) in enumerate(events, 1))


def wish(kind: str, task: str, before: str = "", reason: str = "broken") -> Request:
    return Request(kind, "ada", reason, task, before)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (wish("skip", "absent"), "there is no task 'absent'"),
        (wish("skip", "first"), "first is running"),
        (wish("skip", "light", reason=" "), "leaving light out needs a reason"),
        (wish("skip", "tidy"), "tidy always runs"),
        (wish("skip", "dark"), "then enter could not run: it needs laser = off, but light before it ends"),
        (wish("move", "dark", "light"), "then enter could not run"),
        (wish("move", "dark"), "then enter could not run"),
        (wish("move", "dark", "first"), "'first' is none"),
        (wish("move", "dark", "dark"), "'dark' is none"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(asked, told):
    assert told in (refusal(running(), asked) or "granted")


@pytest.mark.parametrize(
    ("asked", "order"),
    [
        (wish("skip", "light"), ["first", "light", "dark", "enter", "tidy"]),
        (wish("move", "enter", "light"), ["first", "enter", "light", "dark", "tidy"]),
        (wish("move", "light"), ["first", "dark", "enter", "tidy", "light"]),
    ],
)
def test_what_can_be_changes_the_order(asked, order):
    state = running()
    assert refusal(state, asked) is None
    name, data = event(asked)
    after = fold([JournalRecord(state.seq + 1, 0.0, 0, name, data)], state)
    assert list(after.tasks) == order
    assert after.misfits == 0
