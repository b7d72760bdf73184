"""Temperatures and humidities of the laboratory: time series of the run, and the CSV files that backups take."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fat.degg.station import humidity, thermometer
from fat.degg.station.errors import StationError
from fat.degg.station.station import Station
from fat.errors import UsageError
from scheduler import TaskContext

FOLDER: Final = "surroundings"
"""Below the run folder: `temperature.csv`, `humidity_0.csv`, `humidity_1.csv`."""
RUN_TIME: Final = "Run time / s"
"""By the run's clock: on a bench whose clock does not follow the wall the machine's says little."""
GROUP: Final = "laboratory"


def log_surroundings(context: TaskContext, station: Station) -> None:
    """Read thermometer and humidity sensors once. One that does not answer is a note: no task ends by it."""
    now_ns = context.clock.now_ns()
    folder = context.run_dir / FOLDER
    try:
        celsius = station.thermometer.read()
    except (StationError, UsageError) as error:
        context.note(str(error))
    else:
        header = ["Local time", *(f"Temp Channel {channel}" for channel in celsius), RUN_TIME]
        _append(
            folder / "temperature.csv",
            header,
            [moment(), *(f"{value:.1f}" for value in celsius.values()), f"{now_ns / 1e9:.1f}"],
        )
        for channel, value in celsius.items():
            context.trend(thermometer.ABOUT[channel], value, "C", group=GROUP, at_ns=now_ns)
    try:
        sensors = station.humidity.read_all()
    except (StationError, UsageError) as error:
        context.note(str(error))
        return
    for number, sensor in sensors.items():
        row = [moment(), f"{sensor.celsius:.2f}", f"{sensor.percent:.2f}", f"{now_ns / 1e9:.1f}"]
        _append(folder / f"humidity_{number}.csv", ["Local time", "Temperature", "Humidity", RUN_TIME], row)
        context.trend(
            f"humidity {humidity.ABOUT[number]}",
            sensor.percent,
            "%",
            limits=(0, 100),
            group=GROUP,
            at_ns=now_ns,
        )


def moment() -> str:
    """The machine's time, for people."""
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")


def _append(path: Path, header: Sequence[str], row: Sequence[str]) -> None:
    """Add a whole line, with a header to a new file. A full disk loses the line and no task."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        if os.fstat(file.fileno()).st_size == 0:
            writer.writerow(header)
        writer.writerow(row)
