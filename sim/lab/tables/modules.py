"""Optical modules, the tabletop mainboard and the wire pairs' command ports in the bench file."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

FIRST_PORT: Final = 5000
MAX_MODULES: Final = 16
TABLETOP_PORT: Final = 10007
TABLETOP_SERIAL: Final = "Tabletop-10007"

Serial = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")]


class ModulesTable(BaseModel):
    """`[sim.devices.NAME.modules]`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    count: int = Field(
        MAX_MODULES, ge=0, le=MAX_MODULES, description="Optical modules, at ports 5000 and on."
    )
    serials: dict[Annotated[str, Field(pattern=r"^50(0[0-9]|1[0-5])$")], Serial] = Field(
        default_factory=dict,
        description="Serial numbers by nominal port; by default DEgg2021-3-100 at 5000 and so on.",
    )
    tabletop: bool = Field(True, description="Whether there is a tabletop mainboard, degg.10007.")
    nominal_ports: bool = Field(
        False, description="Listen at 5000 and on, and at 10007, rather than at free ports."
    )

    @model_validator(mode="after")
    def _one_module_each(self) -> ModulesTable:
        for port in self.serials:
            if int(port) not in self.ports():
                raise ValueError(f"there is no module at port {port}: count is {self.count}")
        serials = [self.serial(port) for port in self.ports()]
        if (twice := next((serial for serial in serials if serials.count(serial) > 1), None)) is not None:
            raise ValueError(f"two modules bear the serial number {twice}")
        return self

    def ports(self) -> list[int]:
        """Nominal ports of the optical modules."""
        return list(range(FIRST_PORT, FIRST_PORT + self.count))

    def all_ports(self) -> list[int]:
        """Of the tabletop mainboard as well: what the world gives power."""
        return [*self.ports(), *([TABLETOP_PORT] if self.tabletop else [])]

    def serial(self, port: int) -> str:
        """Serial number of the module at a nominal port."""
        if port == TABLETOP_PORT:
            return TABLETOP_SERIAL
        return self.serials.get(str(port), f"DEgg2021-3-{100 + port - FIRST_PORT}")


class WirePairTable(BaseModel):
    """Options of the command ports."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    nominal_ports: bool = False
    """Listen at the ports that the laboratory's own scripts know, 6000, 6004, …, rather than at free ones."""
