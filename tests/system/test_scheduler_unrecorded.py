"""A disk that takes no more of the journal: things are cleaned up all the same, and nothing is invented."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from scheduler import (
    Engine,
    Plan,
    SchedulerTable,
    Task,
    comparable,
    create_run,
    open_run,
    read_journal,
    record,
    resume_time_ns,
)
from scheduler.book import Book
from scheduler.errors import JournalUnwritable
from scheduler.journal import Journal
from scheduler.journal.lock import take_lock
from scheduler.listening import Listeners
from scheduler.notify.notice import Notice
from scheduler.requests import submit
from scheduler.scribe import Scribe

HERE = Path(__file__).parent
SAFE = ("safe", "cold")


class StepClock:
    """Time jumps to where somebody waits for."""

    def __init__(self, start_ns: int) -> None:
        self.time_ns = start_ns

    def now_ns(self) -> int:
        return self.time_ns

    def wait_until(self, t_ns: int) -> int:
        self.time_ns = max(self.time_ns, t_ns)
        return self.time_ns

    def interrupt(self) -> None:
        pass


@dataclass
class Ear:
    """Lets something happen at an event, such as *task_started b*; hears what is in no journal."""

    at: str = ""
    act: Callable[[], None] = lambda: None
    events: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    signals: int = 0
    """So many come when it hears of something in no journal."""

    def event(self, entry, state):
        self.events.append(f"{entry.event} {entry.data.get('task', '')}".strip())
        if self.events[-1] == self.at:
            self.act()

    def progress(self, progress):
        pass

    def unrecorded(self, notice, state):
        self.notices.append(notice)
        while self.signals:
            self.signals -= 1
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def _functions(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))


@pytest.fixture
def told(tmp_path) -> Path:
    """What cleaning up left, where no journal is."""
    (tmp_path / "told").touch()
    return tmp_path / "told"


def run_of(root: Path, told: Path, second: str = "dawdles", **of_safe) -> Path:
    where = {"told": str(told)}
    return create_run(
        root,
        Plan(
            "p",
            (
                Task("a", "A", "scheduler_tasks:passes"),
                Task("b", "B", f"scheduler_tasks:{second}"),
                Task("safe", "Safe", "scheduler_tasks:cleans", where | of_safe, always=True, retries=1),
                Task("cold", "Cold", "scheduler_tasks:cleans", where, always=True),
            ),
        ),
    )


def fill(run_dir: Path) -> Callable[[], None]:
    """The kernel lets this process make the journal's log no larger, as on a full disk."""

    def act() -> None:
        size = os.path.getsize(run_dir / "journal.sqlite-wal")
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    return act


def carry_out(run_dir: Path, ear: Ear) -> int:
    try:
        return (
            Engine(run_dir, None, StepClock(resume_time_ns(run_dir) or 0), {}, SchedulerTable(), [ear])
            .run()
            .exit_code
        )
    except JournalUnwritable as error:
        return error.exit_code
    finally:  # there is room again
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def test_a_full_disk_in_a_task_stops_it_cleans_up_and_resuming_is_right(tmp_path, told):
    run_dir = run_of(tmp_path / "fat", told)
    ear = Ear("task_started b", fill(run_dir))
    assert carry_out(run_dir, ear) == 74
    assert (run_dir / "cleaned").exists()  # by the task that was stopped
    assert told.read_text() == "safe 0 ['a']\ncold 0 ['a']\n"
    assert [entry.event for entry in read_journal(run_dir)][-1] == "task_started"
    assert ear.events[-1] == "task_started b"
    first, last = ear.notices
    assert "cannot be written" in first.text
    assert "make it writable, then resume the run" in first.text
    assert (str(first.severity), first.wake) == ("critical", True)
    assert last.text == "cleaned up: safe, cold; resuming the run does it again at its end"

    submits = Ear("task_note b", lambda: submit(run_dir, "abort", by="ada", reason="enough"))
    assert carry_out(run_dir, submits) == 75  # b dawdles for ever
    assert open_run(run_dir).tasks["b"].attempt == 2
    assert told.read_text().splitlines()[2:] == ["safe 1 ['a']", "cold 1 ['a', 'safe']"]


@pytest.fixture(params=["full", "read-only"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A disk of 2 MB, and what makes it take nothing more."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", disk], check=True)

    def fill() -> None:
        if request.param == "read-only":
            subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
            return
        file = os.open(disk / "others", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        with suppress(OSError):
            while True:
                os.write(file, bytes(4096))
        os.close(file)

    try:
        yield disk, fill
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_run_that_is_resumed_on_a_disk_that_takes_nothing_is_made_safe(small_disk, tmp_path, told):
    whole = run_of(tmp_path / "whole", told, "waits")
    assert carry_out(whole, Ear()) == 0
    told.write_text("")
    disk, fill_up = small_disk
    run_dir = run_of(disk / "fat", told, "waits")
    engine = multiprocessing.get_context("fork").Process(
        target=carry_out, args=(run_dir, Ear("task_started b", lambda: os.kill(os.getpid(), signal.SIGKILL)))
    )
    engine.start()
    engine.join()
    os.close(take_lock(run_dir))  # its task processes are gone
    for times in (1, 2):  # the second time no log of the journal is left, and no room for one
        fill_up()
        ear = Ear()
        assert carry_out(run_dir, ear) == 74
        cleaned = [line.split(" ")[:2] for line in told.read_text().splitlines()]
        assert cleaned == [["safe", "0"], ["cold", "0"]] * times
        assert (
            "make it writable, then resume the run. What runs is stopped; these still" in ear.notices[0].text
        )
        assert ear.notices[1].text == "cleaned up: safe, cold; resuming the run does it again at its end"
    subprocess.run(["mount", "-o", "remount,rw,size=4m", disk], check=True)
    assert carry_out(run_dir, Ear()) == 0
    assert comparable(record(run_dir)) == comparable(record(whole))


def test_a_run_that_never_began_has_nothing_to_clean_up(tmp_path, told):
    run_dir = run_of(tmp_path / "fat", told)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    ear = Ear()
    assert carry_out(run_dir, ear) == 74
    assert told.read_text() == ""
    assert ear.notices[0].text.endswith("What runs is stopped; nothing is left to clean up")


@pytest.mark.parametrize("at", ["task_finished a", "task_started safe", "task_started cold"])
def test_wherever_it_fills_the_resumed_run_has_the_undisturbed_record(tmp_path, told, at):
    whole = run_of(tmp_path / "whole", told, "waits")
    assert carry_out(whole, Ear()) == 0
    told.write_text("")
    run_dir = run_of(tmp_path / "fat", told, "waits")
    assert carry_out(run_dir, Ear(at, fill(run_dir))) == 74
    outside = [line.split(" ")[:2] for line in told.read_text().splitlines() if " 0 " in line]
    assert outside == [[name, "0"] for name in SAFE if name != "safe" or at != "task_started cold"]
    assert carry_out(run_dir, Ear()) == 0
    assert comparable(record(run_dir)) == comparable(record(whole))
    assert [task.attempt for task in open_run(run_dir).tasks.values()] == [
        1 + (at == f"task_started {name}") for name in ("a", "b", *SAFE)
    ]


def test_what_does_not_clean_up_is_tried_again_and_people_are_sent_to_look(tmp_path, told):
    run_dir = run_of(tmp_path / "fat", told, breaks=True)
    (run_dir / "log" / "cold.log").mkdir(parents=True)  # no log file can be opened: it cleans up all the same
    ear = Ear("task_started b", fill(run_dir))
    assert carry_out(run_dir, ear) == 74
    assert [line.split(" ")[0] for line in told.read_text().splitlines()] == ["safe", "safe", "cold"]
    wanted = ["safe: the ramp does not answer"] * 2
    wanted.append("NOT cleaned up, go and look: safe: RuntimeError: the high voltage is still on")
    assert [notice.text for notice in ear.notices[1:]] == wanted
    assert all(notice.wake for notice in ear.notices)


def test_a_task_that_asks_cannot_clean_up_without_a_journal_and_holds_nothing_up(tmp_path, told):
    asks = Task("asks", "Asks", "scheduler_tasks:asks", always=True)
    run_dir = create_run(tmp_path / "fat", Plan("p", (Task("a", "A", "scheduler_tasks:dawdles"), asks)))
    ear = Ear("task_started a", fill(run_dir))
    assert carry_out(run_dir, ear) == 74
    assert "asks: stopped: it asks people, which needs the journal" in ear.notices[-1].text


def test_a_second_signal_leaves_at_once(tmp_path, told):
    run_dir = run_of(tmp_path / "fat", told)
    ear = Ear("task_started b", fill(run_dir), signals=2)
    assert carry_out(run_dir, ear) == 74
    assert told.read_text() == ""
    assert "safe: not begun, a second signal came; cold: not begun" in ear.notices[-1].text


def test_with_room_again_nothing_more_is_written(tmp_path, told):
    run_dir, ear = run_of(tmp_path / "fat", told), Ear()
    with Journal(run_dir) as journal, Scribe(journal, lambda: None) as scribe:
        book = Book(journal.records, scribe, StepClock(0), Listeners([ear]))
        book.shut = True
        book.write("task_note", task="a", text="of another world")
    assert [entry.event for entry in read_journal(run_dir)] == ["run_created"]
    assert ear.events == []
