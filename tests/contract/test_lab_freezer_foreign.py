"""Public drivers, unmodified, at the freezer's chambers and at its monitor, over real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

from sim.lab.tables.freezer import FreezerTable

ENVIRONMENT = Path(__file__).parents[2] / ".venvs/instruments"
SCRIPTS = Path(__file__).parents[1] / "foreign"
TIMEOUT_S = 100

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        not list((ENVIRONMENT / "lib").glob("python*/site-packages/pymeasure")),
        reason="no environment .venvs/instruments with the public drivers: run make test",
    ),
]

Make = Callable[[FreezerTable], Awaitable[Any]]


@pytest.fixture
async def make(freezer: Any, tmp_path: Path, nothing_left_behind: None) -> AsyncIterator[Make]:
    """A laboratory with a table, at a clock that stands still until the test moves it."""
    open_labs = []

    async def make_one(table: FreezerTable) -> Any:
        context = freezer.freezer_lab(freezer.make_site(tmp_path), table)
        open_labs.append(context)
        return await context.__aenter__()

    yield make_one
    for context in open_labs:
        await context.__aexit__(None, None, None)


def resource(lab: Any, part: str) -> str:
    url = urlparse(lab.addresses[part])
    if not url.scheme:
        return f"ASRL{lab.addresses[part]}::INSTR"
    return f"TCPIP::{url.hostname}::{url.port}::SOCKET"


async def drive(script: str, *arguments: str) -> Any:
    process = await asyncio.create_subprocess_exec(
        str(ENVIRONMENT / "bin/python"),
        str(SCRIPTS / script),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def test_pymeasure_drives_the_thermotron(make: Make) -> None:
    lab = await make(FreezerTable(chamber="thermotron"))
    assert await drive("drive_thermotron.py", resource(lab, "chamber")) == {
        "id": 3800.0,
        "mode": "MANUAL_MODE",
        "temperature": 20.0,
        "set_point": -40.0,
    }
    assert lab.world.cold.set_point == -40


async def test_pymeasure_reads_the_lake_shore_224(make: Make) -> None:
    lab = await make(FreezerTable())
    lab.world.cold.set_freezer(lab.clock.now, -40)
    await lab.pass_s(10 * 3600)
    answer = await drive("drive_lakeshore.py", "224", resource(lab, "lake_shore"))
    # By hand, after 10 h: air -40 + 60 exp(-10/3) = -37.86; glass about -40 + 60 (1 + 10/3) exp(-10/3) = -30.7
    assert answer["id"].startswith("LSCI,MODEL224,")
    assert answer["air"] == pytest.approx(-37.86, abs=0.01)
    assert answer["glass"] == pytest.approx(273.15 - 30.7, abs=0.1)
    assert answer["room"] == pytest.approx(108.57, abs=0.01)
    assert len(answer["all"]) == 12


async def test_pymeasure_reads_the_lake_shore_211(make: Make) -> None:
    lab = await make(FreezerTable(lake_shore="211"))
    answer = await drive("drive_lakeshore.py", "211", resource(lab, "lake_shore"))
    assert answer.pop("id").startswith("LSCI,MODEL211,")
    assert answer == {"air": 20.0, "kelvin": 293.15, "fahrenheit": 68.0, "sensor": 107.79}


@pytest.mark.parametrize(
    ("chamber", "line", "ends", "commands", "answers"),
    [
        (
            "julabo",
            "serial",
            ("CRLF", "CR"),
            [
                ["version", True],
                ["out_sp_00 -40", False],
                ["out_mode_05 1", False],
                ["in_sp_00", True],
                ["status", True],
                ["in_pv_00", True],
            ],
            ["JULABO HIGHTECH FL SL VERSION 4.2", "-40.00", "03 REMOTE START", "20.00"],
        ),
        (
            "espec",
            "tcp",
            ("CRLF", "CRLF"),
            [["TEMP, S-40.0", True], ["MODE, CONSTANT", True], ["TEMP?", True], ["TEMP, S-99", True]],
            ["OK:TEMP, S-40.0", "OK:MODE, CONSTANT", "20.0,-40.0,100.0,-75.0", "NA:DATA OUT OF RANGE"],
        ),
    ],
)
async def test_pyvisa_talks_to_the_other_chambers(
    make: Make, chamber: Any, line: Any, ends: tuple[str, str], commands: list[Any], answers: list[str]
) -> None:
    lab = await make(FreezerTable(chamber=chamber, chamber_line=line))
    said = await drive("ask_by_visa.py", resource(lab, "chamber"), *ends, json.dumps(commands))
    assert said == answers
    assert lab.world.cold.set_point == -40
