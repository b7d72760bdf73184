"""Public drivers, unmodified, over sockets, the GPIB box and a serial port: they read what they have set."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest

from sim.kernel import FaultBoard, Transcript
from sim.kernel.clock import manual_clock
from sim.lab.figures import LabFigures
from sim.lab.instruments.scpi_parts import FAULTS, ScpiTable, servers
from sim.lab.site import Site
from sim.lab.world import Generator, World

ENVIRONMENT = Path(__file__).parents[2] / ".venvs/instruments"
SCRIPT = Path(__file__).parents[1] / "foreign/drive_scpi.py"
AFG = "TEKTRONIX,AFG3101C,C010101,SCPI:99.0 FV:3.2.2"
AGILENT = "Agilent Technologies,33220A,MY44000101,2.07-2.06-22-2"

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        not list((ENVIRONMENT / "lib").glob("python*/site-packages/pymeasure")),
        reason="no environment .venvs/instruments with the public drivers: run make test",
    ),
]


@dataclass
class Bench:
    world: World
    other: World
    at: dict[str, Any]

    async def drive(self, package: str) -> dict[str, Any]:
        """What the drivers of a package have read."""
        kept = {
            name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")
        }
        process = await asyncio.create_subprocess_exec(
            str(ENVIRONMENT / "bin/python"),
            str(SCRIPT),
            package,
            json.dumps(self.at),
            env=kept,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), 150)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, err.decode()[-6000:]
        told: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
        return told


@asynccontextmanager
async def parts(folder: Path, **table: Any) -> AsyncIterator[tuple[World, dict[str, Any]]]:
    boards = {f"lab.{part}": FaultBoard(part, faults) for part, faults in FAULTS.items()}
    world = World(LabFigures(), [])
    site = Site("lab", 1, folder, manual_clock(), world, boards, Transcript(None, lambda: 0), "")
    built = servers(site, ScpiTable(**table))
    try:
        addresses = {part: str(await server.start()) for part, server in built.items()}
        yield world, {part: urlparse(address).port or address for part, address in addresses.items()}
    finally:
        for server in built.values():
            await server.stop()


@pytest.fixture
async def bench(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bench]:
    async with (
        parts(tmp_path_factory.mktemp("afg")) as (world, at),
        parts(tmp_path_factory.mktemp("agilent"), function_generator="33220A") as (other, beside),
    ):
        named = {
            "afg": at["function_generator"],
            "gpib": at["gpib"],
            "supply": at["power_supply"],
            "serial": at["power_supply_serial"],
            "agilent": beside["function_generator"],
        }
        yield Bench(world, other, named)


async def test_pymeasure_and_pyvisa(bench: Bench) -> None:
    told = await bench.drive("pymeasure")
    generator = {
        "id": AFG,
        "shape": "square",
        "frequency": 100.0,
        "unit": "VPP",
        "amplitude": 3.0,
        "offset": 0.0,
        "duty": 50.0,
        "on": "1",
        "complete": 1,
        "error": '0,"No error"',
    }
    supply = {
        "id": "HEWLETT-PACKARD,E3631A,0,2.1-5.0-1.0",
        "volts": [0.0, 12.0, -5.0],
        "limit": 0.5,
        "on": True,
        "measured": [12.0, 0.3],
        "tracking": False,
        "errors": [],
        "refused": [[-222.0, '"Data out of range"']],
    }
    assert told["visa"] == {"id": supply["id"], "values": [11.5, 1.0]}
    assert told["supply"] == told["serial"] == supply
    assert told["afg"] == generator
    version = "Prologix GPIB-ETHERNET Controller version 01.06.06.00"
    assert told["box"] == {
        "box": [False, True, "\n", 500, version],
        "afg": generator,
        "supply": supply,
        "memory": [*b"#14", 13, 10, 27, 43, 10],
    }
    assert bench.world.light.generator == Generator(True, 100.0, 3.0)
    assert bench.world.light.fires
    agilent = told["agilent"]
    assert agilent["read"] == agilent["wanted"]
    assert (agilent["id"], agilent["errors"]) == (AGILENT, [])


async def test_pylablib(bench: Bench) -> None:
    told = await bench.drive("pylablib")
    common = {
        "channels": 1,
        "function": "square",
        "frequency": 100.0,
        "amplitude": 1.5,
        "offset": 0.0,
        "range": [-1.5, 1.5],
        "burst": [True, "trig", 2],
        "on": True,
    }
    settings = {name: told[name].pop("all") for name in ("afg", "agilent")}
    assert told == {"afg": {"id": AFG, **common}, "agilent": {"id": AGILENT, **common}}
    assert settings["afg"]["pulse_width"] == 0.005
    assert settings["agilent"]["trigger_source"] == "imm"
    # Bursts at the rates of the timers, 1 kHz and 100 Hz after reset.
    assert bench.world.light.generator == Generator(True, pytest.approx(1000.0), 3.0, 2, 1e7)
    assert bench.other.light.generator == Generator(True, pytest.approx(100.0), 3.0, 2, 1e7)
