"""What known clients send, in their order and their form, without the clients: those run as foreign tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from sim.dectris.models import MODELS, Modules

D, S, M = "/detector/api/1.8.0", "/stream/api/1.8.0", "/monitor/api/1.8.0"
# Names and types of a 16M, on a module small enough for a test.
LIKE_16M = replace(MODELS["EIGER2 X 16M"], modules=Modules(1, 1, 64, 32))
FASTCS_TYPES = {"float", "int", "bool", "uint", "string", "datetime", "State", "string[]"}
FASTCS_IGNORED = {"buffer_fill_level"}
FASTCS_ASKED = {
    ("detector", "status"): ["error"],
    ("detector", "config"): ["wavelength"],
    ("stream", "status"): ["error"],
}
"""fastcs-eiger 0.4.0: keys that it asks for although they are not listed."""


@pytest.fixture
async def sixteen(make_unit: Any) -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
    unit = make_unit(LIKE_16M)
    transport = httpx.ASGITransport(app=unit.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://dcu") as client:
        yield unit, client


async def test_libertem_live_in_active_mode(sixteen: tuple[Any, httpx.AsyncClient]) -> None:
    unit, client = sixteen

    async def put(path: str, value: object) -> Any:
        body = json.dumps({"value": value}).encode()
        headers = {"content-type": "application/json; charset=utf-8"}
        answer = await client.put(path, content=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    for key in ("x_pixels_in_detector", "y_pixels_in_detector", "bit_depth_image"):
        assert isinstance((await client.get(f"{D}/config/{key}")).json()["value"], int)
    await put("/filewriter/api/1.8.0/config/mode", "disabled")
    for key, value in (("ntrigger", 1), ("nimages", 1), ("trigger_mode", "exte"), ("ntrigger", 256)):
        assert key in await put(f"{D}/config/{key}", value)
    for key, value in (("count_time", 1 / 133), ("frame_time", 1 / 133), ("mask_to_zero", True)):
        await put(f"{D}/config/{key}", value)
    armed = await client.put(f"{D}/command/arm", content=b"", headers={"content-type": "text/html"})
    assert armed.headers["content-type"] == "application/json"
    assert armed.json() == {"sequence id": 1}
    unit.detector.state = "ready"
    assert await put(f"{S}/config/mode", "enabled") == ["mode"]
    assert await put(f"{S}/config/header_detail", "basic") == ["header_detail"]
    assert unit.stream.told == ["configured", "configured"]


async def test_fastcs_eiger_introspects(sixteen: tuple[Any, httpx.AsyncClient]) -> None:
    _, client = sixteen
    counts = {}
    for module in ("detector", "monitor", "stream"):
        refs = []
        for task in ("status", "config"):
            names = (await client.get(f"/{module}/api/1.8.0/{task}/keys")).json()
            asked = [name for name in names if name not in FASTCS_IGNORED]
            refs += [f"{task}/{name}" for name in [*asked, *FASTCS_ASKED.get((module, task), [])]]
        answers = await asyncio.gather(*(client.get(f"/{module}/api/1.8.0/{ref}") for ref in refs))
        for answer in answers:
            assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
            described = answer.json()
            assert described["value_type"] in FASTCS_TYPES, described
            assert described["access_mode"] in ("r", "w", "rw")
            assert isinstance(described.get("min", 0), int | float)
        counts[module] = len(refs)
    # Its own system test counts them.
    assert counts == {"detector": 76, "monitor": 7, "stream": 8}


async def test_adeiger_starts(sixteen: tuple[Any, httpx.AsyncClient]) -> None:
    _, client = sixteen
    assert (await client.get("/detector/api/version")).json()["value"] == "1.8.0"
    assert "EIGER2" in (await client.get(f"{D}/config/description")).json()["value"]
    for status in ("state", "error", "board_000/th0_temp", "board_000/th0_humidity", "high_voltage/state"):
        assert (await client.get(f"{D}/status/{status}")).status_code == 200
    for path, value in (
        (f"{M}/config/mode", "disabled"),
        (f"{D}/config/auto_summation", True),
        ("/filewriter/api/1.8.0/config/image_nr_start", 1),
        (f"{M}/config/buffer_size", 1),
    ):
        body = json.dumps({"value": value}).encode()
        assert (await client.put(path, content=body)).status_code == 200
    before = (await client.get(f"{D}/config/roi_mode")).json()
    assert before["value"] in before["allowed_values"]
    for name in ("mode", "compression_enabled", "name_pattern", "nimages_per_file", "format"):
        assert (await client.get(f"/filewriter/api/1.8.0/config/{name}")).status_code == 200
    disarmed = await client.put(f"{D}/command/disarm", headers={"content-length": "0"})
    assert disarmed.json() == {"sequence id": 0}


async def test_ophyd_sets_count_and_frame_time_alike(sixteen: tuple[Any, httpx.AsyncClient]) -> None:
    _, client = sixteen
    for key in ("count_time", "frame_time"):
        assert (await client.put(f"{D}/config/{key}", json={"value": 0.1})).status_code == 200
    count_s, frame_s = [
        (await client.get(f"{D}/config/{key}")).json()["value"] for key in ("count_time", "frame_time")
    ]
    assert (frame_s, count_s) == (0.1, pytest.approx(0.1 - 1e-7, abs=1e-12))
