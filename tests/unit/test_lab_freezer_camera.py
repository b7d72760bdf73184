"""The camera in front of the freezer's panel: its picture is decoded by an independent reader and read."""

from __future__ import annotations

import asyncio
import io
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import matplotlib.image
import numpy as np
import pytest

from sim.lab.freezer.panel import Display
from sim.lab.freezer.picture import CELLS, HEIGHT, LAMPS, ROWS, SPACING, TILT, WIDTH, photograph
from sim.lab.freezer.png import png

# What people know of seven segments: which of a..g are lit.
KNOWN = {
    "": " ",
    "abcdef": "0",
    "bc": "1",
    "abdeg": "2",
    "abcdg": "3",
    "bcfg": "4",
    "acdfg": "5",
    "acdefg": "6",
    "abc": "7",
    "abcdefg": "8",
    "abcdfg": "9",
    "g": "-",
}
MIDDLES = {
    "a": (0.5, 0),
    "b": (1, 0.5),
    "c": (1, 1.5),
    "d": (0.5, 2),
    "e": (0, 1.5),
    "f": (0, 0.5),
    "g": (0.5, 1),
}


def decoded(data: bytes) -> np.ndarray[Any, Any]:
    image = matplotlib.image.imread(io.BytesIO(data), format="png")
    assert image.shape == (HEIGHT, WIDTH, 3)
    return image


def bright(image: np.ndarray[Any, Any], x: float, y: float) -> bool:
    """Whether something shines at a point of the panel, which the camera sees turned by TILT."""
    dx, dy = x - WIDTH / 2, y - HEIGHT / 2
    column = round(dx * math.cos(TILT) - dy * math.sin(TILT) + WIDTH / 2)
    row = round(dx * math.sin(TILT) + dy * math.cos(TILT) + HEIGHT / 2)
    return bool(image[row - 1 : row + 2, column - 1 : column + 2].max(axis=2).mean() > 0.75)


def read_row(image: np.ndarray[Any, Any], name: str) -> str:
    left, top, length, _ = ROWS[name]
    text = ""
    for cell in range(CELLS):
        x0 = left + cell * SPACING * length
        lit = ""
        for segment, (column, row) in MIDDLES.items():
            lean = 0.1 * (2 - row) * length
            if bright(image, x0 + column * length + lean, top + row * length):
                lit += segment
        text += KNOWN[lit]
    point = bright(image, left + (CELLS - 2) * SPACING * length + 1.38 * length, top + 2 * length)
    assert point
    return f"{text[:-1]}.{text[-1]}".strip()


def lamps(image: np.ndarray[Any, Any]) -> set[str]:
    return {name for name, (x, y, *_) in LAMPS.items() if bright(image, x, y)}


@pytest.mark.parametrize(
    ("actual", "set_point"), [("-39.4", "-40.0"), ("20.0", "-57.0"), ("-8.6", "7.3"), ("0.1", "-25.9")]
)
def test_both_rows_can_be_read(actual: str, set_point: str) -> None:
    image = decoded(png(photograph(Display(actual, set_point, set_mode=True, runs=False, door=True))))
    assert (read_row(image, "actual"), read_row(image, "set_point")) == (actual, set_point)
    assert lamps(image) == {"set_mode", "door"}


def test_the_same_display_gives_the_same_bytes() -> None:
    display = Display("1.0", "2.0", set_mode=False, runs=True, door=False)
    assert png(photograph(display)) == png(photograph(display))


class Viewer:
    def __init__(self, lab: Any, http: httpx.AsyncClient) -> None:
        self.lab, self.http = lab, http

    async def look(self) -> bytes:
        answer = await self.http.get(self.lab.addresses["freezer_camera"])
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/png"
        return answer.content

    async def read(self) -> tuple[str, str, set[str]]:
        image = decoded(await self.look())
        return read_row(image, "actual"), read_row(image, "set_point"), lamps(image)


@pytest.fixture
async def viewer(freezer: Any, tmp_path: Path) -> AsyncIterator[Viewer]:
    async with (
        freezer.freezer_lab(freezer.make_site(tmp_path), camera=True) as lab,
        httpx.AsyncClient(timeout=30, verify=False) as http,
    ):
        yield Viewer(lab, http)


async def test_the_picture_follows_keys_temperature_and_door(viewer: Viewer) -> None:
    pins = await viewer.lab.client("freezer_pins")
    assert await viewer.read() == ("20.0", "20.0", {"runs"})
    await pins.ask(b"C1 1\n")
    await viewer.lab.pass_s(4)
    assert await viewer.read() == ("20.0", "20.0", {"runs", "set_mode"})
    await pins.ask(b"C1 0\n")
    for line, seconds in [(b"C3 1\n", 0.1), (b"C3 0\n", 0.3)] * 3:
        await pins.ask(line)
        await viewer.lab.pass_s(seconds)
    assert await viewer.read() == ("20.0", "19.7", {"runs", "set_mode"})
    await viewer.lab.pass_s(60)  # nobody confirmed
    assert await viewer.read() == ("20.0", "20.0", {"runs"})

    viewer.lab.world.cold.set_freezer(viewer.lab.clock.now, -40)
    await viewer.lab.pass_s(36_000)
    assert await viewer.read() == ("-37.9", "-40.0", {"runs"})
    await viewer.lab.switch("freezer", "open_freezer")
    await viewer.lab.switch("freezer", "stop_compressor")
    assert (await viewer.read())[2] == {"door"}
    await pins.close()


async def test_a_frozen_a_dark_and_a_half_picture(viewer: Viewer) -> None:
    cold, faults = viewer.lab.world.cold, viewer.lab.faults("freezer_camera")
    faults.switch_on("freeze_picture")
    first = await viewer.look()
    cold.set_freezer(viewer.lab.clock.now, -40)
    assert await viewer.look() == first
    faults.switch_off("freeze_picture")
    whole = await viewer.look()
    assert read_row(decoded(whole), "set_point") == "-40.0"

    faults.switch_on("half_picture", times=1)
    assert await viewer.look() == whole[: len(whole) // 2]
    faults.switch_on("picture_late", times=1, delay_s=0.01)
    assert await viewer.look() == whole
    faults.switch_on("dark_picture")
    dark = decoded(await viewer.look())
    assert dark.max() < 0.1
    assert faults.struck() == {
        "freeze_picture": 2,
        "half_picture": 1,
        "picture_late": 1,
        "dark_picture": 1,
    }


async def test_a_display_is_drawn_once(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Display] = []

    def draw(display: Display) -> Any:
        drawn.append(display)
        return photograph(display)

    monkeypatch.setattr("sim.lab.freezer.camera.photograph", draw)
    monkeypatch.setattr("sim.lab.freezer.camera.KEPT", 3)
    pictures = await asyncio.gather(*(viewer.look() for _ in range(5)))
    assert len(set(pictures)) == 1
    assert len(drawn) == 1
    for tenths in (0, 1, 2, 3, 200):
        viewer.lab.world.cold.set_freezer(viewer.lab.clock.now, tenths / 10)
        await viewer.look()
    assert len(drawn) == 6  # the first was among the oldest, which are forgotten
    assert len(viewer.lab.servers["freezer_camera"]._pictures) == 3


async def test_other_paths_and_methods_are_refused(viewer: Viewer) -> None:
    address = viewer.lab.addresses["freezer_camera"]
    assert (await viewer.http.post(address)).status_code == 405
    assert (await viewer.http.get(address.replace("picture.png", "other"))).status_code == 404
