"""The live page: what it shows, what it refuses, and how it looks in Chromium."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from scheduler import Plan, Task, create_run
from scheduler.journal import Journal
from scheduler.web import make_app

CHROMIUM = shutil.which("chromium")
TOKEN = "a-token-of-tests"
chromium = pytest.mark.skipif(
    CHROMIUM is None, reason="Debian's chromium is not installed: run make test as root"
)


class Engine:
    """Stands in for a running engine: it holds the journal and writes what a test tells it."""

    def __init__(self, root: Path) -> None:
        tasks = tuple(Task(f"task_{n}", f"Task number {n}", "scheduler.task:TaskResult") for n in range(4))
        self.run_dir = create_run(root, Plan("pages", tasks))
        self.journal = Journal(self.run_dir)
        self.alive = True
        self.tell("run_started", attempt=1, host="here", pid=1, version="0", resumed=False)

    def tell(self, event: str, **data: Any) -> None:
        self.journal.append(event, data, 1_000_000_000)

    def finish_task(self, name: str, verdict: str = "PASS") -> None:
        self.tell("task_started", task=name, attempt=1)
        self.tell("task_finished", task=name, attempt=1, verdict=verdict, outputs={}, wall_s=1.5)

    def die(self) -> None:
        if self.alive:
            self.alive = False
            self.journal.__exit__(None, None, None)


class Quiet(uvicorn.Server):
    """Uvicorn in a thread, that says when it listens."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(app, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
        )
        self.listening = threading.Event()
        self.address = ""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self.listening.set()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(tmp_path / "fat")
    yield engine
    engine.die()


@pytest.fixture
def page(engine: Engine) -> Iterator[str]:
    server = Quiet(make_app(engine.run_dir.parent, TOKEN))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    assert server.listening.wait(60)
    yield server.address
    server.should_exit = True
    thread.join(10)


def test_pages_and_record_are_open_to_read(page: str, engine: Engine) -> None:
    engine.finish_task("task_0")
    assert "00001" in httpx.get(page).text
    run = httpx.get(f"{page}/runs/00001").text
    assert all(f"Task number {n}" in run for n in range(4))
    assert "PASS" in run
    assert httpx.get(f"{page}/runs/00001/record.json").json()["run"] == "00001"


@pytest.mark.parametrize(
    "path",
    [
        "00002",
        "../fat",
        "00001/../../x",
        "00001/%2e%2e/%2e%2e/secret",
        "00001/.lock",
        "00001//etc/passwd",
        "abc",
    ],
)
def test_nothing_outside_a_run_is_served(page: str, engine: Engine, path: str) -> None:
    (engine.run_dir.parent.parent / "secret").write_text("secret")
    (engine.run_dir / ".lock").write_text("hidden")
    answer = httpx.get(f"{page}/runs/{path}")
    assert answer.status_code == 404
    assert "secret" not in answer.text.replace("/secret", "")


def test_a_change_needs_a_login_and_this_origin(page: str, engine: Engine) -> None:
    ask = {"request": "pause"}
    assert httpx.post(f"{page}/runs/00001/requests", data=ask).status_code == 401
    assert httpx.post(f"{page}/login", data={"token": "wrong"}).status_code == 403
    with httpx.Client(base_url=page) as person:
        login = person.post("/login", data={"token": TOKEN})
        assert login.status_code == 303
        assert {"HttpOnly", "SameSite=strict"} <= set(login.headers["set-cookie"].split("; "))
        foreign = person.post("/runs/00001/requests", data=ask, headers={"Origin": "http://example.org"})
        assert foreign.status_code == 403
        assert person.post("/runs/00001/requests", data={"request": "explode"}).status_code == 422
        assert person.post("/runs/00001/requests", data=ask, headers={"Origin": page}).status_code == 303
    (request,) = (engine.run_dir / "requests").glob("*.json")
    assert "live page" in request.read_text()


def test_a_task_that_cannot_be_left_out_is_refused_with_the_reason(page: str, engine: Engine) -> None:
    with httpx.Client(base_url=page) as person:
        person.post("/login", data={"token": TOKEN})
        answer = person.post(
            "/runs/00001/requests", data={"request": "skip", "task": "nothing", "reason": "x"}
        )
    assert answer.status_code == 422
    assert "there is no task" in answer.text
    assert not list(engine.run_dir.glob("requests/*.json"))


def test_a_run_without_an_engine_says_how_to_go_on(page: str, engine: Engine) -> None:
    engine.die()
    assert "stellwerk fat resume" in httpx.get(f"{page}/runs/00001").text


@chromium
@pytest.mark.chromium
def test_in_chromium_the_page_follows_the_journal(page: str, engine: Engine) -> None:
    from playwright.sync_api import expect, sync_playwright

    said: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM)
        tab = browser.new_page()
        tab.on("console", lambda message: said.append(message.text))
        tab.goto(f"{page}/runs/00001")
        expect(tab.locator(".task")).to_have_count(4)
        expect(tab.locator("h1")).to_have_text("Running")
        expect(tab.locator(".task.pass")).to_have_count(0)
        engine.finish_task("task_0")
        expect(tab.locator(".task.pass")).to_have_count(1)
        engine.finish_task("task_1", "FAIL")
        expect(tab.locator(".task.fail .verdict")).to_have_text("FAIL")
        expect(tab.get_by_role("button", name="Abort")).to_have_count(0)
        tab.goto(f"{page}/login")
        tab.get_by_label("Token").fill(TOKEN)
        tab.get_by_role("button", name="Log in").click()
        tab.wait_for_url(f"{page}/")
        tab.goto(f"{page}/runs/00001")
        tab.get_by_role("button", name="Pause").click()
        expect(tab.locator(".task")).to_have_count(4)
        tab.set_viewport_size({"width": 390, "height": 800})
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        browser.close()
    assert said == []
    assert list((engine.run_dir / "requests").glob("*.json"))
