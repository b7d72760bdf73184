"""Slack: the public SDK against the simulated workspace, and what the notifier does when Slack is in trouble."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from fat.testing.handles import Faults, Slack
from scheduler import Plan, Task, create_run
from scheduler.journal import Journal
from scheduler.notify.config import SlackTable
from scheduler.notify.outbox import OUTBOX_NAME, Outbox, OutgoingMessage
from scheduler.notify.slack import SlackNotifier
from scheduler.notify.wording import say
from scheduler.state import EMPTY, apply, fold

PLAN = Plan(
    "slack",
    (Task("one", "One", "scheduler.task:TaskResult"), Task("two", "Two", "scheduler.task:TaskResult")),
)
STARTED = {"attempt": 1, "host": "h", "pid": 1, "version": "0", "resumed": False, "cut_bytes": 0}


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    run_dir = create_run(tmp_path / "fat", PLAN)
    with Journal(run_dir / "journal.jsonl") as journal:
        journal.append("run_started", STARTED, 0)
    return run_dir


def until(true: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if true():
            return
        pause.wait(0.02)
    pytest.fail("it did not come about within a minute")


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


def test_a_run_is_told_in_order_and_the_outbox_is_empty_at_the_end(slack: Slack, run_dir: Path) -> None:
    notifier = SlackNotifier(run_dir, SlackTable(), slack.base_url, "xoxb-test")
    with Journal(run_dir / "journal.jsonl") as journal:
        state = fold(journal.records)
        for event, data in (
            ("task_started", {"task": "one", "attempt": 1}),
            ("task_failed", {"task": "one", "attempt": 1, "error": "e", "traceback": "Traceback of it"}),
        ):
            record = journal.append(event, data, 0)
            state = apply(state, record)
            notifier.event(record, state)
    assert notifier.close() is None
    texts = [message["text"] for message in slack.messages()]
    assert texts[0].splitlines()[-3:] == ["Schedule:", "[0] one", "[1] two"]
    assert texts[1] == "[0] one"
    assert texts[2].startswith("<!channel> - run stopped automatically")
    assert "Traceback of it" in texts[3]


@pytest.mark.parametrize("fault", ["rate_limit", "server_error"])
def test_passing_trouble_is_retried_and_nothing_is_lost(
    slack: Slack, faults: Faults, run_dir: Path, fault: str
) -> None:
    faults.on("slack", fault, times=2)
    notifier = SlackNotifier(run_dir, SlackTable(drain_s=20.0), slack.base_url, "xoxb-test")
    assert notifier.close() is None
    assert notifier.counters["retries"] == 2
    assert len(slack.messages()) == 1


def test_a_refusal_is_told_and_not_repeated(slack: Slack, faults: Faults, run_dir: Path) -> None:
    faults.on("slack", "refuse_message", error="channel_not_found")
    notifier = SlackNotifier(run_dir, SlackTable(), slack.base_url, "xoxb-test")
    assert "refused 1 messages" in (notifier.close() or "")
    assert "channel_not_found" in (run_dir / OUTBOX_NAME).read_text()
    assert faults.struck("slack")["refuse_message"] == 1


def test_a_dead_slack_costs_the_stated_time_and_the_rest_goes_out_later(slack: Slack, run_dir: Path) -> None:
    nobody = SlackNotifier(run_dir, SlackTable(drain_s=0.2), "http://127.0.0.1:9/api/", "xoxb-test")
    assert "1 Slack messages could not be delivered" in (nobody.close() or "")
    again = SlackNotifier(run_dir, SlackTable(), slack.base_url, "xoxb-test")
    until(lambda: len(slack.messages()) == 1)
    assert again.close() is None


def test_what_was_said_before_a_kill_is_not_said_again(slack: Slack, run_dir: Path) -> None:
    for _ in range(2):
        assert SlackNotifier(run_dir, SlackTable(), slack.base_url, "xoxb-test").close() is None
    assert len(slack.messages()) == 1


@given(st.data())
def test_any_prefix_of_an_outbox_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("outbox") / OUTBOX_NAME
    box = Outbox(path, lambda: None)
    messages = [OutgoingMessage(f"{n}", "message", "#fat", f"text {n}") for n in range(4)]
    for message in messages:
        box.put(message)
    box.delivered(messages[0])
    box.give_up(messages[1], "refused")
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    path.write_bytes(whole[:cut])
    loaded = Outbox(path, lambda: None)
    entries = []
    for line in whole[:cut].split(b"\n"):
        try:
            entries.append(json.loads(line))
        except ValueError:
            continue  # the line that was cut
    done = {entry["done"] for entry in entries if "done" in entry}
    waiting = [entry["id"] for entry in entries if "id" in entry and entry["id"] not in done]
    assert len(loaded) == len(waiting)
    first = loaded.next()
    assert (None if first is None else first.id) == (waiting[0] if waiting else None)


def test_every_kind_of_record_has_a_wording_or_none(run_dir: Path) -> None:
    with Journal(run_dir / "journal.jsonl") as journal:
        state = EMPTY
        for record in journal.records:
            state = apply(state, record)
            assert all(text for _, text in say(record, state))
