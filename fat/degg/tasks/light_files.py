"""The newest file of each photomultiplier's measurement with light, as its analysis takes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fat.degg.results.quantity import Quantity
from fat.degg.station.data_files import DataFile, read
from fat.degg.tasks.recorded import Recorded, with_data
from scheduler import TaskContext


@dataclass(frozen=True, eq=False)
class LightFile:
    """A photomultiplier with its newest file; None: the measurement has not worked, or never was."""

    one: Recorded
    data: DataFile | None

    @property
    def serial(self) -> str:
        """Of the module."""
        return self.one.device.serial

    @property
    def part(self) -> str:
        """`LowerPmt` or `UpperPmt`."""
        return self.one.pmt.part

    @property
    def celsius(self) -> float | None:
        """Air of the box when it was measured."""
        value = None if self.data is None else self.data.attributes.get("temperature_c")
        return float(value) if isinstance(value, int | float) else None

    def quantity(
        self, group: str, name: str, value: float, unit: str, about: str, *, judged: bool = True
    ) -> Quantity:
        """A number of it, judged by the goalpost of its name."""
        goalposts = (name,) if judged else ()
        return Quantity(self.serial, self.part, group, name, value, unit, about, self.celsius, goalposts)

    def note(self, **values: Any) -> None:
        """Results into its entry in the papers."""
        if self.one.key:
            self.one.device.note(self.one.pmt.channel, self.one.key, **values)


def light_files(context: TaskContext, name: str, channels: tuple[int, ...] = (0, 1)) -> Iterator[LightFile]:
    """Newest files of a measurement, by port and channel. Raises DataFileBroken."""
    for one in with_data(context, name):
        if one.pmt.channel in channels:
            files = one.files()
            yield LightFile(one, read(files[-1]) if files else None)
