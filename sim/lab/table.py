"""The laboratory's table in the bench file, `[sim.devices.lab]`."""

from __future__ import annotations

from typing import Annotated, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.lab.figures import LabFigures
from sim.lab.freezer import FreezerTable
from sim.lab.instruments.scpi_parts import ScpiTable
from sim.lab.modules import ModulesTable
from sim.lab.wire_pairs import WirePairTable

T = TypeVar("T", bound=BaseModel)


class LabTable(BaseModel):
    """Instruments and optical modules of one laboratory."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    modules: ModulesTable = ModulesTable()
    """Optical modules and the tabletop mainboard."""
    wire_pairs: WirePairTable = WirePairTable()
    scpi: ScpiTable = ScpiTable()
    """Function generator, laser supply, GPIB box."""
    freezer: FreezerTable = FreezerTable()
    nominal_ports: bool = False
    """Listen where the hardware does (1234, 5025, 5000 and on, 6000 and on, 10007), unless a port is given; by default
    on free ports."""
    page_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port of the live page; 0 = a free one."""
    figures: LabFigures = LabFigures()
    """What nobody published; `stellwerk sim doc` lists all of them."""

    @model_validator(mode="after")
    def _serials_fit(self) -> Self:
        numbers = list(self.serial_numbers.values())
        twice = sorted({number for number in numbers if numbers.count(number) > 1})
        if twice:
            raise ValueError(f"modules.serials: {twice[0]} stands for two modules")
        return self

    @property
    def serial_numbers(self) -> dict[int, str]:
        """Of the optical modules, by nominal port."""
        return {port: self.modules.serial(port) for port in self.modules.ports()}

    def with_nominal_ports(self) -> LabTable:
        """The table with the hardware's ports where none is given, if it asks for them."""
        if not self.nominal_ports:
            return self
        scpi = {"function_generator_port": 5026, "gpib_port": 1234, "power_supply_port": 5025}
        modules = {"first_port": 5000, "tabletop_port": 10007}
        return self.model_copy(
            update={
                "scpi": _filled(self.scpi, scpi),
                "modules": _filled(self.modules, modules),
                "wire_pairs": self.wire_pairs.model_copy(update={"nominal_ports": True}),
            }
        )


def _filled(table: T, ports: dict[str, int]) -> T:
    return table.model_copy(update={key: port for key, port in ports.items() if not getattr(table, key)})
