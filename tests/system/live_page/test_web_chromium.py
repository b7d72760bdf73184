"""The live page in Chromium: it follows, it asks and is answered, it steers, and it fits a telephone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scheduler.trends import Point, append_point

CHROMIUM = shutil.which("chromium")
TOKEN = "a-token-of-tests"
pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed: run make test as root"),
]
PHONE = {"width": 390, "height": 800}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)  # no test asserts on wall time, and a machine may be shared
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM)
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Any) -> Iterator[Any]:
    """A telephone. Nothing may go wrong in it."""
    said: list[str] = []
    tab = browser.new_page(viewport=PHONE)
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    yield tab
    tab.close()
    assert said == []


def log_in(tab: Any) -> None:
    tab.get_by_label("Your name").fill("Ada")
    tab.get_by_label("Token").fill(TOKEN)
    with sent(tab):
        tab.get_by_role("button", name="Log in").click()


@contextmanager
def sent(tab: Any) -> Iterator[None]:
    """Until the form has been sent, and the page that answers is there."""
    with tab.expect_navigation(), tab.expect_response(lambda answer: answer.request.method == "POST"):
        yield


def request_of(engine: Any) -> dict[str, str]:
    """What was asked of the engine; taken away, as an engine does."""
    (path,) = engine.asked()
    body: dict[str, str] = json.loads(path.read_text())
    path.unlink()
    return body


def test_a_page_follows_the_run_and_a_question_is_answered_no_twice(page: str, engine: Any, tab: Any) -> None:
    from playwright.sync_api import expect

    tab.goto(f"{page}/runs/00001")
    expect(tab.locator(".task")).to_have_count(4)
    engine.finish_task("task_0", "FAIL")
    expect(tab.locator(".task.fail .verdict")).to_have_text("FAIL")
    engine.begin("task_1")
    engine.tell(
        "question_asked", task="task_1", attempt=1, number=1, text="Is the gain OK?", severity="message"
    )
    expect(tab.get_by_role("alert")).to_contain_text("Is the gain OK?")
    expect(tab).to_have_title("Question: ? 1/4 · Run 00001")
    tab.get_by_role("link", name="Log in to answer").click()
    log_in(tab)
    tab.wait_for_url(f"{page}/runs/00001")
    # What happens meanwhile takes nothing away from who is typing.
    tab.get_by_label("Comment").fill("it is too low")
    engine.tell("notification", by="task_1", severity="warning", text="It is warm", picture="", title="")
    expect(tab.get_by_text("It is warm")).to_be_visible()
    assert tab.get_by_label("Comment").input_value() == "it is too low"
    box = tab.get_by_role("button", name="No", exact=True).bounding_box()
    assert box["height"] >= 44
    with sent(tab):
        tab.get_by_role("button", name="No", exact=True).click()
    asked = request_of(engine)
    assert (asked["kind"], asked["answer"], asked["reason"]) == ("answer", "no", "it is too low")
    assert asked["by"] == "Ada (live page)"
    engine.tell("question_answered", task="task_1", number=1, yes=False, by="Ada", comment="it is too low")
    expect(tab.get_by_role("alert")).to_contain_text("No was answered.")
    tab.get_by_role("button", name="No, stop the run").click()  # the browser wants the reason first
    assert engine.asked() == []
    tab.get_by_label("Reason, for no").fill("the gain is off")
    with sent(tab):
        tab.get_by_role("button", name="No, stop the run").click()
    expect(tab.get_by_role("alert")).to_contain_text("No was answered.")
    assert request_of(engine)["reason"] == "the gain is off"
    engine.tell("question_answered", task="task_1", number=1, yes=False, by="Ada", comment="the gain is off")
    expect(tab.get_by_role("alert")).to_have_text("")


def test_a_run_is_paused_changed_and_aborted_with_a_reason(page: str, engine: Any, tab: Any) -> None:
    from playwright.sync_api import expect

    engine.begin("task_0")
    tab.goto(f"{page}/login?next=/runs/00001")
    log_in(tab)
    with sent(tab):
        tab.get_by_role("button", name="Pause").click()
    assert request_of(engine)["kind"] == "pause"
    engine.tell("paused", by="Ada")
    expect(tab.get_by_role("button", name="Continue")).to_be_visible()
    tab.locator("#part-schedule").get_by_role("link", name="Task number 3").click()
    tab.get_by_label("Before").fill("task_1")
    with sent(tab):
        tab.get_by_role("button", name="Move").click()
    asked = request_of(engine)
    assert (asked["kind"], asked["task"], asked["before"]) == ("move", "task_3", "task_1")
    engine.tell("task_moved", task="task_3", before="task_1", by="Ada", reason="")
    expect(tab.locator("#part-schedule .task").nth(1)).to_contain_text("Task number 3")
    tab.goto(f"{page}/runs/00001/tasks/task_2")
    tab.locator("form", has_text="Leave it out").get_by_label("Reason").fill("no time")
    with sent(tab):
        tab.get_by_role("button", name="Leave out").click()
    asked = request_of(engine)
    assert (asked["kind"], asked["task"], asked["reason"]) == ("skip", "task_2", "no time")
    # By keyboard alone; without a reason nothing is sent.
    tab.locator("summary", has_text="Abort").focus()
    tab.keyboard.press("Enter")
    tab.get_by_role("button", name="Abort the run").press("Enter")
    assert engine.asked() == []
    tab.keyboard.type("the water is off")
    with sent(tab):
        tab.keyboard.press("Enter")
    assert (asked := request_of(engine))["kind"] == "abort"
    assert asked["reason"] == "the water is off"


def test_every_page_fits_a_telephone(
    tmp_path: Path, stand_in: Any, serve: Callable[[Path], Any], browser: Any
) -> None:
    limit = {"at_least": 1000.0, "at_most": 2000.0}
    measured = [
        {"name": f"quantity-{q}", "device": f"device-{d}", "part": part, "value": 990.0 + 100 * q, "unit": "V",
         "about": "what it is, in a phrase", "limit": limit, "verdict": "PASS" if q else "FAIL"}
        for d in range(16) for part in ("lower", "upper") for q in range(11)
    ]  # fmt: skip
    for _ in range(2):
        engine = stand_in(tmp_path, 80, "A task with a title that is not short at all, number {}")
        for n in range(8):
            engine.finish_task(
                f"task_{n}", "FAIL" if n == 3 else "PASS", measurements=measured if n == 3 else []
            )
        engine.tell("notification", by="task_1", severity="warning", text="word" * 60, picture="", title="")
        engine.begin("task_8")
        engine.tell(
            "question_asked", task="task_8", attempt=1, number=1, text="Go on? " * 20, severity="message"
        )
        (engine.run_dir / "log").mkdir()
        (engine.run_dir / "log" / "task_8.log").write_text("a line that is long " * 20 + "\n")
        for n in range(200):
            append_point(
                engine.run_dir, Point(n * 60.0, "task_1", "Rates", f"device-{n % 16}", n, "Hz", 10.0, 180.0)
            )
        engine.die()
    key = "device=device-1&part=lower&name=quantity-0"
    pages = ("", "?show=all", "/values", f"/values?{key}", "/trends", "/log", "/tasks/task_3")
    paths = [
        "/",
        "/login",
        "/compare?a=00001&b=00002",
        f"/quantity?{key}",
        *(f"/runs/00001{p}" for p in pages),
    ]
    with serve(tmp_path) as page:
        tab = browser.new_page(viewport={"width": 320, "height": 700})
        for path in paths:
            tab.goto(page + path)
            assert tab.evaluate("document.documentElement.scrollWidth") == 320, path
        tab.close()
