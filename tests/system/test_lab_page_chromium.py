"""The laboratory's page in Chromium: what it shows, a fault by keyboard and token, and that it fits a telephone."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sim.degg.faults import MODULE_FAULTS
from sim.kernel import FaultBoard, Transcript
from sim.kernel.clock import manual_clock
from sim.kernel.http import HttpServer
from sim.lab.lines import LINK_FAULTS
from sim.lab.page import State, page_app
from sim.lab.site import Site
from sim.lab.table import LabTable
from sim.lab.world import Generator, World

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed: run make test as root"),
]
INSTRUMENTS = (
    "function_generator", "gpib", "power_supply", "power_supply_serial", "laser", "filter_wheel_0",
    "filter_wheel_1", "thermometer", "humidity", "chamber", "lake_shore", "freezer_pins", "freezer_camera", "freezer",
)  # fmt: skip


def a_site(folder: Path, table: LabTable) -> Site:
    ports = table.modules.all_ports()
    lines = [
        *(f"lab.{name}" for name in INSTRUMENTS),
        *(f"icm.{port}" for port in (6000, 6004, 6008, 6012, 11000)),
    ]
    boards = {name: FaultBoard(name, LINK_FAULTS) for name in lines}
    boards |= {f"degg.{port}": FaultBoard(f"degg.{port}", MODULE_FAULTS) for port in ports}
    world = World(table.figures, ports)
    clock = manual_clock()
    site = Site("lab", 1, folder, clock, world, boards, Transcript(None, lambda: 0), "the token")
    hv = [{"hv_on": True, "hv_volts": volts, "hv_set_volts": volts} for volts in (1412.0, 1507.0)]
    site.shown.update({f"degg.{port}": lambda _: {"board_c": -27.5, "channels": hv} for port in ports})
    return site


@pytest.fixture
async def site(tmp_path: Path) -> Site:
    return a_site(tmp_path, LabTable())


@pytest.fixture
async def url(site: Site) -> AsyncIterator[str]:
    server = HttpServer("lab", page_app(site, State(site, LabTable())), transcript=site.transcript)
    yield await server.start()
    await server.stop()


@pytest.fixture
async def browser() -> AsyncIterator[Any]:
    from playwright.async_api import async_playwright

    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM)
        yield browser
        await browser.close()


async def test_a_fault_is_switched_by_keyboard_with_the_token(site: Site, url: str, browser: Any) -> None:
    from playwright.async_api import expect

    said: list[str] = []
    tab = await browser.new_page()
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    await tab.goto(url)
    egg = tab.get_by_role("button", name="module 5003")
    await expect(egg).to_have_attribute("aria-label", "module 5003, DEgg2021-3-103: board −27.5 degrees, lower 1412 V, "
                                        "upper 1507 V")  # fmt: skip
    await expect(tab.get_by_text("dark: the laser's supply is off")).to_be_visible()
    await egg.focus()
    await tab.keyboard.press("Enter")
    switch = tab.get_by_role("switch", name="dead_fibre")
    await expect(switch).to_have_attribute("aria-checked", "false")
    await switch.click()
    await expect(tab.get_by_role("alert")).to_contain_text("needs the token")
    await tab.get_by_label("Token for changes").fill("another")
    await switch.click()
    await expect(tab.get_by_role("alert")).to_contain_text("stellwerk up")
    assert site.faults("degg.5003").active() == {}
    await tab.get_by_label("Token for changes").fill("the token")
    await tab.locator(".fault", has_text="dead_fibre").get_by_label("channel").fill("1")
    await switch.click()
    await expect(switch).to_have_attribute("aria-checked", "true")
    assert site.faults("degg.5003").active() == {"dead_fibre": {"channel": 1}}
    await tab.keyboard.press("Escape")
    await expect(egg).to_have_class("egg fed faulty")
    await expect(tab.get_by_text("1 fault on")).to_be_visible()
    await tab.close()
    # Chromium itself notes the refused request.
    assert [text for text in said if "401" not in text] == []


async def test_what_changes_in_the_world_changes_in_the_drawing(site: Site, url: str, browser: Any) -> None:
    from playwright.async_api import expect

    tab = await browser.new_page(viewport={"width": 1280, "height": 900})
    await tab.goto(url)
    splitter = tab.get_by_role("button", name="Splitter")
    await expect(splitter).to_have_class("box off")
    await expect(tab.locator(".fibre")).to_have_count(32)
    await expect(tab.locator(".fibre.lit")).to_have_count(0)
    world, now = site.world, site.clock.now
    world.light.set_supply(now, 12.0, True)
    world.light.set_generator(now, Generator(True, 100.0, 3.0))
    world.light.set_strength(now, 0, 0.25)
    world.power.set_wire_pair(now, 5004, False)
    await expect(splitter).to_have_attribute("aria-label", "Splitter: × 0.25, 32 fibres")
    await expect(tab.locator(".fibre.lit")).to_have_count(32)
    await expect(tab.get_by_role("button", name="Tabletop mainboard: 100 Hz")).to_be_visible()
    await expect(tab.locator(".egg.fed")).to_have_count(12)
    await expect(
        tab.get_by_text("12 of 16 modules have power; the fibres are lit; no fault is on.")
    ).to_be_visible()
    await tab.close()


async def test_the_drawing_fits_every_width_and_its_text_stays_readable(url: str, browser: Any) -> None:
    tab = await browser.new_page()
    await tab.goto(url)
    for width, scheme in [(360, "light"), (820, "dark"), (1440, "light")]:
        await tab.set_viewport_size({"width": width, "height": 800})
        await tab.emulate_media(color_scheme=scheme)
        # Laid out anew: the drawing is as wide as its place, to the pixel.
        await tab.wait_for_function(
            """w => { const d = document.querySelector('#drawing'), s = d.querySelector('svg');
                return s && Number(s.getAttribute('width')) === d.clientWidth && window.innerWidth === w }""",
            arg=width,
        )
        assert await tab.evaluate("document.documentElement.scrollWidth") == width
        # Every box and every module lies inside the drawing, and no two lie on each other.
        boxes = await tab.evaluate(
            """[...document.querySelectorAll('.box > rect, .shell')].map(e => {
                const r = e.getBoundingClientRect(); return [r.left, r.top, r.right, r.bottom] })"""
        )
        assert len(boxes) == 7 + 4 + 16 + 1
        for index, (left, top, right, bottom) in enumerate(boxes):
            assert 0 <= left < right <= width
            for a, b, c, d in boxes[:index]:
                assert right <= a or c <= left or bottom <= b or d <= top
        sizes = await tab.evaluate(
            """[...document.querySelectorAll('svg text')].map(
                e => e.getScreenCTM().a * parseFloat(getComputedStyle(e).fontSize))"""
        )
        assert min(sizes) >= 10.5
    await tab.close()
