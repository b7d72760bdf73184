"""How tasks and checks ended, for the journal. What was told to stop has no ending of its own: the stop is recorded."""

from __future__ import annotations

from scheduler.book import Book
from scheduler.decide import to_be_retried
from scheduler.ending import Ending


def write_ending(book: Book, name: str, attempt: int, ending: Ending) -> None:
    """Write down how an attempt of a task ended. Raises JournalUnwritable."""
    if ending.stopped:
        return
    if ending.result is None:
        told = {"error": ending.error, "traceback": ending.traceback}
        again = to_be_retried(book.state, name)
        book.write("task_failed", task=name, attempt=attempt, **told, retried=again)
        return
    result = {key: ending.result[key] for key in ("verdict", "outputs", "artefacts")}
    book.write("task_finished", task=name, attempt=attempt, **result, wall_s=ending.wall_s)


def write_check_ending(
    book: Book, check: str, before: str, ending: Ending, *, begun_ns: int, attempts: int
) -> None:
    """Write down what a check before a task found. Raises JournalUnwritable.

    begun_ns  the run's clock when it was begun
    attempts  how often it may look, in all, when it is not content
    """
    if ending.stopped:
        return
    found = ending.result or {"ok": False, "text": ending.error, "repaired": ""}
    more = book.state.stop is None and book.state.tasks[before].unwell + 1 < attempts
    told = {**found, "retried": not found["ok"] and more, "begun_sim_ns": begun_ns}
    book.write("check_finished", check=check, before=before, **told)
