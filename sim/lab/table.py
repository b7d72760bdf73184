"""The laboratory's table in the bench file, `[sim.devices.lab]`."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from sim.lab.figures import LabFigures
from sim.lab.tables.freezer import FreezerTable
from sim.lab.tables.modules import ModulesTable, WirePairTable
from sim.lab.tables.scpi import ScpiTable
from sim.lab.tables.serial import SerialTable


class LabTable(BaseModel):
    """Instruments and optical modules of one laboratory."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    modules: ModulesTable = ModulesTable()
    """Optical modules and the tabletop mainboard."""
    wire_pairs: WirePairTable = WirePairTable()
    scpi: ScpiTable = ScpiTable()
    """Function generator, laser supply, GPIB box."""
    serial: SerialTable = SerialTable()
    """Filter wheels, thermometer, humidity sensors."""
    freezer: FreezerTable = FreezerTable()
    nominal_ports: bool = False
    """Listen where the hardware does (1234, 5025, 5000 and on, 6000 and on, 10007) where the table says no port; by
    default on free ports. The function generator gets 5026: the real one has an address of its own."""
    page_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Port of the live page; 0 = a free one."""
    figures: LabFigures = LabFigures()
    """What nobody published; `stellwerk sim doc` lists all of them."""

    @property
    def serial_numbers(self) -> dict[int, str]:
        """Of the optical modules, by nominal port."""
        return {port: self.modules.serial(port) for port in self.modules.ports()}

    def with_nominal_ports(self) -> LabTable:
        """The table with the hardware's ports where none is given, if it asks for them."""
        if not self.nominal_ports:
            return self
        scpi = {"function_generator_port": 5026, "gpib_port": 1234, "power_supply_port": 5025}
        given = {key: port for key, port in scpi.items() if not getattr(self.scpi, key)}
        as_hardware = {"nominal_ports": True}
        return self.model_copy(
            update={
                "scpi": self.scpi.model_copy(update=given),
                "modules": self.modules.model_copy(update=as_hardware),
                "wire_pairs": self.wire_pairs.model_copy(update=as_hardware),
            }
        )
