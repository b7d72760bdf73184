"""Letters and webhooks, against real servers on free ports."""

from __future__ import annotations

import base64
import math
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from scheduler.notify.config import EmailTable
from scheduler.notify.delivery import Delivery
from scheduler.notify.mail import EmailMessenger
from scheduler.notify.notice import Later, Notice, OutgoingMessage, Refused, Severity
from scheduler.notify.outbox import Outbox
from scheduler.notify.webhook import WebhookMessenger

PNG = b"\x89PNG and so on"


def message(number: int, receiver: str = "ada@lab", **more: object) -> OutgoingMessage:
    notice = replace(Notice(Severity.WARNING, f"text {number}\nmore of it"), **more)  # type: ignore[arg-type]
    return OutgoingMessage(f"{number}.0.{receiver}", "run", "00007", 1e9, receiver, notice)


def mail(port: int, run_dir: Path, **more: object) -> EmailMessenger:
    table = EmailTable(port=port, security="none", shifter=("ada@lab",), **more)  # type: ignore[arg-type]
    return EmailMessenger(run_dir, table, "127.0.0.1", "s3cret")


def test_a_letter_says_all_and_stands_in_one_thread(post_office, tmp_path):
    (tmp_path / "rates.png").write_bytes(PNG)
    with post_office() as office:
        messenger = mail(office.port, tmp_path)
        root = messenger.send(message(1, wake=True), None)
        messenger.send(message(2, picture="rates.png", title="Dark rates.png", text="Ströme\n∆ 3 %"), root)
        messenger.send(message(1, wake=True), None)
    first, second, again = office.letters
    assert (first["Subject"], first["To"]) == ("[run 00007] warning: @channel - text 1", "ada@lab")
    assert first.get_content().replace("\r", "") == "@channel - text 1\nmore of it\n"
    assert first["Importance"] == "high"
    assert second["In-Reply-To"] == first["Message-ID"]
    assert second.get_body().get_content().replace("\r", "") == "Ströme\n∆ 3 %\n"
    (picture,) = second.iter_attachments()
    assert (picture.get_filename(), picture.get_content_type(), picture.get_content()) == (
        "Dark rates.png",
        "image/png",
        PNG,
    )
    # A letter that goes out twice can be told by its Message-ID.
    assert again["Message-ID"] == first["Message-ID"] != second["Message-ID"]


def test_everybody_gets_what_the_table_says(tmp_path):
    messenger = mail(1, tmp_path, everything_to=("list@lab", "ada@lab"), backup_shifter=("bob@lab",))
    assert messenger.receivers(Severity.MESSAGE) == ("list@lab", "ada@lab")
    assert messenger.receivers(Severity.CRITICAL) == ("list@lab", "ada@lab", "bob@lab")
    assert mail(1, tmp_path).receivers(Severity.MESSAGE) == ()


@pytest.mark.parametrize(
    ("answers", "expected", "reason", "receiver_only"),
    [
        ({"CONNECT": ["421 closing"]}, Later, "421 closing", False),
        ({"ada@lab": ["450 greylisted"]}, Later, "450 greylisted", True),
        ({"ada@lab": ["550 no such box"]}, Later, "550 no such box", True),
        ({"DATA": ["452 disk full"]}, Later, "452 disk full", False),
        ({"DATA": ["554 no"]}, Refused, "554 no", False),
    ],
)
def test_what_a_post_office_says_is_understood(
    post_office, tmp_path, answers, expected, reason, receiver_only
):
    with post_office() as office:
        office.answers.update(answers)
        with pytest.raises(expected, match=reason) as caught:
            mail(office.port, tmp_path).send(message(1), None)
        assert getattr(caught.value, "receiver_only", False) == receiver_only
        mail(office.port, tmp_path).send(message(1), None)
    assert len(office.letters) == 1


def test_a_post_office_that_cannot_encrypt_gets_no_password(post_office, tmp_path):
    with post_office() as office:
        table = EmailTable(port=office.port, user="me")
        with pytest.raises(Later, match="cannot be reached: STARTTLS"):
            EmailMessenger(tmp_path, table, "127.0.0.1", "s3cret").send(message(1), None)
    with pytest.raises(Later, match="cannot be reached"):
        mail(office.port, tmp_path).send(message(1), None)  # it is closed now


def test_a_webhook_gets_json_with_a_key(hook, tmp_path):
    (tmp_path / "rates.png").write_bytes(PNG)
    with hook() as found:
        messenger = WebhookMessenger(tmp_path, found.url)
        assert messenger.receivers(Severity.MESSAGE) == ("webhook",)
        shown = message(3, "webhook", picture="rates.png", title="Rates", wake=True)
        messenger.send(shown, None)
        messenger.send(message(4, "webhook"), None)
    assert found.bodies[0] == {
        "id": "3.0.webhook",
        "run": "00007",
        "at": 1e9,
        "severity": "warning",
        "wake": True,
        "text": "@channel - text 3\nmore of it",
        "picture": {"name": "rates.png", "title": "Rates", "data": base64.b64encode(PNG).decode()},
    }
    assert "picture" not in found.bodies[1]
    assert found.keys == ["run/3.0.webhook", "run/4.0.webhook"]


@pytest.mark.parametrize(
    ("status", "headers", "expected", "after_s"),
    [
        (429, {"Retry-After": "12"}, Later, 12.0),
        (503, {}, Later, 1.0),
        (429, {"Retry-After": "soon"}, Later, 1.0),
        (429, {"Retry-After": "1e9"}, Later, 3600.0),
        (429, {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(days=1))}, Later, 3600.0),
        (500, {}, Later, 0.0),
        (404, {}, Later, 0.0),
        (302, {"Location": "/elsewhere"}, Later, 0.0),
        (413, {}, Refused, None),
    ],
)
def test_what_a_webhook_answers_is_understood(hook, tmp_path, status, headers, expected, after_s):
    with hook() as found:
        found.answers.append((status, headers))
        with pytest.raises(expected, match=str(status)) as caught:
            WebhookMessenger(tmp_path, found.url).send(message(1, "webhook"), None)
        assert getattr(caught.value, "after_s", None) == after_s
    assert found.bodies == []


def test_a_webhook_that_is_gone_for_an_hour_gets_everything_and_its_address_is_not_told(hook, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    now_s, outbox = 0.0, Outbox(tmp_path / "outbox-webhook.jsonl")
    messenger = WebhookMessenger(tmp_path, f"http://127.0.0.1:{port}/hook?key=s3cret")
    delivery = Delivery(outbox, messenger, lambda: now_s, lambda: 1e9)
    for number in range(3):
        outbox.put(message(number, "webhook"))
    while now_s < 3600:
        now_s += max(delivery.step(), 1e-3)
    assert delivery.trouble == "the webhook cannot be reached: ConnectError"
    with hook(port) as found:
        while (pause_s := delivery.step()) != math.inf:
            now_s += pause_s
    assert [body["id"] for body in found.bodies] == ["0.0.webhook", "1.0.webhook", "2.0.webhook"]
