"""Two humidity sensors (Strawberry Linux USBRH): a kernel driver shows a folder of text files for each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fat.degg.station.errors import InstrumentSilent

SENSORS: Final = (0, 1)
ABOUT: Final = {0: "in the box", 1: "in the laboratory"}
MAX_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class Humidity:
    """What a sensor says."""

    celsius: float
    percent: float


class HumiditySensors:
    """Sensor 0 hangs in the box, sensor 1 in the laboratory. Methods raise InstrumentSilent."""

    name = "the humidity sensors"

    def __init__(self, root: str) -> None:
        self.root = Path(root)

    def read(self, sensor: int) -> Humidity:
        """Temperature and relative humidity of one sensor."""
        return Humidity(self._number(sensor, "temperature"), self._number(sensor, "humidity"))

    def read_all(self) -> dict[int, Humidity]:
        """Both."""
        return {sensor: self.read(sensor) for sensor in SENSORS}

    def _number(self, sensor: int, what: str) -> float:
        path = self.root / str(sensor) / what
        try:
            with path.open("rb") as file:
                return float(file.read(MAX_BYTES))
        except (OSError, ValueError) as error:
            raise InstrumentSilent(
                f"humidity sensor {sensor}", str(path), f"tells no {what} ({error})"
            ) from None
