"""Public drivers, unmodified, at the serial ports of the laboratory: pylablib, pyserial, pyvisa-py."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sim.kernel import FaultBoard, Transcript
from sim.kernel.clock import wall_clock
from sim.lab.figures import LabFigures, WheelFigures
from sim.lab.instruments.serial_parts import FAULTS, SerialTable, servers
from sim.lab.site import Site
from sim.lab.world import World

INSTRUMENTS = Path(__file__).parents[2] / ".venvs/instruments"
SCRIPTS = Path(__file__).parents[1] / "foreign"
TIMEOUT_S = 60
NO_TIME = WheelFigures(fast_step_s=0.02, slow_step_s=0.04)
IDENTITY = "THORLABS FW102C/FW212C Filter Wheel version 1.07"


def needs(package: str) -> pytest.MarkDecorator:
    found = list((INSTRUMENTS / "lib").glob(f"python*/site-packages/{package}"))
    return pytest.mark.skipif(
        not found, reason="no environment .venvs/instruments with the public client: run make test"
    )


pytestmark = [pytest.mark.foreign, pytest.mark.timeout(120)]


@asynccontextmanager
async def laboratory(folder: Path) -> AsyncIterator[tuple[dict[str, str], Site]]:
    """The small instruments, up; their addresses."""
    world = World(LabFigures(wheel=NO_TIME), range(5000, 5016))
    boards = {f"lab.{part}": FaultBoard(part, faults) for part, faults in FAULTS.items()}
    site = Site("lab", 1, folder, wall_clock(), world, boards, Transcript(None, lambda: 0), "")
    up = servers(site, SerialTable())
    addresses = {name: str(await server.start()) for name, server in up.items()}
    try:
        yield addresses, site
    finally:
        for server in up.values():
            await server.stop()


async def run(script: str, *arguments: object) -> Any:
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
    client = await asyncio.create_subprocess_exec(
        str(INSTRUMENTS / "bin/python"),
        str(SCRIPTS / script),
        *map(str, arguments),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, complaint = await asyncio.wait_for(client.communicate(), TIMEOUT_S)
    assert client.returncode == 0, complaint.decode()
    return json.loads(told)


@needs("pylablib")
async def test_pylablib_drives_a_wheel_through_its_whole_life(tmp_path: Path) -> None:
    async with laboratory(tmp_path) as (addresses, site):
        told = await run("drive_filter_wheel.py", "FW", addresses["filter_wheel_0"])
        assert site.world.light.strengths == [1.0, 1.0]
    assert told["id"] == IDENTITY
    assert told["pcount"] == 6
    assert told["positions"] == [2, 3, 6, 1, 4, 1]
    assert told["out_of_range"] == 6, "as its documentation has it: after the moves between"
    assert told["speed"] == ["low", "high"]
    assert told["sensors"] == ["on", "off"]
    assert told["trigger"] == ["out", "in"]
    assert told["across"] == [6, 1, 5]
    assert told["large"] == [12, 8, 6]
    assert told["at"] == told["reopened"] == told["again"]["pos"] == 5
    assert told["again"]["sensors_mode"] == "off"


@needs("pylablib")
async def test_pylablib_drives_a_wheel_of_the_first_version(tmp_path: Path) -> None:
    async with laboratory(tmp_path) as (addresses, site):
        told = await run("drive_filter_wheel.py", "FWv1", addresses["filter_wheel_1"])
        assert site.world.light.strengths == [1.0, 0.01]
    assert told["id"] == IDENTITY
    assert told["positions"] == [2, 6, 1, 4]
    assert told["trigger"] == ["out", "in"]
    assert told["again"] == 4


@needs("pyvisa_py")
async def test_pyvisa_asks_a_wheel(tmp_path: Path) -> None:
    async with laboratory(tmp_path) as (addresses, _):
        told = await run("drive_filter_wheel.py", "pyvisa", addresses["filter_wheel_0"])
    assert told["asked"] == [
        ["*idn?", IDENTITY],
        ["> pos?", "1"],
        ["> nonsense", "Command error CMD_NOT_DEFINED"],
        ["> pos?", "1"],
    ]


@needs("serial")
async def test_pyserial_opens_a_wheel_twice(tmp_path: Path) -> None:
    async with laboratory(tmp_path) as (addresses, _):
        told = await run("drive_filter_wheel.py", "pyserial", addresses["filter_wheel_0"])
    assert told["answers"] == ["pos?\r1\r> ", "pos=2\r> ", "pos?\r2\r> ", "pcount?\r6\r> "]


@needs("serial")
async def test_pyserial_reads_four_temperatures(tmp_path: Path) -> None:
    async with laboratory(tmp_path) as (addresses, _):
        values = await run("read_thermometer.py", addresses["thermometer"], 1.5)
    assert {channel: set(map(tuple, shown)) for channel, shown in values.items()} == {
        "1": {("01", 20.0)},
        "2": {("01", 20.0)},
        "3": {("01", 20.0)},
        "4": {("01", 22.0)},
    }
    assert all(len(shown) >= 2 for shown in values.values())
