"""Who may do what in the back office, and what attackers get: nothing."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import h5py
import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from fat.bench.owned import OwnedBench
from sim.caldb.commands import app as caldb_commands
from sim.caldb.office.pages import PAGES
from sim.caldb.office.sessions import Brake, Sessions

PASSWORD = "a password of tests"
PATHS = [path.replace("{id}", "1").replace("{plot}", "map") for _, path, _, _ in PAGES]
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
async def version(office: Any) -> int:
    return int(await office.version(await office.constant(), "2026-01-05T09:00:00"))


async def test_every_page_needs_the_login(version: int, stranger: Any) -> None:
    for method, path in [
        *((page[0], path) for page, path in zip(PAGES, PATHS, strict=True)),
        ("POST", "/logout"),
    ]:
        answer = await stranger.http.request(method, path)
        assert answer.status_code == (401 if method == "POST" else 303), path
        assert "AGIPD" not in answer.text
        if method == "GET":
            assert answer.headers["location"].startswith("/login?next=")


async def test_only_the_right_password_opens(office: Any, stranger: Any) -> None:
    for name, password in (("anna", "wrong"), ("nobody", PASSWORD), ("anna", ""), ("' OR 1=1 --", "x")):
        answer = await stranger.log_in(name, password, 403)
        assert "do not belong together" in answer.text
    assert (await stranger.http.get("/versions")).status_code == 303
    answer = await stranger.log_in("anna")
    cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("caldb_office"))
    assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
    assert (await stranger.http.get("/versions")).status_code == 200


async def test_a_forged_cookie_is_nobody(version: int, stranger: Any, anna: Any) -> None:
    name = next(name for name in anna.http.cookies if name.startswith("caldb_office"))
    for forged in ("", "x", anna.http.cookies[name][:-1], "../" * 20):
        answer = await stranger.http.get("/versions", headers={"Cookie": f"{name}={forged}"})
        assert answer.status_code == 303


async def test_after_the_logout_the_cookie_is_worthless(office: Any, anna: Any, stranger: Any) -> None:
    name = next(name for name in anna.http.cookies if name.startswith("caldb_office"))
    kept = anna.http.cookies[name]
    page = await anna.get("/versions")
    token = re.search(r'name="token" value="(\w+)"', page)
    assert token is not None
    await anna.send("/logout", token=token[1])
    answer = await stranger.http.get("/versions", headers={"Cookie": f"{name}={kept}"})
    assert answer.status_code == 303


async def test_a_form_without_our_token_changes_nothing(
    office: Any, version: int, anna: Any, rolf: Any
) -> None:
    path = f"/versions/{version}/edit"
    fields = await anna.fields(path)
    of_rolf = re.search(r'name="token" value="(\w+)"', await rolf.get("/versions"))
    assert of_rolf is not None
    for token in (None, "", "x", of_rolf[1]):
        form = {**fields, "token": token} if token is not None else {"seen": fields["seen"]}
        assert (await anna.http.post(path, data=form)).status_code == 403
    foreign = await anna.http.post(path, data=fields, headers={"Origin": "http://example.org"})
    assert foreign.status_code == 403
    assert (await anna.http.post("/logout", data={})).status_code == 403
    assert (await anna.http.get("/versions")).status_code == 200, "still logged in"
    assert [found["id"] for found in await office.lookup()] == [version], "still in use"


async def test_a_login_needs_the_token_of_its_page(office: Any, stranger: Any) -> None:
    form = {"name": "anna", "password": PASSWORD}
    assert (await stranger.http.post("/login", data=form)).status_code == 403
    fields = await stranger.fields("/login")
    stranger.http.cookies.clear()
    assert (await stranger.http.post("/login", data={**fields, **form})).status_code == 403
    assert (await stranger.http.get("/versions")).status_code == 303


async def test_role_read_can_change_nothing_and_sees_no_button(office: Any, version: int, rolf: Any) -> None:
    path = f"/versions/{version}/edit"
    for page in ("/versions", f"/versions/{version}", "/constants/1"):
        assert "/edit" not in await rolf.get(page)
    assert "changes need the role edit" in await rolf.get(path, 403)
    token = re.search(r'name="token" value="(\w+)"', await rolf.get("/versions"))
    assert token is not None
    assert (await rolf.http.post(path, data={"token": token[1], "seen": ""})).status_code == 403
    for method in ("PUT", "DELETE", "PATCH"):
        assert (await rolf.http.request(method, f"/versions/{version}")).status_code == 405
    assert [found["id"] for found in await office.lookup()] == [version]


async def test_guessing_is_slowed_down(office: Any, stranger: Any) -> None:
    for _ in range(5):
        await stranger.log_in("anna", "wrong", 403)
    answer = await stranger.log_in("anna", PASSWORD, 429)
    assert "Too many wrong passwords" in answer.text
    assert 0 < int(answer.headers["retry-after"]) <= 3


def test_the_brake_waits_longer_each_time_and_forgives() -> None:
    now = 0.0
    brake = Brake(lambda: now)
    waits = []
    for _ in range(16):
        brake.failed("name anna", "host h")
        waits.append(brake.wait_s("name anna"))
    assert waits[:7] == [0, 0, 0, 0, 2, 4, 8]
    assert waits[-1] == 300
    assert brake.wait_s("name other") == 0
    assert brake.wait_s("name other", "host h") == 300, "another name from the same host waits, too"
    now = 10_000.0
    brake.failed("name anna")
    assert brake.wait_s("name anna") == 0


def test_sessions_end() -> None:
    now = 0.0
    sessions = Sessions(100, 1000, lambda: now)
    cookie = sessions.open("anna", "hash")
    for at in range(90, 1000, 90):
        now = float(at)
        assert sessions.find(cookie) is not None
    now = 1001.0
    assert sessions.find(cookie) is None, "after so long in any case"
    cookie = sessions.open("anna", "hash")
    now += 101
    assert sessions.find(cookie) is None, "after idling"


async def test_another_password_or_no_user_ends_the_session(
    office: Any, anna: Any, rolf: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ["--store", str(office.store)]
    said = CliRunner().invoke(
        caldb_commands, ["user", "add", "anna", "--role", "read", *store], input="another password\n"
    )
    assert said.exit_code == 0, said.output
    assert "another password" not in said.output
    CliRunner().invoke(caldb_commands, ["user", "remove", "rolf", *store])
    assert (await anna.http.get("/versions")).status_code == 303
    assert (await rolf.http.get("/versions")).status_code == 303
    await anna.log_in("anna", "another password")
    assert "(read)" in await anna.get("/versions")


@pytest.mark.parametrize(
    ("arguments", "given", "sentence"),
    [
        (["add", "anna"], "short\n", "shorter than 10"),
        (["add", "a b"], "long enough a password\n", "cannot be a name"),
        (["add", "anna", "--role", "admin"], "long enough a password\n", "admin"),
        (["remove", "anna"], "", "there is no user anna"),
    ],
)
def test_commands_refuse_with_a_sentence(
    tmp_path: Path, arguments: list[str], given: str, sentence: str
) -> None:
    told = CliRunner().invoke(
        caldb_commands, ["user", *arguments, "--store", str(tmp_path / "caldb")], input=given
    )
    assert told.exit_code == 2
    assert sentence in told.output


def test_commands_list_who_was_added(tmp_path: Path) -> None:
    store = ["--store", str(tmp_path / "caldb")]
    assert "no users" in CliRunner().invoke(caldb_commands, ["user", "list", *store]).output
    CliRunner().invoke(
        caldb_commands, ["user", "add", "anna", "--role", "edit", *store], input="long enough\n"
    )
    assert CliRunner().invoke(caldb_commands, ["user", "list", *store]).output.split() == ["anna", "edit"]
    stored = (tmp_path / "caldb" / "catalogue.sqlite").read_bytes()
    assert b"long enough" not in stored
    assert b"scrypt:" in stored or any(b"scrypt:" in f.read_bytes() for f in (tmp_path / "caldb").iterdir())


async def test_names_that_are_markup_or_sql_are_shown_as_text(office: Any, anna: Any) -> None:
    name = f"{SCRIPT}'; DROP TABLE audit; --"
    constant = await office.constant(name[:60])
    version = await office.version(
        constant,
        "2026-01-05T09:00:00",
        name=SCRIPT,
        raw_data_location=SCRIPT,
        description=SCRIPT + "{{ 7*7 }}",
    )
    body = {"physical_detector_unit": {"physical_name": f'"><img src=x>{SCRIPT}', "description": SCRIPT}}
    await office.rest.put("physical_detector_units/1", json=body, headers={"X-User-Email": SCRIPT})
    pages = ["/versions", f"/versions/{version}", f"/versions/{version}/edit", f"/constants/{constant}"]
    pages += ["/conditions/1", "/units", "/units/1", "/changes", f"/versions?device={SCRIPT}&who={SCRIPT}"]
    pages += [f"/changes?who={SCRIPT}"]
    for path in pages:
        page = await anna.get(path)
        assert SCRIPT not in page, path
        assert "<img src=x>" not in page, path
    assert "&lt;script&gt;" in await anna.get("/versions")
    assert "{{ 7*7 }}" in await anna.get(f"/versions/{version}")
    for attack in ("' OR '1'='1", "%", "_", "'; DROP TABLE audit; --", "\\", "\0"):
        for path in ("/versions", "/units", "/changes"):
            answer = await anna.http.get(
                path, params={"device": attack, "who": attack, "sort": attack, "table": "x"}
            )
            assert answer.status_code in (200, 303), (path, attack)
    answer = await anna.http.get("/changes", params={"who": "%"})
    assert "<b>0</b> changes" in answer.text, "a pattern is no wildcard"
    assert "<b>1</b> version" in await anna.get("/versions"), "the tables are still there"


@pytest.mark.parametrize(
    ("path_to_file", "file_name"),
    [
        ("..", "secret.h5"),
        ("xfel/../../", "secret.h5"),
        (".", "../secret.h5"),
        ("SECRET", "secret.h5"),
        ("link", "secret.h5"),
        ("x", "y" * 4000),
        (".", "catalogue.sqlite"),
    ],
)
async def test_no_file_outside_the_store_is_read(
    office: Any, anna: Any, tmp_path: Path, path_to_file: str, file_name: str
) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["/AGIPD_SIM_M100/Offset/0/data"] = np.full((4, 8, 2), 4242.0)
    (office.store / "link").symlink_to(tmp_path)
    path = path_to_file.replace("SECRET", str(tmp_path))
    version = await office.version(await office.constant(), "2026-01-05T09:00:00")
    # REST refuses such names: only a row that came another way, from an older catalogue say, can hold them.
    with sqlite3.connect(office.store / "catalogue.sqlite") as db:
        db.execute(
            "UPDATE calibration_constant_versions SET path_to_file = ?, file_name = ? WHERE id = ?",
            (path, file_name, version),
        )
    db.close()
    page = await anna.get(f"/versions/{version}")
    assert 'class="trouble"' in page
    assert "4242" not in page
    assert (await anna.http.get(f"/versions/{version}/plots/map.png")).status_code == 422
    assert (await anna.http.get(f"/versions/{version}/plots/history.png")).status_code == 200


@pytest.mark.parametrize("kind", ["link", "virtual", "folder link"])
async def test_a_constant_cannot_borrow_from_another_file(
    office: Any, anna: Any, tmp_path: Path, kind: str
) -> None:
    secret, name = tmp_path / "secret.h5", "/AGIPD_SIM_M100/Offset/0"
    with h5py.File(secret, "w") as file:
        file[f"{name}/data"] = np.full((4, 8, 2), 4242.0)
    path = office.write("cal.1.0.h5", np.zeros(1), "/other")
    with h5py.File(path, "a") as file:
        if kind == "link":
            file[f"{name}/data"] = h5py.ExternalLink(secret, f"{name}/data")
        elif kind == "folder link":
            file[name] = h5py.ExternalLink(secret, name)
        else:
            layout = h5py.VirtualLayout((4, 8, 2), "f8")
            layout[:] = h5py.VirtualSource(secret, f"{name}/data", (4, 8, 2))
            file.create_virtual_dataset(f"{name}/data", layout)
    version = await office.version(await office.constant(), "2026-01-05T09:00:00")
    page = await anna.get(f"/versions/{version}")
    assert "another file" in page
    assert "4242" not in page


async def test_every_answer_says_what_these_pages_never_do(version: int, anna: Any, stranger: Any) -> None:
    asked = [(anna, path) for path in PATHS] + [
        (stranger, path) for path in ("/", "/login", "/x", "/versions")
    ]
    for person, path in [*asked, (stranger, "/static/office.css"), (stranger, "/static/../app.py")]:
        headers = (await person.http.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy, "no script at all"
        assert "unsafe-inline" not in policy
        assert headers["x-frame-options"] == "DENY"
        assert headers["x-content-type-options"] == "nosniff"
    page = await anna.http.get("/versions")
    assert page.headers["cache-control"] == "no-store"
    for path in PATHS:
        text = (await anna.http.get(path)).text
        assert "<script" not in text
        assert not re.search(r"<[^>]* (style|on\w+)=", text), path


@pytest.mark.parametrize(
    "onward", ["http://example.org", "//example.org", "/\\example.org", "javascript:alert(1)"]
)
async def test_a_login_never_leads_elsewhere(office: Any, stranger: Any, onward: str) -> None:
    assert "example.org" not in await stranger.get("/login?next=" + onward.replace("\\", "%5C"))
    fields = await stranger.fields("/login")
    form = {**fields, "name": "anna", "password": PASSWORD, "next": onward}
    assert (await stranger.send("/login", **form)).headers["location"] == "/versions"


async def test_long_forms_are_refused(version: int, anna: Any) -> None:
    answer = await anna.http.post(f"/versions/{version}/edit", data={"description": "x" * 100_000})
    assert answer.status_code == 413
    many = {f"field{n}": "" for n in range(200)}
    assert (await anna.http.post(f"/versions/{version}/edit", data=many)).status_code == 400


async def test_a_bench_without_users_makes_one_and_tells_it_once(opener: Any) -> None:
    async with opener(users=False) as place:
        (note,) = place.notes
        told = re.search(r"user (\w+), password (\S+) ", note)
        assert told is not None
        async with httpx.AsyncClient(base_url=place.url, trust_env=False, verify=False) as http:
            page = (await http.get("/login")).text
            token = re.search(r'name="token" value="(\w+)"', page)
            assert token is not None
            form = {"token": token[1], "name": told[1], "password": told[2], "next": "/versions"}
            assert (await http.post("/login", data={**form, "password": told[2][:-1]})).status_code == 403
            assert (await http.post("/login", data=form)).status_code == 303
        assert told[2] not in "".join(
            f.read_bytes().decode("latin-1") for f in place.store.iterdir() if f.is_file()
        ), "the store does not hold it"
        first = told[2]
    async with opener(users=False) as place:
        assert first not in place.notes[0], "each start has its own"


async def test_users_of_the_bench_file_need_no_generated_password(opener: Any) -> None:
    said = CliRunner().invoke(caldb_commands, ["user", "hash"], input=f"{PASSWORD}\n")
    user = {"name": "paul", "role": "edit", "password_hash": said.output.strip()}
    async with opener(users=False, office={"users": [user]}) as place:
        assert place.notes == []
        async with httpx.AsyncClient(base_url=place.url, trust_env=False, verify=False) as http:
            token = re.search(r'name="token" value="(\w+)"', (await http.get("/login")).text)
            assert token is not None
            form = {"token": token[1], "name": "paul", "password": PASSWORD}
            assert (await http.post("/login", data=form)).status_code == 303
    with pytest.raises(ValueError, match="is no hash"):
        async with opener(office={"users": [{**user, "password_hash": "plain text"}]}):
            pass


BENCH = """
[bench]
name = "office"
seed = 1
data_dir = "runs"
[sim.clock]
mode = "wall"
[sim.devices.caldb]
kind = "caldb"
"""


def test_a_real_bench_tells_the_password_and_writes_it_nowhere(tmp_path: Path) -> None:
    (tmp_path / "bench.toml").write_text(BENCH)
    with OwnedBench(tmp_path / "bench.toml", data_dir=tmp_path / "data", log=tmp_path / "bench.log") as bench:
        (note,) = bench.notes
        told = re.search(r"user bench, password (\S+) ", note)
        assert told is not None
        with httpx.Client(base_url=bench.endpoints["caldb.office"], trust_env=False, verify=False) as http:
            token = re.search(r'name="token" value="(\w+)"', http.get("/login").text)
            assert token is not None
            form = {"token": token[1], "name": "bench", "password": told[1]}
            assert http.post("/login", data=form).status_code == 303
            cookie = next(value for name, value in http.cookies.items() if name.startswith("caldb_office"))
            assert http.get("/versions").status_code == 200
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert told[1].encode() not in file.read_bytes(), file
            assert cookie.encode() not in file.read_bytes(), file
