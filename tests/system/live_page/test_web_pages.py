"""The live page over HTTP: what it shows, what it refuses, and that hostile runs do it no harm."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from scheduler import Engine, Plan, SchedulerTable, Task, Verdict, WallClock, create_run, open_run
from scheduler.trends import Point, append_point

TOKEN = "a-token-of-tests"
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    """The parts that a page with live updates is sent, one update after another."""
    for line in lines:
        if line.startswith("data: "):
            yield {name: html for name, (_, html) in json.loads(line[6:]).items()}


def test_pages_and_record_are_open_to_read(page: str, engine: Any) -> None:
    engine.finish_task("task_0")
    assert "00001" in httpx.get(page).text
    run = httpx.get(f"{page}/runs/00001").text
    assert all(f"Task number {n}" in run for n in range(4))
    assert "PASS" in run
    assert "A. Shifter" in run
    assert httpx.get(f"{page}/runs/00001/record.json").json()["run"] == "00001"


def test_nothing_outside_a_run_is_served(page: str, engine: Any) -> None:
    outside = engine.run_dir.parent / "outside.log"
    outside.write_text("hidden words")
    (engine.run_dir / ".lock").write_text("hidden words")
    (engine.run_dir / "link").symlink_to(outside)
    (engine.run_dir / "log").mkdir()
    (engine.run_dir / "log" / "task_0.log").symlink_to(outside)
    up = "%2e%2e"
    paths = [
        "00002", "../fat", "00001/../../x", f"00001/{up}/outside.log", "00001/link",
        "00001/log/task_0.log", "00001/.lock",
        "00001//etc/passwd", "00001/journal.sqlite", f"00001/{'x' * 5000}", "00001/a%00b", "abc",
    ]  # fmt: skip
    with httpx.Client(base_url=page) as anybody:
        for path in paths:
            answer = anybody.get(f"/runs/{path}")
            assert (answer.status_code, "hidden words" in answer.text) == (404, False), path
        for name in ("task_0", "../../outside", "..%2F..%2Foutside", "", "x" * 300):
            answer = anybody.get(f"/runs/00001/log?of={name}")
            assert (answer.status_code, "hidden words" in answer.text) == (200, False), name


def test_a_change_needs_a_login_and_this_origin(page: str, engine: Any) -> None:
    ask = {"request": "pause"}
    assert httpx.post(f"{page}/runs/00001/requests", data=ask).status_code == 401
    assert httpx.post(f"{page}/login", data={"token": "wrong"}).status_code == 403
    with httpx.Client(base_url=page) as person:
        login = person.post("/login", data={"token": TOKEN, "name": "Ada", "next": "/runs/00001/log?of=x"})
        assert (login.status_code, login.headers["location"]) == (303, "/runs/00001/log?of=x")
        assert {"HttpOnly", "SameSite=strict"} <= set(login.headers["set-cookie"].split("; "))
        foreign = person.post("/runs/00001/requests", data=ask, headers={"Origin": "http://example.org"})
        assert foreign.status_code == 403
        assert person.post("/runs/00001/requests", data={"request": "explode"}).status_code == 422
        assert (
            person.post("/runs/00001/requests", data={"request": "abort", "reason": " "}).status_code == 422
        )
        assert person.post("/runs/00001/requests", data={"reason": "x" * 20_000}).status_code == 413
        assert engine.asked() == []
        assert person.post("/runs/00001/requests", data=ask, headers={"Origin": page}).status_code == 303
        (request,) = engine.asked()
        assert json.loads(request.read_text())["by"] == "Ada (live page)"
        assert person.post("/logout").status_code == 303
        assert person.post("/runs/00001/requests", data=ask).status_code == 401


def test_a_login_leads_back_to_our_own_pages_only(page: str) -> None:
    for back in ("//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nb"):
        answer = httpx.post(f"{page}/login", data={"token": TOKEN, "next": back})
        assert answer.headers["location"] == "/"


def test_what_cannot_be_is_refused_with_the_reason(page: str, engine: Any, person: httpx.Client) -> None:
    wishes = [
        ({"request": "skip", "task": "nothing", "reason": "x"}, "there is no task"),
        ({"request": "skip", "task": "task_2"}, "needs a reason"),
        ({"request": "answer", "answer": "yes"}, "nothing is asked"),
    ]
    for wish, why in wishes:
        answer = person.post("/runs/00001/requests", data=wish)
        assert (answer.status_code, why in answer.text) == (422, True)
    assert engine.asked() == []


def test_a_run_without_an_engine_says_how_to_go_on(page: str, engine: Any) -> None:
    engine.die()
    assert "stellwerk fat resume" in httpx.get(f"{page}/runs/00001").text


def test_an_open_page_is_sent_only_what_has_changed(page: str, engine: Any) -> None:
    with httpx.stream("GET", f"{page}/runs/00001/events?view=schedule", timeout=30) as answer:
        sent = events(answer.iter_lines())
        assert set(next(sent)) >= {"title", "said", "head", "question", "now", "notices", "schedule", "steer"}
        engine.tell("notification", by="task_0", severity="warning", text="It is warm", picture="", title="")
        while "notices" not in (news := next(sent)):
            pass
        assert "It is warm" in news["notices"]
        assert "schedule" not in news
        assert "steer" not in news
        engine.finish_task("task_0", "FAIL")
        news = {}
        while "FAIL" not in news.get("schedule", "") or "task_0: FAIL" not in news.get("said", ""):
            news |= next(sent)
        assert "notices" not in news


def test_a_long_schedule_stays_short_and_is_found_by_state_and_word(
    tmp_path: Path, stand_in: Any, serve: Callable[[Path], Any]
) -> None:
    engine = stand_in(tmp_path, 450)
    for n in range(30):
        engine.finish_task(f"task_{n}", "FAIL" if n == 7 else "PASS")
    engine.begin("task_30")
    with serve(tmp_path) as page, httpx.Client(base_url=page) as anybody:
        first = anybody.get("/runs/00001").text
        assert len(first) < 30_000
        assert all(f">{name}<" in first for name in ("task_7", "task_29", "task_30", "task_31"))
        assert ">task_20<" not in first
        bad = anybody.get("/runs/00001?show=bad").text
        assert (bad.count('class="task '), ">task_7<" in bad) == (1, True)
        found = anybody.get("/runs/00001", params={"q": "NUMBER 449"}).text
        assert (found.count('class="task '), ">task_449<" in found) == (1, True)
        last = anybody.get("/runs/00001?show=all&page=3").text
        assert last.count('class="task ') == 50
    engine.die()


def test_hostile_runs_do_no_harm(tmp_path: Path, stand_in: Any, serve: Callable[[Path], Any]) -> None:
    engine = stand_in(tmp_path, 3, HOSTILE + " {}")
    long = HOSTILE + "x" * 1_000_000
    measured = [
        {"name": HOSTILE, "device": HOSTILE, "part": HOSTILE, "value": 1e308, "unit": long, "about": long,
         "verdict": "PASS", "limit": {"at_most": -1e308, "reason": HOSTILE}},
        {"name": "x", "value": 10**400, "limit": [], "verdict": []},
        {"name": {}, "value": "1"}, 7, None,
    ]  # fmt: skip
    engine.begin("task_0")
    engine.tell("task_note", task="task_0", text=HOSTILE)
    engine.tell("notification", by=HOSTILE, severity=HOSTILE, text=HOSTILE, picture="", title="")
    engine.end("task_0", "FAIL", measurements=measured)
    engine.finish_task("task_1", measurements=measured[:1])
    engine.begin("task_2")
    engine.tell("question_asked", task="task_2", attempt=1, number=1, text=HOSTILE, severity="message")
    (engine.run_dir / "log").mkdir()
    (engine.run_dir / "log" / "task_2.log").write_text(f"{HOSTILE}\n{long}\nthe end \x07\n")
    append_point(engine.run_dir, Point(1.0, HOSTILE, HOSTILE, HOSTILE, 1e99, HOSTILE, -1e99, None))
    append_point(engine.run_dir, Point(1e99, HOSTILE, HOSTILE, HOSTILE, -1e99, HOSTILE))
    with serve(tmp_path) as page, httpx.Client(base_url=page) as anybody:
        key = {"device": HOSTILE, "part": HOSTILE, "name": HOSTILE}
        asked = [
            ("/runs/00001", {}), ("/runs/00001", {"q": HOSTILE, "show": HOSTILE, "page": "9" * 400}),
            ("/", {"q": HOSTILE}),
            ("/runs/00001/values", key), ("/runs/00001/trends", {"range": HOSTILE, "group": HOSTILE, "name": HOSTILE}),
            ("/runs/00001/trends", {}), ("/runs/00001/log", {}), ("/runs/00001/tasks/task_0", {}), ("/quantity", key),
            ("/compare", {"a": "00001", "b": "00001"}), ("/login", {"next": HOSTILE}), ("/runs/00001/tasks/<b>", {}),
        ]  # fmt: skip
        for path, query in asked:
            answer = anybody.get(path, params=query)
            assert answer.status_code == 200, path
            assert "<script>alert" not in answer.text, path
            assert not {"\x1b", "\x07", "\u202e"} & set(answer.text), path
            assert len(answer.text) < 60_000, path
            assert "script-src" not in answer.headers["content-security-policy"]
            assert "default-src 'self'" in answer.headers["content-security-policy"]
        assert "the end" in anybody.get("/runs/00001/log").text
    engine.die()


def test_trends_are_a_table_too(page: str, engine: Any) -> None:
    for n in range(3):
        append_point(engine.run_dir, Point(float(n), "task_0", "Rates", "a", 10.0 * n, "Hz", None, 15.0))
    table = httpx.get(f"{page}/runs/00001/trends.csv").text.splitlines()
    assert table[0] == "group,name,unit,clock_s,value,low,high"
    assert table[-1] == "Rates,a,Hz,2.000000,20.0,,15.0"
    drawn = httpx.get(f"{page}/runs/00001/trends").text
    assert "▲" in drawn
    assert drawn.count('<path class="c0 d0" d="M') == 2  # in the picture, and its key


def test_runs_are_found_and_compared(tmp_path: Path, stand_in: Any, serve: Callable[[Path], Any]) -> None:
    limit = {"at_least": 1.0, "at_most": 2.0}
    for value, verdict in [(1.5, "PASS"), (2.5, "FAIL")]:
        engine = stand_in(tmp_path, 1)
        told = {
            "name": "gain",
            "device": "d-1",
            "value": value,
            "unit": "V",
            "limit": limit,
            "verdict": verdict,
        }
        engine.finish_task("task_0", verdict, measurements=[told])
        engine.tell("run_finished", verdict=verdict)
        engine.die()
    with serve(tmp_path) as page, httpx.Client(base_url=page) as anybody:
        assert all(run in anybody.get("/").text for run in ("00001", "00002"))
        failed = anybody.get("/", params={"verdict": "FAIL", "q": "shifter"}).text
        assert ("/runs/00001" in failed, "/runs/00002" in failed) == (False, True)
        compared = anybody.get("/compare?a=00001&b=00002").text
        assert all(word in compared for word in ("✘ worse", "1.5 V", "2.5 V", "+1", "1 … 2"))
        over = anybody.get("/quantity", params={"device": "d-1", "part": "", "name": "gain"}).text
        assert all(word in over for word in ("▲", "1.5 V", "2.5 V"))
        assert anybody.get("/compare?a=00001&b=../x").status_code == 404
    assert {path.name for path in (tmp_path / ".page").iterdir()} >= {"00001.json", "00002-values.json"}


class Answering:
    """Does something in a thread of its own when the engine has asked."""

    def __init__(self, act: Callable[[str], None]) -> None:
        self._act = act
        self.threads: list[threading.Thread] = []

    def event(self, record: Any, state: Any) -> None:
        if record.event == "question_asked":
            thread = threading.Thread(target=self._act, args=(str(record.seq),))
            self.threads.append(thread)
            thread.start()

    def progress(self, progress: Any) -> None:
        pass


def test_a_real_engine_hears_answers_and_an_abort_from_the_page(
    tmp_path: Path, serve: Callable[[Path], Any]
) -> None:
    tasks = [
        Task(f"ask_{n}", f"Ask {n}", "scheduler.manual:manual_input", {"message": f"Go on? {n}"})
        for n in range(2)
    ]
    run_dir = create_run(tmp_path, Plan("asks", tuple(tasks)))
    with serve(tmp_path) as page, httpx.Client(base_url=page) as person:
        person.post("/login", data={"token": TOKEN, "name": "Ada"})

        def act(seq: str) -> None:
            if "Go on? 0" in person.get("/runs/00001").text:
                wish = {"request": "answer", "answer": "yes", "question": seq, "reason": "looks well"}
            else:
                wish = {"request": "abort", "reason": "the water is off"}
            assert person.post("/runs/00001/requests", data=wish).status_code == 303

        answering = Answering(act)
        outcome = Engine(run_dir, None, WallClock(), {}, SchedulerTable(), (answering,)).run()
        for thread in answering.threads:
            thread.join()
    state = open_run(run_dir)
    assert outcome.interrupted
    assert state.tasks["ask_0"].verdict is Verdict.PASS
    assert dict(state.tasks["ask_0"].outputs) == {"by": "Ada (live page)", "comment": "looks well"}
    assert state.stop is not None
    assert state.stop.text == "aborted by Ada (live page): the water is off"
