"""The kind `dcu` put together in process: pulses, images and answers on a clock in the test's hands."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sim.dectris.kind import KIND, DcuTable
from sim.errors import ConfigurationRejected
from sim.kernel import NS_PER_MS, FaultBoard, Surroundings, Transcript
from sim.kernel.clock import ManualClock, manual_clock

TABLE: dict[str, Any] = {
    "frames": {"source": "synthetic", "width": 32, "height": 32, "distinct": 2},
    "triggers": {"source": "external"},
    "policy": "drop",
    "config": {"trigger_mode": "exts", "count_time": 0.001, "frame_time": 0.001, "nimages": 1, "ntrigger": 3},
}


def surroundings(folder: Path, clock: ManualClock) -> Surroundings:
    faults = FaultBoard("dcu", KIND.faults)
    return Surroundings("dcu", 1, folder, clock, {}, faults, Transcript(None, lambda: 0))


class Unit:
    def __init__(self, around: Surroundings, clock: ManualClock) -> None:
        self.around, self.clock = around, clock
        self.servers = KIND.build(around, DcuTable.model_validate_json(json.dumps(TABLE)))

    async def start(self) -> None:
        self.endpoints = {name: str(await server.start()) for name, server in self.servers.items()}
        self.http = httpx.AsyncClient(base_url=self.endpoints["api"], timeout=60, verify=False)

    async def stop(self) -> None:
        await self.http.aclose()
        for server in reversed(self.servers.values()):
            await server.stop()

    async def command(self, name: str) -> httpx.Response:
        return await self.http.put(f"/detector/api/1.8.0/command/{name}")

    async def state(self) -> str:
        return str((await self.http.get("/detector/api/1.8.0/status/state")).json()["value"])

    async def line(self, text: str) -> str:
        host, port = self.endpoints["trigger"].removeprefix("tcp://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(text.encode() + b"\n")
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer.decode().strip()


@pytest.fixture
async def unit(tmp_path: Path) -> AsyncIterator[Unit]:
    clock = manual_clock()
    unit = Unit(surroundings(tmp_path, clock), clock)
    await unit.start()
    yield unit
    await unit.stop()


async def test_pulses_become_images_as_time_is_moved(unit: Unit) -> None:
    assert (await unit.command("arm")).json() == {"sequence id": 1}
    assert await unit.state() == "ready"
    assert await unit.line("TRAIN 5 200") == "OK 5"
    assert await unit.state() == "acquire"
    await unit.clock.advance(2 * NS_PER_MS)
    assert await unit.state() == "ready"
    await unit.clock.advance(4 * NS_PER_MS)
    assert await unit.state() == "ready"
    await unit.clock.advance(5 * NS_PER_MS)
    assert await unit.state() == "idle"
    await unit.clock.advance(100 * NS_PER_MS)
    assert await unit.line("STATUS") == "OK missed=0 ignored=0"
    assert (await unit.command("arm")).json() == {"sequence id": 2}
    assert (await unit.http.get("/triggers")).json() == {"missed": 0, "ignored": 2}


async def test_the_faults_of_the_unit_act_at_once(unit: Unit) -> None:
    await unit.command("arm")
    unit.around.faults.switch_on("detector_error", times=1)
    await unit.command("status_update")
    assert await unit.state() == "error"
    unit.around.faults.switch_on("restart", times=1)
    await unit.command("status_update")
    assert await unit.state() == "na"
    await unit.command("initialize")
    assert await unit.state() == "idle"


async def test_faults_have_names_of_their_own() -> None:
    names = [fault.name for fault in KIND.faults]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"model": "EIGER9", "frames": {"source": "scene"}}, "there is no 'EIGER9'"),
        ({"config": {"nimages": -1}}, "nimages"),
    ],
)
async def test_a_table_that_cannot_be_built_is_a_sentence(
    changed: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    table = DcuTable.model_validate_json(json.dumps({**TABLE, **changed}))
    with pytest.raises(ConfigurationRejected, match=sentence):
        KIND.build(surroundings(tmp_path, manual_clock()), table)


@pytest.mark.parametrize(
    "triggers",
    [
        {"source": "generator", "jitter_s": 0.001},
        {"source": "generator", "rate_hz": 100.0, "jitter_s": 0.006},
        {"source": "generator", "rate_hz": 100.0, "burst": 100},
    ],
)
def test_a_generator_that_cannot_be_is_refused(triggers: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"jitter_s|burst"):
        DcuTable.model_validate_json(json.dumps({**TABLE, "triggers": triggers}))
