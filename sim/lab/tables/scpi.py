"""Function generator, laser supply and GPIB box in the bench file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from sim.lab.instruments.supply_ratings import OutputName, limits

Port = Annotated[int, Field(ge=0, le=65535)]
Address = Annotated[int, Field(ge=0, le=30)]


class ScpiTable(BaseModel):
    """Options of generator, supply and GPIB box. Ports are 5025, 5025 and 1234 on the real ones."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    function_generator: Literal["AFG3101C", "33220A"] = "AFG3101C"
    """Model, and with it the dialect."""
    function_generator_port: Port = 0
    function_generator_address: Address = 10
    """On the GPIB bus."""
    gpib_port: Port = 0
    power_supply_port: Port = 0
    power_supply_address: Address = 5
    power_supply_baud: Annotated[int, Field(ge=300, le=115200)] = 9600
    """Of its serial port."""
    laser_output: OutputName = "P25V"
    """Output of the supply that the laser head hangs on."""
    laser_volts: Annotated[float, Field(ge=-25.75, le=25.75)] = 0.0
    """What somebody has set that output to by hand when the bench begins."""
    laser_on: bool = False
    """Whether somebody has switched the supply's outputs on by then."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        low, high = limits(self.laser_output, "volts")
        if not low <= self.laser_volts <= high:
            raise ValueError(f"laser_volts: {self.laser_output} gives {low} to {high} V")
        if self.function_generator_address == self.power_supply_address:
            raise ValueError("function_generator_address and power_supply_address must differ")
        return self
