"""One laboratory in skip mode for the tests of its clients, of housekeeping, and of the shifter's commands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import pytest

from fat.bench.client import ClockClient, ControlClient
from fat.bench.owned import OwnedBench
from fat.degg.records.locked_json import write_json
from fat.degg.records.run_file import RunFile
from fat.degg.station import HV_SETTLING_S, Module, Station
from scheduler import TaskContext
from scheduler.notify.notice import Notice, Severity

BENCH = """
[bench]
name = "lab"
seed = 5
data_dir = "unused"

[sim.clock]
mode = "skip"
epoch = 2026-01-01T00:00:00Z

[sim.devices.lab]
kind = "lab"
modules = { count = 4, serials = { 5000 = "DEgg2021-3-133" } }
scpi = { laser_volts = 12.0, laser_on = true }
"""


SERIALS = {5000: "DEgg2021-3-133", 5001: "DVT2020-004-0917-0804"}


@dataclass
class Room:
    """The station, and what a test may know beyond it."""

    control: ControlClient
    endpoints: dict[str, Any]
    truth_folder: Path
    joined: list[ClockClient] = field(default_factory=list)

    @cached_property
    def station(self) -> Station:
        return Station(self.endpoints, self.wait_s, SERIALS)

    @property
    def clock(self) -> ClockClient:
        """The bench's clock, joined when it is needed: who takes part and does not wait holds it for all others."""
        if not self.joined:
            self.joined.append(ClockClient(self.endpoints["clock"], "station"))
        return self.joined[0]

    def wait_s(self, seconds: float) -> None:
        self.clock.wait_until(self.clock.now_ns() + round(seconds * 1e9))

    def leave(self) -> None:
        """Leave clock and instruments to somebody else."""
        self.station.close()
        while self.joined:
            self.joined.pop().close()

    def state(self) -> Any:
        return httpx.get(f"{self.endpoints['lab.page']}/state").json()

    def truth(self, port: int) -> Any:
        return json.loads((self.truth_folder / f"degg_{port}.json").read_text())


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    folder = tmp_path_factory.mktemp("lab")
    file = folder / "lab.toml"
    file.write_text(BENCH)
    with OwnedBench(file, data_dir=folder / "data", log=folder / "bench.log") as bench:
        control = ControlClient(bench.endpoints["control"], bench.token)
        here = Room(control, bench.endpoints, folder / "data" / "lab" / "truth")
        yield here
        here.leave()
        control.close()


@pytest.fixture
def high_voltage(room: Room) -> Room:
    """Interlocks closed, and each photomultiplier at the voltage of its nominal gain."""
    station = room.station
    pair = station.wire_pairs[5000]
    pair.permit_hv()
    pair.permit_light()

    def switch_on(module: Module) -> None:
        for channel in (0, 1):
            module.set_dac(channel)
            module.enable_hv(channel)
            module.set_hv(channel, room.truth(module.port)["channels"][channel]["v0_volts"])

    station.each(list(station.modules.values()), switch_on)
    station.wait(HV_SETTLING_S)
    return room


@dataclass
class Told:
    """What a task told: a reporter that keeps it."""

    notes: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    done: float = 0.0
    asked: list[str] = field(default_factory=list)

    def progress(self, done: float, total: float, text: str) -> None:
        self.done = done / total

    def note(self, text: str) -> None:
        self.notes.append(text)

    def notify(self, notice: Notice) -> None:
        self.notices.append(notice)

    def ask(self, text: str, severity: Severity) -> Any:
        self.asked.append(text)


@dataclass
class Desk:
    """Papers of a run of two modules, and contexts of its tasks."""

    room: Room
    run: RunFile
    folder: Path

    def context(self, told: Told, attempt: int = 1, *, call: str = "", **parameters: Any) -> TaskContext:
        self.room.station.close()  # a console takes one client
        return TaskContext(
            run_dir=self.folder,
            task_id="task_0",
            title="Task",
            attempt=attempt,
            arguments={},
            parameters={"run_file": str(self.run.path), **parameters},
            results={},
            environment={"endpoints": self.room.endpoints},
            clock=self.room.clock,
            reporter=told,
            call=call,
        )

    def device(self, port: int) -> dict[str, Any]:
        path = self.run.device_paths()[SERIALS[port]]
        return dict(json.loads(path.read_text()))


@pytest.fixture
def desk(room: Room, tmp_path: Path) -> Desk:
    paths = {}
    for port, serial in SERIALS.items():
        volts = [channel["v0_volts"] for channel in room.truth(port)["channels"]]
        paths[serial] = tmp_path / "json" / "run_00001" / f"{serial}.json"
        parts = {
            part: {"SerialNumber": f"SQ{port + n}", "HV1e7Gain": round(volts[n]), "HV1e7GainDefault": 1500}
            for n, part in enumerate(("LowerPmt", "UpperPmt"))
        }
        body = {"DEggSerialNumber": serial, "Port": port, "fpgaVersion": 272, "IcebootVersion": 62, **parts}
        write_json(paths[serial], {**body, "Constants": {"DacValue": 30000, "Events": 10000, "Samples": 128}})
    run = RunFile.create(tmp_path / "json", "", date(2026, 1, 1), paths)
    (tmp_path / "fat").mkdir()
    return Desk(room, run, tmp_path / "fat")


@pytest.fixture
def told() -> Told:
    return Told()
