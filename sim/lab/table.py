"""The laboratory's table in the bench file, `[sim.devices.lab]`."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.lab.figures import LabFigures
from sim.lab.freezer import FreezerTable

FIRST_PORT: Final = 5000
MOST_MODULES: Final = 16
TABLETOP_PORT: Final = 10007
TABLETOP_COMMAND_PORT: Final = 11000
"""Older layout of the laboratory (fat.md, section 1)."""
FIRST_SERIAL: Final = 100

Port = Annotated[int, Field(ge=0, le=65535)]
Serial = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=40)]


class LabTable(BaseModel):
    """Instruments and optical modules of one laboratory."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    host: str = "127.0.0.1"
    """Where TCP ports are bound. The protocols are as open as on the hardware: anything but loopback shows them to a
    network."""
    modules: Annotated[int, Field(ge=0, le=MOST_MODULES)] = MOST_MODULES
    """How many optical modules, at the nominal ports 5000, 5001, …; four share a wire pair."""
    serials: dict[str, Serial] = {}
    """Serial numbers by nominal port, `{ 5003 = "DEgg2021-3-133" }`; others are DEgg2021-3-100 and on. A module is
    made from its serial number: the same number is the same module."""
    tabletop: bool = True
    """Whether there is the tabletop mainboard that digitises the laser's sync (10007, with ICM 11000)."""
    nominal_ports: bool = False
    """Listen on the ports that the hardware has (1234, 5000…5015, 5025, 6000…6012, …) instead of free ones."""
    page_port: Port = 0
    """Port of the live page; 0 = a free one."""
    freezer: FreezerTable = FreezerTable()
    figures: LabFigures = LabFigures()
    """What nobody published; `stellwerk sim doc` lists all of them."""

    @model_validator(mode="after")
    def _serials_fit(self) -> Self:
        ports = {str(port) for port in self.ports}
        for port in self.serials:
            if port not in ports:
                first, last = min(ports, default="none"), max(ports, default="none")
                raise ValueError(f"serials: there is no module at port {port!r}; there are {first} to {last}")
        numbers = list(self.serial_numbers.values())
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        if twice:
            raise ValueError(f"serials: {twice[0]} stands for two modules")
        return self

    @property
    def ports(self) -> range:
        """Nominal ports of the modules."""
        return range(FIRST_PORT, FIRST_PORT + self.modules)

    @property
    def serial_numbers(self) -> dict[int, str]:
        """By nominal port."""
        return {
            port: self.serials.get(str(port), f"DEgg2021-3-{FIRST_SERIAL + port - FIRST_PORT}")
            for port in self.ports
        }
