"""The laboratory's page: open to look at from this machine, closed to other sites, changed with the token only."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sim.kernel import FaultBoard, FaultSpec, Transcript
from sim.kernel.clock import ManualClock, manual_clock
from sim.lab.page import State, page_app
from sim.lab.page.app import FILES, STATIC
from sim.lab.site import Site
from sim.lab.table import LabTable
from sim.lab.world import Generator, World

TOKEN = "a token of tests"
HOST = "127.0.0.1:4711"
FAULTS = (FaultSpec("freeze", "It freezes.", "the value stays", {"per_hour": 1.0}), FaultSpec("halt", "", ""))
ON = {"part": "lab.thermometer", "fault": "freeze", "on": True, "parameters": {"per_hour": 2}}


@pytest.fixture
def clock() -> ManualClock:
    return manual_clock()


@pytest.fixture
def site(clock: ManualClock, tmp_path: Path) -> Site:
    table = LabTable.model_validate({"modules": {"count": 2}})
    ports = table.modules.ports()
    names = ["lab.thermometer", "lab.laser", "icm.6000", *(f"degg.{port}" for port in ports)]
    boards = {name: FaultBoard(name, FAULTS) for name in names}
    world = World(table.figures, ports)
    site = Site("lab", 1, tmp_path, clock, world, boards, Transcript(None, lambda: 0), TOKEN)
    site.addresses["lab.thermometer"] = "/dev/pts/7"
    site.shown["degg.5001"] = lambda now: {"board_c": 32.0, "asked_ns": now}
    return site


@pytest.fixture
async def page(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    app = page_app(site, State(site, LabTable.model_validate({"modules": {"count": 2}})))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
        yield client


async def switch(page: httpx.AsyncClient, body: Any = ON, **headers: str) -> httpx.Response:
    given = {"authorization": f"Bearer {TOKEN}", **{name.replace("_", "-"): v for name, v in headers.items()}}
    return await page.post("/faults", json=body, headers={name: v for name, v in given.items() if v})


async def test_the_state_is_that_of_the_world(
    page: httpx.AsyncClient, site: Site, clock: ManualClock
) -> None:
    world = site.world
    world.light.set_supply(clock.now, 12.0, True)
    world.light.set_generator(clock.now, Generator(True, 100.0, 3.0))
    world.light.set_strength(clock.now, 0, 0.25)
    world.cold.set_freezer(clock.now, -40.0)
    world.power.set_mainboard(clock.now, 5001, False)
    await clock.advance(3600 * 10**9)
    state = (await page.get("/state")).json()
    assert state["time"]["now_ns"] == 3600 * 10**9
    assert state["light"]["generator"] == {
        "on": True, "frequency_hz": 100.0, "amplitude_vpp": 3.0, "pulses": 1, "spacing_ns": 0.0,
    }  # fmt: skip
    assert (state["light"]["strength"], state["light"]["sync_hz"], state["light"]["why_dark"]) == (
        0.25,
        100,
        None,
    )
    assert [wheel["strength"] for wheel in state["light"]["wheels"]] == [0.25, 1.0]
    assert state["cold"]["set_point_c"] == -40.0
    assert state["cold"]["air_c"] == pytest.approx(world.cold.air(clock.now), abs=1e-3)
    assert [state["modules"][port]["powered"] for port in ("5000", "5001")] == [True, False]
    assert state["modules"]["5001"]["serial"] == "DEgg2021-3-101"
    assert state["modules"]["5001"]["board_c"] == 32.0
    assert state["parts"]["lab.thermometer"]["address"] == "/dev/pts/7"


@pytest.mark.parametrize(
    ("volts", "on", "generator", "strength", "why"),
    [
        (12.0, False, True, 1.0, "supply is off"),
        (10.0, True, True, 1.0, r"gives 10\.00 V"),
        (12.0, True, False, 1.0, "generator is off"),
        (12.0, True, True, 0.0, "filter wheel 1"),
    ],
)
async def test_why_it_is_dark_is_said_in_words(
    page: httpx.AsyncClient, site: Site, clock: ManualClock, volts: float, on: bool, generator: bool,
    strength: float, why: str,
) -> None:  # fmt: skip
    light = site.world.light
    light.set_supply(clock.now, volts, on)
    light.set_generator(clock.now, Generator(generator, 100.0, 3.0))
    light.set_strength(clock.now, 1, strength)
    state = (await page.get("/state")).json()
    assert re.search(why, state["light"]["why_dark"])
    assert state["light"]["strength"] == 0.0


async def test_looking_strikes_no_fault(page: httpx.AsyncClient, site: Site) -> None:
    site.faults("thermometer").switch_on("freeze", times=1)
    for _ in range(3):
        state = (await page.get("/state")).json()
    assert state["parts"]["lab.thermometer"]["faults"]["freeze"]["on"]
    assert site.faults("thermometer").struck() == {}


async def test_a_fault_is_switched_with_the_token(page: httpx.AsyncClient, site: Site) -> None:
    answer = await switch(page)
    assert answer.status_code == 200
    assert answer.json()["parts"]["lab.thermometer"]["faults"]["freeze"] == {
        "about": "It freezes.", "shown_by": "the value stays", "parameters": {"per_hour": 2.0}, "on": True,
        "struck": 0,
    }  # fmt: skip
    assert site.faults("thermometer").active() == {"freeze": {"per_hour": 2.0}}
    assert (
        await switch(page, {"part": "lab.thermometer", "fault": "freeze", "on": False})
    ).status_code == 200
    assert site.faults("thermometer").active() == {}


async def test_a_watcher_of_a_switch_sees_the_present(
    page: httpx.AsyncClient, site: Site, clock: ManualClock
) -> None:
    seen: list[int] = []
    site.faults("laser").watch(lambda _: seen.append(site.clock.now))
    await clock.advance(5)
    await switch(page, {"part": "lab.laser", "fault": "halt", "on": True})
    assert seen == [5]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": ""}, 401),
        ({"authorization": "Bearer another"}, 401),
        ({"authorization": f"Basic {TOKEN}"}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"origin": "http://example.org"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
        ({"host": "example.org"}, 421),
        ({"host": "127.0.0.1.example.org:4711"}, 421),
    ],
)
async def test_others_change_nothing(
    page: httpx.AsyncClient, site: Site, headers: dict[str, str], status: int
) -> None:
    answer = await switch(page, **headers)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert site.faults("thermometer").active() == {}


async def test_its_own_origin_may(page: httpx.AsyncClient) -> None:
    assert (await switch(page, origin=f"http://{HOST}")).status_code == 200


async def test_without_a_token_of_its_own_nothing_may_be_changed(site: Site) -> None:
    import dataclasses

    closed = dataclasses.replace(site, token="")
    app = page_app(closed, State(closed, LabTable.model_validate({"modules": {"count": 2}})))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=f"http://{HOST}") as page:
        assert (await switch(page, authorization="Bearer ")).status_code == 401


@pytest.mark.parametrize("path", [*FILES, "/state"])
async def test_another_name_for_this_machine_reads_nothing(page: httpx.AsyncClient, path: str) -> None:
    assert (await page.get(path, headers={"host": "rebound.example.org"})).status_code == 421
    assert (await page.get(path, headers={"host": "localhost:4711"})).status_code == 200
    assert (await page.get(path, headers={"host": "[::1]:4711"})).status_code == 200


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({**ON, "part": "lab.thermometr"}, "no part"),
        ({**ON, "part": ["lab.thermometer"]}, "no part"),
        ({**ON, "fault": "burn"}, "it has: freeze"),
        ({**ON, "parameters": {"per_day": 1}}, "per_hour"),
        ({**ON, "parameters": {"per_hour": "much"}}, "float"),
        ({**ON, "parameters": {"times": 3, "name": "x"}}, "keys"),
        ({**ON, "parameters": [1]}, "keys"),
        ({**ON, "times": 0}, "at least once"),
        ({**ON, "times": 1.5}, "whole number"),
        ({**ON, "on": "yes"}, "true"),
        ({**ON, "more": 1}, "keys"),
        ({}, "keys"),
    ],
)
async def test_a_wrong_wish_gets_a_sentence(
    page: httpx.AsyncClient, site: Site, body: Any, said: str
) -> None:
    answer = await switch(page, body)
    assert answer.status_code == 422
    assert said in answer.json()["error"]
    assert site.faults("thermometer").active() == {}


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"{", 400), (b"", 400), (b"[1]", 422), (b"\xff\xfe", 400), (b"[" * 50_000, 400), (b" " * 70_000, 413)],
)
async def test_a_body_that_is_no_wish_gets_a_sentence(
    page: httpx.AsyncClient, content: bytes, status: int
) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    answer = await page.post("/faults", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]


async def test_everything_comes_from_this_page_and_nothing_else_may(page: httpx.AsyncClient) -> None:
    for path in FILES:
        answer = await page.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        foreign = set(re.findall(r"https?://[^\s\"'`]+", answer.text)) - {"http://www.w3.org/2000/svg"}
        assert foreign == set()
        for linked in re.findall(r'(?:src|href|from) ?=? ?"(/[^"]*)"', answer.text):
            assert linked in {*FILES, "/state"}
    assert {path.name for path in STATIC.iterdir()} == {name for name, _ in FILES.values()}


async def test_the_scripts_write_text_never_markup(page: httpx.AsyncClient) -> None:
    for path in FILES:
        if path.endswith(".js"):
            source = (await page.get(path)).text
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", source)


async def test_other_methods_and_paths_are_refused(page: httpx.AsyncClient) -> None:
    assert (await page.get("/faults")).status_code == 405
    assert (await page.post("/state")).status_code == 405
    assert (await page.get("/../pyproject.toml")).status_code == 404
