"""The main path of the back office in Chromium, without scripts: log in, find, disable, look, log out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

CHROMIUM = shutil.which("chromium")
PAGES = (
    "/versions",
    "/versions/1",
    "/versions/1/edit",
    "/constants/1",
    "/conditions/1",
    "/units",
    "/units/1",
)
pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed: run make test as root"),
]


async def test_disabling_a_constant_by_hand(office: Any, tmp_path: Path) -> None:
    from playwright.async_api import async_playwright, expect

    office.write("cal.1.0.h5", np.random.default_rng(1).normal(5000, 20, (128, 512, 4, 3)).astype("f4"))
    constant = await office.constant()
    old, new = [await office.version(constant, f"2026-01-0{day}T09:00:00") for day in (5, 6)]
    await office.version(constant, "2026-01-05T09:00:00", 2)
    said: list[str] = []
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM)
        tab = await browser.new_page(java_script_enabled=False)
        tab.on("console", lambda message: said.append(message.text))
        await tab.goto(f"{office.url}/versions?device=m100")
        await tab.get_by_label("Name").fill("anna")
        await tab.get_by_label("Password").fill("a password of tests")
        await tab.get_by_role("button", name="Log in").click()
        await expect(tab.get_by_label("Physical device")).to_have_value("m100")
        await expect(tab.locator("tbody tr")).to_have_count(2)
        await tab.get_by_label("Start date from").fill("2026-01-06")
        await tab.get_by_role("button", name="Filter").click()
        await expect(tab).to_have_url(f"{office.url}/versions?device=m100&since=2026-01-06")
        await tab.get_by_role("link", name="Edit 20260106").click()
        await tab.get_by_label("Deployed").uncheck()
        await tab.get_by_label("Good quality").uncheck()
        await tab.get_by_label("Description").fill("the shutter was open")
        await tab.get_by_role("button", name="Save").click()
        await expect(tab).to_have_url(f"{office.url}/versions?device=m100&since=2026-01-06")
        await expect(tab.get_by_role("status")).to_contain_text("is disabled")
        await expect(tab.locator("tbody .flag.no")).to_have_count(2)
        assert [found["id"] for found in await office.lookup() if found["id"] in (old, new)] == [old]
        async with tab.expect_download() as download:
            await tab.get_by_role("link", name="Export as CSV").click()
        exported = tmp_path / "list.csv"
        await (await download.value).save_as(exported)
        assert "no,no" in exported.read_text()
        await tab.get_by_role("link", name="20260106_090000_sIdx=0", exact=True).click()
        await expect(tab.get_by_text("the shutter was open").first).to_be_visible()
        await tab.get_by_role("button", name="Log out").click()
        await tab.goto(f"{office.url}/versions")
        await expect(tab.get_by_role("heading", name="Log in")).to_be_visible()
        await browser.close()
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_fits_a_telephone_and_shows_its_figures(office: Any, scheme: Any) -> None:
    from playwright.async_api import async_playwright

    office.write("cal.1.0.h5", np.random.default_rng(1).normal(5000, 20, (128, 512, 4, 3)).astype("f4"))
    await office.version(
        await office.constant("AGIPD-Type_ThresholdsDark_AGIPD DefNhrukZBDr"), "2026-01-05T09:00:00"
    )
    said: list[str] = []
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path=CHROMIUM)
        around = await browser.new_context(color_scheme=scheme, viewport={"width": 390, "height": 800})
        tab = await around.new_page()
        tab.on("console", lambda message: said.append(message.text))
        await tab.goto(f"{office.url}/login")
        await tab.get_by_label("Name").fill("anna")
        await tab.get_by_label("Password").fill("a password of tests")
        await tab.get_by_role("button", name="Log in").click()
        for path in (*PAGES, "/changes"):
            await tab.goto(f"{office.url}{path}")
            assert await tab.evaluate("document.documentElement.scrollWidth") <= 390, path
            await tab.evaluate("document.querySelectorAll('img').forEach(i => { i.loading = 'eager' })")
            await tab.wait_for_load_state("networkidle")
            assert await tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)"), (
                path
            )
            assert await tab.evaluate("[...document.images].every(i => i.alt || i.width < 30)"), path
        await browser.close()
    assert said == []
