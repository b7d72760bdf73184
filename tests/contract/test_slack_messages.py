"""Slack: the public SDK against the simulated workspace, and a run's notifier against both its moods."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from fat.testing.handles import Faults, Slack
from scheduler import Plan, SchedulerTable, Task, create_run
from scheduler.folding import apply, fold
from scheduler.journal import Journal
from scheduler.notify.build import Address, notifiers_of
from scheduler.notify.config import SlackTable
from scheduler.notify.delivery import Delivery
from scheduler.notify.notice import Later, Notice, OutgoingMessage, Refused, Severity
from scheduler.notify.notifier import Notifier
from scheduler.notify.outbox import Outbox
from scheduler.notify.slack import SlackMessenger

PNG = b"\x89PNG and so on"
PEOPLE = SlackTable(shifter=("U1",), expert=("U2",), admin=("U1", "U3"), backup_shifter=("U4",))
STARTED = {"attempt": 1, "host": "h", "pid": 1, "version": "0", "resumed": False}
PLAN = Plan(
    "slack",
    (Task("one", "One", "scheduler.task:TaskResult"), Task("two", "Two", "scheduler.task:TaskResult")),
)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    return create_run(tmp_path / "fat", PLAN)


def message(number: int, receiver: str = "#fat", **more: object) -> OutgoingMessage:
    notice = replace(Notice(Severity.MESSAGE, f"text {number}"), **more)  # type: ignore[arg-type]
    return OutgoingMessage(f"{number}.0.{receiver}", "run", "00001", 1e12, receiver, notice)


def messenger_of(slack: Slack, run_dir: Path, table: SlackTable = PEOPLE) -> SlackMessenger:
    return SlackMessenger(run_dir, table, slack.base_url, "xoxb-test")


def happen(run_dir: Path, notifier: Notifier, *events: tuple[str, Mapping[str, object]]) -> None:
    """Journal events as an engine does, and let the notifier hear of them."""
    with Journal(run_dir) as journal:
        state = fold(journal.records)
        for event, data in events:
            record = journal.append(event, data, 0)
            state = apply(state, record)
            notifier.event(record, state)


def test_the_public_sdk_posts_updates_and_uploads(slack: Slack) -> None:
    client = WebClient("xoxb-test", base_url=slack.base_url)
    assert client.auth_test()["ok"]
    posted = client.chat_postMessage(channel="#fat", text="run 12 begins")
    client.chat_update(channel="#fat", ts=posted["ts"], text="run 12 done")
    client.files_upload_v2(
        channel="C1", filename="plot.png", title="plot", content=b"\x89PNG....", initial_comment="see"
    )
    first, second = slack.messages()
    assert (first["text"], second["text"]) == ("run 12 done", "see")
    base = slack.base_url.removesuffix("/api/")
    assert httpx.get(f"{base}/files/{second['files'][0]}").content == b"\x89PNG...."
    page = httpx.get(base).text
    assert "run 12 done" in page
    assert "plot" in page


def test_what_is_wrong_is_said_as_slack_says_it(slack: Slack) -> None:
    assert httpx.post(f"{slack.base_url}chat.postMessage", json={"channel": "c", "text": "t"}).json() == {
        "ok": False,
        "error": "not_authed",
    }
    bearer = {"Authorization": "Bearer x", "Content-Type": "application/json"}
    broken = httpx.post(f"{slack.base_url}chat.postMessage", content=b"{", headers=bearer)
    assert broken.json()["error"] == "invalid_json"
    huge = httpx.post(f"{slack.base_url}chat.postMessage", content=b" " * (2 << 20), headers=bearer)
    assert huge.status_code == 413
    with pytest.raises(SlackApiError, match="no_text"):
        WebClient("x", base_url=slack.base_url).api_call(
            "chat.postMessage", json={"channel": "c", "text": ""}
        )


def test_a_run_is_told_in_order_in_one_thread_and_persons_get_what_is_severe(
    slack: Slack, run_dir: Path
) -> None:
    notifier = Notifier(run_dir, messenger_of(slack, run_dir), 20.0)
    happen(
        run_dir,
        notifier,
        ("run_started", STARTED),
        ("task_started", {"task": "one", "attempt": 1}),
        ("task_failed", {"task": "one", "attempt": 1, "error": "e", "traceback": "in <module>\n```"}),
    )
    assert notifier.close() is None
    told = slack.messages()
    channel = [m for m in told if m["channel"] == "#fat"]
    launch = channel[0]
    assert launch["text"].splitlines()[-3:] == ["Schedule:", "[0] one", "[1] two"]
    assert [m["text"] for m in channel[1:]] == [
        "[0] one",
        "<!channel> - run stopped automatically in [0] one",
        "```in &lt;module&gt;\n'''```",
    ]
    # What wakes everybody stands in the channel itself: Slack does not notify by a mention in a thread.
    assert [m["thread_ts"] for m in channel] == [None, launch["ts"], None, launch["ts"]]
    direct = [(m["channel"], m["text"]) for m in told if m["channel"] != "#fat"]
    assert [who for who, _ in direct] == ["U1", "U2", "U3"] * 2
    assert direct[0][1] == "run stopped automatically in [0] one"


def test_severities_reach_whom_they_should(run_dir: Path) -> None:
    receivers = SlackMessenger(run_dir, PEOPLE, "http://127.0.0.1:9/api/", "t").receivers
    assert receivers(Severity.MESSAGE) == receivers(Severity.MONITORING) == ("#fat",)
    assert receivers(Severity.WARNING) == ("#fat", "U1", "U2", "U3")
    assert receivers(Severity.CRITICAL) == ("#fat", "U1", "U2", "U3", "U4")


def test_a_picture_goes_into_the_thread_with_its_title_and_nothing_in_a_text_can_call_anybody(
    slack: Slack, run_dir: Path
) -> None:
    (run_dir / "pictures").mkdir()
    (run_dir / "pictures/rates.png").write_bytes(PNG)
    messenger = messenger_of(slack, run_dir)
    root = messenger.send(message(1, text="<!channel> & <@U1>"), None)
    for receiver in ("#fat", "U1"):
        shown = message(2, receiver, picture="pictures/rates.png", title="Dark rates")
        messenger.send(shown, root if receiver == "#fat" else None)
    messenger.send(message(3, picture="pictures/lost.png"), root)
    escaped, uploaded, direct, lost = slack.messages()
    assert escaped["text"] == "&lt;!channel&gt; &amp; &lt;@U1&gt;"
    assert (uploaded["text"], uploaded["thread_ts"]) == ("text 2", root["ts"])
    base = slack.base_url.removesuffix("/api/")
    assert httpx.get(f"{base}/files/{uploaded['files'][0]}").content == PNG
    assert "Dark rates" in httpx.get(base).text
    assert direct["text"] == "text 2\n(a picture is in #fat)"
    assert lost["text"] == "text 3\n(the picture lost.png is gone)"


def test_trouble_lets_a_message_wait_and_only_what_slack_never_takes_is_refused(
    slack: Slack, faults: Faults, run_dir: Path
) -> None:
    messenger = messenger_of(slack, run_dir)
    for fault, parameters, expected in (
        ("rate_limit", {"retry_after_s": 9}, ("Slack asks for patience", 9.0, False)),
        ("server_error", {}, ("Slack answers HTTP 500", 0.0, False)),
        ("refuse_message", {"error": "fatal_error"}, ("Slack says fatal_error", 0.0, False)),
        ("refuse_message", {"error": "not_in_channel"}, ("Slack says not_in_channel", 0.0, True)),
    ):
        faults.on("slack", fault, times=1, **parameters)
        with pytest.raises(Later) as caught:
            messenger.send(message(1), None)
        trouble = caught.value
        assert (trouble.reason, trouble.after_s, trouble.receiver_only) == expected
    faults.on("slack", "refuse_message", times=1, error="msg_too_long")
    with pytest.raises(Refused, match="msg_too_long"):
        messenger.send(message(1), None)
    faults.on("slack", "slow_answer", times=1, delay_s=0.5)
    messenger._client.timeout = 0.1  # type: ignore[assignment]
    with pytest.raises(Later, match="cannot be reached"):
        messenger.send(message(1), None)


def test_slack_in_trouble_for_an_hour_delays_messages_and_loses_none(
    slack: Slack, faults: Faults, run_dir: Path
) -> None:
    now_s, outbox = 0.0, Outbox(run_dir / "outbox-slack.jsonl")
    delivery = Delivery(outbox, messenger_of(slack, run_dir), lambda: now_s, lambda: 0.0)
    for number in range(3):
        outbox.put(message(number))
    for fault in ("server_error", "rate_limit"):
        faults.on("slack", fault)
        until_s = now_s + 1800
        while now_s < until_s:
            now_s += max(delivery.step(), 1e-3)
        faults.off("slack", fault)
    assert slack.messages() == []
    while (pause_s := delivery.step()) != math.inf:
        now_s += pause_s
    assert [m["text"] for m in slack.messages()] == ["text 0", "text 1", "text 2"]
    struck = faults.struck("slack")
    assert struck["server_error"] < 100  # it is not hammered


def test_a_dead_slack_does_not_hold_up_the_end_and_the_rest_goes_out_when_resumed(
    slack: Slack, run_dir: Path
) -> None:
    dead = Address("http://127.0.0.1:9/api/", "xoxb-test")
    people = notifiers_of(run_dir, SchedulerTable(), dead)
    happen(run_dir, people.listeners[0], ("run_started", STARTED))
    (left,) = people.close()
    assert left.startswith("1 messages by slack could not be delivered (Slack cannot be reached")
    again = notifiers_of(run_dir, SchedulerTable(), Address(slack.base_url, "xoxb-test"))
    assert again.waiting == ("1 messages by slack wait from before",)
    assert slack.messages() == []  # nothing before it is certain that no other engine is at it
    happen(run_dir, again.listeners[0], ("run_started", STARTED | {"attempt": 2, "resumed": True}))
    assert again.close() == []
    assert [m["text"].splitlines()[-1].split(" - ")[0] for m in slack.messages()] == [
        "[1] two",
        "Going on with run 00001",
    ]
    # Then the run ended, and somebody looks after what is left: nothing, and nothing is said twice.
    ended = notifiers_of(run_dir, SchedulerTable(), Address(slack.base_url, "xoxb-test"))
    assert ended.waiting == ()
    assert ended.deliver_left(run_dir) == []
    assert len(slack.messages()) == 2
    with Journal(run_dir) as journal:
        journal.append("run_finished", {"verdict": "PASS"}, 0)
    for _ in range(2):
        last = notifiers_of(run_dir, SchedulerTable(), Address(slack.base_url, "xoxb-test"))
        assert last.deliver_left(run_dir) == []
        assert slack.messages()[-1]["text"] == "Run 00001: PASS"
        assert len(slack.messages()) == 6
