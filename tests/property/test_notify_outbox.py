"""What is delivered however often the messenger's process is killed, and whatever its server does."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.notify.delivery import LONGEST_PAUSE_S, Delivery
from scheduler.notify.notice import Later, Notice, OutgoingMessage, Refused, Severity
from scheduler.notify.outbox import Outbox

RECEIVERS = ("#fat", "U1", "U2")
MESSAGES = [
    OutgoingMessage(f"{n // 3}.0.{who}", "run", "00001", 0.0, who, Notice(Severity.WARNING, f"text {n // 3}"))
    for n, who in enumerate(RECEIVERS * 3)
]


@pytest.fixture(scope="module", autouse=True)
def disk_without_delay() -> Iterator[list[int]]:
    """Thousands of marks: these tests cut files by themselves and need no durable ones."""
    synced: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", synced.append)
        yield synced


class Killed(BaseException):
    """The process is gone."""


@dataclass
class Server:
    """Takes messages; `moods` is what it does with the next tries."""

    moods: list[str] = field(default_factory=list)
    taken: list[OutgoingMessage] = field(default_factory=list)
    name: str = "server"

    def receivers(self, severity: Severity) -> tuple[str, ...]:
        return RECEIVERS

    def send(self, message: OutgoingMessage, root: Mapping[str, str] | None) -> Mapping[str, str]:
        mood = self.moods.pop(0) if self.moods else "takes"
        if mood == "down":
            raise Later("down")
        if mood == "busy":
            raise Later("429", 7.0)
        if mood == "unknown":
            raise Later("channel_not_found", receiver_only=True)
        if mood == "breaks":
            raise ZeroDivisionError("a library broke")
        if mood == "refuses":
            raise Refused("too long")
        self.taken.append(message)
        if mood == "dies":
            raise Killed
        return {"ts": message.id}


@dataclass
class Time:
    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass
class DeadlyDisk:
    """Kills the process at the mark with a number, when so many bytes of it are written."""

    at_mark: int
    part: float

    def wrap(self, outbox: Outbox) -> None:
        whole, marks = outbox._write, 0

        def write(line: bytes) -> None:
            nonlocal marks
            marks += 1
            if marks == self.at_mark:
                with outbox.path.open("ab") as file:
                    file.write(line[: round(self.part * len(line))])
                raise Killed
            whole(line)

        outbox._write = write  # type: ignore[method-assign]


def deliver_all(path: Path, server: Server, time: Time, disk: DeadlyDisk | None = None) -> Outbox:
    """One process: puts all messages as the journal tells them, and delivers. Raises Killed."""
    outbox = Outbox(path)
    if disk is not None:
        disk.wrap(outbox)
    delivery = Delivery(outbox, server, time, time)
    for message in MESSAGES:
        outbox.put(message)
    while (pause_s := delivery.step()) != math.inf:
        time.now_s += pause_s
    return outbox


moods = st.lists(st.sampled_from(["takes", "down", "busy", "unknown", "breaks", "dies"]), max_size=12)
deaths = st.lists(st.builds(DeadlyDisk, st.integers(1, 9), st.floats(0, 1)), max_size=5)


@settings(max_examples=150, deadline=None)
@given(moods, deaths)
def test_nothing_is_lost_order_is_kept_and_a_kill_repeats_one_message_at_most(
    tmp_path_factory, given_moods, given_deaths
):
    path, server, time = tmp_path_factory.mktemp("box") / "outbox-server.jsonl", Server(given_moods), Time()
    kills, left = 0, list(given_deaths)
    for _ in range(len(given_deaths) + len(given_moods) + 1):
        try:
            outbox = deliver_all(path, server, time, left.pop(0) if left else None)
        except Killed:
            kills += 1
        else:
            break
    assert len(outbox) == 0
    count = Counter(message.id for message in server.taken)
    assert set(count) == {message.id for message in MESSAGES}
    assert len(server.taken) - len(MESSAGES) <= kills
    for receiver in RECEIVERS:
        first = list(dict.fromkeys(m.id for m in server.taken if m.receiver == receiver))
        assert first == [m.id for m in MESSAGES if m.receiver == receiver]
    # All is marked: whoever looks again sends nothing.
    already = len(server.taken)
    assert len(deliver_all(path, server, time)) == 0
    assert len(server.taken) == already


def test_a_kill_at_every_byte_of_every_mark(tmp_path):
    whole = tmp_path / "whole"
    deliver_all(whole, Server(), Time())
    content = whole.read_bytes()
    for cut in range(len(content) + 1):
        path, server = tmp_path / "cut", Server()
        path.write_bytes(content[:cut])
        deliver_all(path, server, Time())
        # A mark that lacks no more than its newline counts.
        marked = content[:cut].count(b"\n") + (
            cut < len(content) and content[cut : cut + 1] == b"\n" and cut > 0
        )
        assert [m.id for m in server.taken] == [m.id for m in MESSAGES[marked:]]
        assert len(deliver_all(path, server, Time())) == 0
        assert len(server.taken) == len(MESSAGES) - marked


def test_an_hour_without_network_delays_and_loses_nothing(tmp_path):
    time = Time()

    @dataclass
    class Network(Server):
        tries: list[float] = field(default_factory=list)

        def send(self, message, root):
            self.tries.append(time.now_s)
            if time.now_s < 3600:
                raise Later("no route to host")
            return super().send(message, root)

    server = Network()
    deliver_all(tmp_path / "box", server, time)
    assert [m.id for m in server.taken] == [m.id for m in MESSAGES]
    assert time.now_s < 3600 + LONGEST_PAUSE_S + 1
    pauses = [after - before for before, after in zip(server.tries, server.tries[1:], strict=False)]
    assert pauses[:3] == [0.5, 1.0, 2.0]
    assert max(pauses) == LONGEST_PAUSE_S
    assert all(
        "(of 1970-01-01 00:00:00 UTC; it could not be told earlier)" in m.notice.text for m in server.taken
    )


def test_the_server_is_left_alone_as_long_as_it_asks_even_at_the_end(tmp_path):
    time, server = Time(), Server(["busy"])
    outbox = Outbox(tmp_path / "box")
    outbox.put(MESSAGES[0])
    delivery = Delivery(outbox, server, time, time)
    assert delivery.step() == 0
    assert delivery.step() == 7.0
    outbox.put(MESSAGES[1])
    delivery.hurry()
    assert delivery.step() == 7.0
    time.now_s = 7.0
    assert delivery.step() == 0
    assert [m.id for m in server.taken] == [MESSAGES[0].id]


def test_at_the_end_one_more_try_is_made_without_waiting_for_the_pause(tmp_path):
    time, server = Time(), Server(["down", "down", "unknown"])
    outbox = Outbox(tmp_path / "box")
    outbox.put(MESSAGES[0])
    delivery = Delivery(outbox, server, time, time)
    for _ in range(2):
        delivery.step()
        delivery.hurry()
    delivery.step()
    delivery.hurry()
    delivery.step()
    assert [m.id for m in server.taken] == [MESSAGES[0].id]


def test_a_receiver_that_is_not_there_does_not_hold_up_the_others(tmp_path):
    class NoU1(Server):
        def send(self, message, root):
            if message.receiver == "U1":
                raise Later("channel_not_found", receiver_only=True)
            return super().send(message, root)

    server, time = NoU1(), Time()
    outbox = Outbox(tmp_path / "box")
    delivery = Delivery(outbox, server, time, time)
    for message in MESSAGES:
        outbox.put(message)
    while delivery.step() == 0:
        pass
    assert [m.receiver for m in server.taken] == ["#fat", "U2"] * 3
    assert len(outbox) == 3


def test_a_refusal_is_marked_with_its_text_and_counted(tmp_path):
    path = tmp_path / "box"
    outbox = deliver_all(path, Server(["refuses"]), Time())
    assert outbox.refused == 1
    assert Outbox(path).refused == 1
    assert '"refused": "too long", "text": "text 0' in path.read_text()


def test_the_first_receipt_of_a_receiver_is_its_root_also_after_a_kill(tmp_path):
    path = tmp_path / "box"
    deliver_all(path, Server(), Time())
    assert Outbox(path).root("U1") == {"ts": "0.0.U1"}
    assert Outbox(path).root("nobody") is None


def test_a_mark_is_synchronised_before_the_next_message_goes_out(tmp_path, disk_without_delay):
    synced: list[int] = []

    class Watched(Server):
        def send(self, message, root):
            synced.append(len(disk_without_delay) - before)
            return super().send(message, root)

    before = len(disk_without_delay)
    deliver_all(tmp_path / "box", Watched(), Time())
    assert synced == list(range(len(MESSAGES)))
    assert len(disk_without_delay) == before + len(MESSAGES)


def test_a_disk_that_takes_no_marks_stops_nothing(tmp_path):
    server = Server()
    outbox = Outbox(tmp_path)  # a folder
    delivery = Delivery(outbox, server, Time(), Time())
    for message in MESSAGES:
        outbox.put(message)
    while delivery.step() == 0:
        pass
    assert len(server.taken) == len(MESSAGES)
