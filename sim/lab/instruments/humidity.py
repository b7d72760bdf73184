"""Two Strawberry Linux USBRH humidity sensors as their kernel driver shows them: a folder each, with small text files.

`temperature` (30.05), `humidity` (35.02) and `status` (t:30.07 h:34.95) are refreshed by wall time; `led` and `heater`
may be written.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sim.errors import SimError
from sim.kernel import FaultBoard, FaultSpec, Problem, SimTime
from sim.kernel.clock import SimClock
from sim.lab.figures import HumidityFigures
from sim.lab.lines import READING_FAULTS, Readings
from sim.lab.world import World

SENSORS: Final = (0, 1)
SHOWN: Final = ("temperature", "humidity", "status")
WRITABLE: Final = ("led", "heater")
HUMIDITY_FAULTS: Final = (
    *READING_FAULTS,
    FaultSpec(
        "lose_sensor",
        "A sensor leaves the USB: its folder is gone until the fault is off.",
        "there is no such file; a monitoring task names the sensor",
        {"sensor": 0},
    ),
)
"""Faults of the humidity sensors."""


class HumidityTree:
    """The folder, kept up to date. Sensor 0 hangs in the box, sensor 1 in the laboratory."""

    def __init__(
        self, name: str, root: Path, clock: SimClock, world: World, faults: FaultBoard, period_s: float
    ) -> None:
        self._name, self._root, self._clock, self._world = name, root, clock, world
        self._faults, self._period_s = faults, period_s
        self._readings = Readings(faults)
        self._switch = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._problems: list[Problem] = []
        faults.watch(lambda _: self._switch.set())

    async def start(self) -> str:
        """Fill the folder and keep it so; returns its path."""
        self._root.mkdir(parents=True, exist_ok=True)
        self.refresh(await self._clock.read())
        self._task = asyncio.create_task(self._keep(), name=self._name)
        return str(self._root)

    async def stop(self) -> None:
        """Remove what was made here; files of others stay."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
            for sensor in SENSORS:
                self._remove(sensor)

    def problems(self) -> Sequence[Problem]:
        """What could not be written."""
        return tuple(self._problems)

    async def _keep(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._switch.wait(), self._period_s)
            self._switch.clear()
            try:
                self.refresh(await self._clock.read())
            except SimError:
                return  # the bench is gone
            except OSError as error:
                if not self._problems:
                    self._problems.append(Problem(self._name, self._clock.now, f"cannot write: {error}"))

    def refresh(self, now: SimTime) -> None:
        """Show what the sensors measure at a moment. Raises OSError."""
        lost = self._faults.strike("lose_sensor")
        for sensor in SENSORS:
            if lost is not None and lost.parameters["sensor"] == sensor:
                self._remove(sensor)
            else:
                self._show(sensor, now)

    def _show(self, sensor: int, now: SimTime) -> None:
        folder = self._root / str(sensor)
        folder.mkdir(exist_ok=True)
        for name in WRITABLE:
            if not os.path.lexists(folder / name):
                self._write(folder / name, "0\n")
        celsius, humidity = self._measure(sensor, now, switched_on(folder / "heater"))
        self._write(folder / "temperature", f"{celsius:.2f}\n")
        self._write(folder / "humidity", f"{humidity:.2f}\n")
        self._write(folder / "status", f"t:{celsius:.2f} h:{humidity:.2f}\n")

    def _measure(self, sensor: int, now: SimTime, heated: bool) -> tuple[float, float]:
        cold, figures = self._world.cold, self._world.figures
        own: HumidityFigures = figures.humidity
        if sensor == 0:
            celsius, humidity = cold.air(now), cold.humidity(now)
        else:
            celsius, humidity = cold.outside(), figures.cold.humidity_open
        if heated:
            celsius, humidity = celsius + own.heater_c, humidity * own.heater_dries_to
        shown = self._readings.shown
        celsius = shown(f"temperature {sensor}", celsius, now)
        return celsius, min(100.0, max(0.0, shown(f"humidity {sensor}", humidity, now)))

    def _write(self, path: Path, text: str) -> None:
        """Put a whole file in place of the former: whoever reads sees one or the other."""
        fresh = self._root / ".new"
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            os.write(file, text.encode())
        finally:
            os.close(file)
        os.replace(fresh, path)  # ten files twice a second, day and night: no layer between

    def _remove(self, sensor: int) -> None:
        """The folder goes in one step; what others put into it stays beside."""
        folder, gone = self._root / str(sensor), self._root / f".gone-{sensor}"
        with contextlib.suppress(OSError):
            folder.rename(gone)
            for name in (*SHOWN, *WRITABLE):
                (gone / name).unlink(missing_ok=True)
            gone.rmdir()


def switched_on(path: Path) -> bool:
    """Whether a client wrote 1 into a file, whatever it made of the file."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        return os.read(file, 16).strip() == b"1"
    except OSError:
        return False
    finally:
        os.close(file)
