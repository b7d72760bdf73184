"""The logbook in a browser: forms are filled in there, by who shows a password, and entered once."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fat.bench.web_server import WebServer
from fat.degg.logbook.book import Logbook
from fat.degg.logbook.forms import FORMS
from fat.degg.logbook.page import app as pages
from fat.degg.logbook.users import Users

WHO = {"user": "ada", "password": "enigma-1843"}
FILLED: dict[str, dict[str, str]] = {
    "start-run": {
        "run": "12", "modules": "DEgg2021-3-133, DEgg2021-3-134", "function_generator_on": "yes",
        "laser_supply_on": "yes", "thermometers_on": "yes", "humidity_sensors_on": "no",
        "filter_wheel_on": "yes", "ran_setup": "yes",
        "flashed_fpgas": "no", "ran_configs": "yes", "comment": "",
    },
    "start-shift": {"comment": "cold"},
    "end-shift": {"comment": ""},
    "check-list": {"daq_running": "yes", "slackbot_posting": "yes", "freezer_temperature_expected": "no",
                   "comment": "-38 C"},
    "freezer-access": {
        "hv_disabled": "yes", "laser_off": "yes", "temperature_before": "-40", "temperature_after": "-38.5",
        "humidity_before": "12", "humidity_after": "30", "opened": "09:05", "closed": "09:20", "reason": "fibre 3",
    },
    "post": {"modules": "", "about": "hardware", "text": "<b>fibre</b>\n3 replaced"},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Users(tmp_path).add("ada", "enigma-1843")
    return tmp_path


@pytest.fixture
def browser(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A client with a jar for cookies, at the pages of *folder*."""
    monkeypatch.setattr(pages, "WRONG_PASSWORD_S", 0.0)
    ready, loop = threading.Event(), asyncio.new_event_loop()
    end, address = asyncio.Event(), ""

    async def serve() -> None:
        nonlocal address
        server = WebServer("logbook", pages.make_app(folder))
        address = await server.start()
        ready.set()
        await end.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    ready.wait()
    with httpx.Client(
        base_url=address, follow_redirects=True, trust_env=False, verify=False, timeout=60
    ) as client:
        yield client
    loop.call_soon_threadsafe(end.set)
    thread.join()
    loop.close()


def sending(browser: httpx.Client, form: str) -> str:
    """What tells this filling in from another."""
    found = re.search(r'name="sending" value="([^"]+)"', browser.get(f"/write/{form}").text)
    assert found
    return found[1]


def test_every_form_asks_for_all_its_fields_and_becomes_an_entry(browser: httpx.Client, folder: Path) -> None:
    assert FILLED.keys() == FORMS.keys()
    for number, (form, filled) in enumerate(FILLED.items(), 1):
        shown = browser.get(f"/write/{form}")
        assert {field.name for field in FORMS[form]} <= set(re.findall(r'name="(\w+)"', shown.text))
        answer = browser.post(f"/write/{form}", data={**filled, **WHO, "sending": sending(browser, form)})
        assert answer.url.path == f"/entries/{number}", answer.text
        assert "by ada" in answer.text
    entries = Logbook(folder).entries()
    assert [entry.form for entry in entries] == list(FILLED)
    assert entries[0].values["modules"] == ["DEgg2021-3-133", "DEgg2021-3-134"]
    assert entries[4].values["temperature_after"] == -38.5
    assert "&lt;b&gt;fibre&lt;/b&gt;\n3 replaced" in browser.get("/entries/6").text


def test_what_is_wrong_is_said_at_its_field_and_nothing_that_was_typed_is_lost(
    browser: httpx.Client, folder: Path
) -> None:
    wrong = FILLED["freezer-access"] | {"temperature_before": "-60", "laser_off": "", "reason": "fibre <3>"}
    answer = browser.post("/write/freezer-access", data={**wrong, **WHO})
    assert answer.status_code == 422
    assert "2 fields are not right yet" in answer.text
    assert "is a number, -57 … 30, not &#39;-60&#39;" in answer.text
    assert "fibre &lt;3&gt;</textarea>" in answer.text
    assert 'value="09:05"' in answer.text
    assert "enigma" not in answer.text
    assert Logbook(folder).entries() == []


@pytest.mark.parametrize("who", [{}, WHO | {"password": "enigma-1844"}, WHO | {"user": "bob"}])
def test_nothing_is_entered_without_the_password(
    browser: httpx.Client, folder: Path, who: dict[str, str]
) -> None:
    answer = browser.post("/write/end-shift", data={"comment": "all well", **who})
    assert answer.status_code == 422
    assert "is wrong, or there is no such user" in answer.text
    assert "all well</textarea>" in answer.text
    assert Logbook(folder).entries() == []


def test_who_has_written_goes_on_writing_until_leaving(browser: httpx.Client, folder: Path) -> None:
    browser.post("/write/start-shift", data=WHO)
    assert "Password" not in browser.get("/write/end-shift").text
    browser.post("/write/end-shift", data={"user": "bob"})
    assert [entry.user for entry in Logbook(folder).entries()] == ["ada", "ada"]
    browser.post("/leave")
    assert "Password" in browser.get("/write/end-shift").text
    assert browser.post("/write/end-shift").status_code == 422


def test_a_form_that_is_sent_twice_is_entered_once(browser: httpx.Client, folder: Path) -> None:
    filled = {**FILLED["post"], **WHO, "sending": sending(browser, "post")}
    first, second = (browser.post("/write/post", data=filled) for _ in range(2))
    assert first.url == second.url
    browser.post("/write/post", data={**filled, "sending": sending(browser, "post")})
    assert len(Logbook(folder).entries()) == 2


def test_entries_are_found_by_form_user_and_words_the_newest_first(
    browser: httpx.Client, folder: Path
) -> None:
    book = Logbook(folder)
    for number in range(60):
        book.add("ada" if number % 2 else "bob", "post", {"text": f"Fibre {number}"})
    book.add("bob", "check-list", {"daq_running": True})

    def numbers(query: str) -> list[int]:
        return [int(n) for n in re.findall(r'href="/entries/(\d+)"', browser.get(f"/?{query}").text)]

    assert numbers("") == list(range(61, 11, -1))
    assert numbers("page=2") == numbers("page=9") == list(range(11, 0, -1))
    assert numbers("form=check-list") == [61]
    assert numbers("user=ada&text=fibre+5") == [60, 58, 56, 54, 52, 6]
    assert numbers("text=nowhere") == numbers("form=nothing") == []
    assert numbers("page=-1&text=fibre+59") == [60]


def test_other_sites_can_neither_write_nor_read(browser: httpx.Client, folder: Path) -> None:
    browser.post("/write/start-shift", data=WHO)
    foreign = {"origin": "http://evil.example"}
    assert browser.post("/write/end-shift", headers=foreign).status_code == 403
    assert browser.post("/leave", headers=foreign).status_code == 403
    assert browser.get("/", headers={"host": "evil.example"}).status_code == 400
    assert len(Logbook(folder).entries()) == 1
    policy = browser.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "<script" not in browser.get("/write/post").text


@pytest.mark.parametrize(
    ("path", "code", "told"),
    [
        ("/entries/2", 404, "there is no entry 2; there are 1"),
        ("/entries/0", 404, "there is no entry 0"),
        ("/write/diary", 404, "there are: start-run"),
        ("/nowhere", 404, "That did not work"),
    ],
)
def test_what_there_is_not_is_told(
    browser: httpx.Client, folder: Path, path: str, code: int, told: str
) -> None:
    Logbook(folder).add("ada", "start-shift", {"comment": ""})
    answer = browser.get(path)
    assert (answer.status_code, told in answer.text) == (code, True)


def test_a_damaged_book_is_told_and_not_added_to(browser: httpx.Client, folder: Path) -> None:
    (folder / "logbook.jsonl").write_text("{}\n")
    for answer in (browser.get("/"), browser.post("/write/start-shift", data=WHO)):
        assert (answer.status_code, "restore the logbook from a copy" in answer.text) == (500, True)
    assert (folder / "logbook.jsonl").read_text() == "{}\n"


def test_an_address_fills_fields_in(browser: httpx.Client) -> None:
    shown: Any = browser.get("/write/start-run?run=12&modules=DEgg2021-3-133&ran_setup=yes").text
    assert 'value="12"' in shown
    assert 'value="DEgg2021-3-133"' in shown
    assert re.search(r'name="ran_setup" value="yes" checked', shown)


def test_a_form_that_is_too_long_is_refused(browser: httpx.Client, folder: Path) -> None:
    assert browser.post("/write/post", data={"text": "x" * 300_000}).status_code == 413
    answer = browser.post("/write/post", data={"text": "x" * 20_001, "about": "software", **WHO})
    assert "has more than 20000 characters" in answer.text
    assert Logbook(folder).entries() == []


def test_the_command_tells_the_address_serves_and_ends_with_ctrl_c(folder: Path) -> None:
    command = [sys.executable, "-m", "fat", "fat", "logbook", "serve", "--book", str(folder)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        assert found
        assert "Nothing has been written yet" in httpx.get(found[0], trust_env=False, timeout=60).text
        server.send_signal(signal.SIGINT)
        assert server.wait() == 0
