"""The humidity sensors' folder: whole files at any moment, what it shows of the cold, faults."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from sim.kernel import NS_PER_S, FaultBoard, SimTime
from sim.kernel.clock import ManualClock, manual_clock
from sim.lab.figures import LabFigures
from sim.lab.instruments.humidity import HUMIDITY_FAULTS, HumidityTree
from sim.lab.world import World

NAMES = ["heater", "humidity", "led", "status", "temperature"]


class Sensors:
    """The folder and what stands around it."""

    def __init__(self, folder: Path, period_s: float = 0.05) -> None:
        self.root, self.clock = folder / "usbrh", manual_clock()
        self.board, self.world = FaultBoard("humidity", HUMIDITY_FAULTS), World(LabFigures(), ())
        self.tree = HumidityTree("humidity", self.root, self.clock, self.world, self.board, period_s)

    def show(self, now: SimTime) -> None:
        self.root.mkdir(exist_ok=True)
        self.tree.refresh(now)

    def read(self, path: str) -> str:
        return (self.root / path).read_text()


@asynccontextmanager
async def up(sensors: Sensors) -> AsyncIterator[ManualClock]:
    assert await sensors.tree.start() == str(sensors.root)
    try:
        yield sensors.clock
    finally:
        await sensors.tree.stop()


def test_each_sensor_has_its_files_with_two_digits(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path)
    sensors.show(SimTime(0))
    assert sorted(os.listdir(sensors.root / "0")) == sorted(os.listdir(sensors.root / "1")) == NAMES
    assert [sensors.read(f"0/{name}") for name in ("temperature", "humidity", "status")] == [
        "20.00\n",
        "45.00\n",
        "t:20.00 h:45.00\n",
    ]
    assert sensors.read("1/status") == "t:22.00 h:45.00\n"


def test_humidity_falls_with_the_cold(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path)
    sensors.world.cold.set_freezer(SimTime(0), -40.0)
    sensors.show(SimTime(3 * 3600 * NS_PER_S))
    # air: -40 + 60 / e; humidity of a closed box, with its lag of 0.1 h: 2.1 + 27 * 3 / (3 - 0.1) / e
    assert sensors.read("0/status") == "t:-17.93 h:12.38\n"


def test_a_heater_that_is_switched_on_warms_and_dries(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path)
    sensors.show(SimTime(0))
    (sensors.root / "1/heater").write_text("1\n")
    (sensors.root / "1/led").write_text("1\n")
    sensors.show(SimTime(0))
    assert sensors.read("1/status") == "t:27.00 h:33.75\n"
    assert sensors.read("1/heater") == sensors.read("1/led") == "1\n", "what a client wrote stays"
    assert sensors.read("0/status") == "t:20.00 h:45.00\n"


def test_whatever_becomes_of_the_heaters_file_is_no_heater(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path)
    sensors.show(SimTime(0))
    heater, elsewhere = sensors.root / "1/heater", tmp_path / "elsewhere"
    elsewhere.write_text("1\n")
    heater.unlink()
    for make in (
        lambda: heater.mkdir(),
        lambda: os.mkfifo(heater),
        lambda: heater.symlink_to(elsewhere),
        lambda: heater.write_bytes(b"\xff" * 100_000),
    ):
        make()
        sensors.show(SimTime(0))
        assert sensors.read("1/temperature") == "22.00\n"
        heater.rmdir() if heater.is_dir() else heater.unlink()


def test_values_freeze_and_drift(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path)
    sensors.board.switch_on("freeze_value")
    sensors.show(SimTime(0))
    sensors.world.cold.set_freezer(SimTime(0), -40.0)
    sensors.show(SimTime(3600 * NS_PER_S))
    assert sensors.read("0/status") == "t:20.00 h:45.00\n"
    sensors.board.switch_off("freeze_value")
    sensors.board.switch_on("drift_value", per_hour=2.0)
    sensors.show(SimTime(3600 * NS_PER_S))
    sensors.show(SimTime(7200 * NS_PER_S))
    assert sensors.read("1/status") == "t:24.00 h:47.00\n"


async def test_a_lost_sensors_folder_is_gone_at_once_and_comes_back(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path, period_s=60.0)
    async with up(sensors):
        for switch, there in (
            (lambda: sensors.board.switch_on("lose_sensor", sensor=1), False),
            (lambda: sensors.board.switch_off("lose_sensor"), True),
        ):
            switch()
            async with asyncio.timeout(10):
                while (sensors.root / "1").exists() is not there:  # noqa: ASYNC110  # as other programs look
                    await asyncio.sleep(0.001)
            assert (sensors.root / "0/status").exists()


def test_a_file_that_somebody_reads_stays_as_it_was_opened(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path)
    sensors.show(SimTime(0))
    with (sensors.root / "0/status").open() as reading:
        assert reading.read(5) == "t:20."
        sensors.world.cold.set_freezer(SimTime(0), -40.0)
        sensors.show(SimTime(3 * 3600 * NS_PER_S))
        assert reading.read() == "00 h:45.00\n"
    assert sensors.read("0/status") == "t:-17.93 h:12.38\n"


async def test_files_are_refreshed_by_the_wall_with_what_the_clock_says(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path)
    async with up(sensors) as clock:
        sensors.world.cold.set_freezer(SimTime(0), -40.0)
        await clock.advance(3 * 3600 * NS_PER_S)
        async with asyncio.timeout(10):
            while sensors.read("0/temperature") != "-17.93\n":  # noqa: ASYNC110  # as other programs look
                await asyncio.sleep(0.001)


async def test_nothing_of_ours_is_left_and_files_of_others_stay(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path)
    (tmp_path / "usbrh").mkdir()
    (tmp_path / "usbrh/notes").write_text("mine")
    async with up(sensors):
        assert (sensors.root / "0/status").exists()
    assert os.listdir(sensors.root) == ["notes"]
    assert not sensors.tree.problems()
