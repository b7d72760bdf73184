"""The freezer's keys in the bench file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Port = Annotated[int, Field(ge=0, le=65535)]


class FreezerTable(BaseModel):
    """How the freezer is controlled and watched. Ports: 0 is a free one."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    chamber: Literal["thermotron", "julabo", "espec"] = Field(
        "thermotron", description="Protocol of the climate chamber at `chamber`."
    )
    chamber_line: Literal["tcp", "serial"] = Field(
        "tcp", description="A TCP port, or a serial port, whose path is then the address."
    )
    chamber_port: Port = Field(0, description="TCP port of the chamber.")
    chamber_baud: int = Field(
        9600, ge=300, le=115_200, description="Of its serial port, ten bits a byte (8N1, and a Julabo's 7E1)."
    )
    lake_shore: Literal["224", "211", "none"] = Field("224", description="Model of the temperature monitor.")
    lake_shore_port: Port = Field(0, description="TCP port of the temperature monitor.")
    freezer_pins_port: Port = Field(0, description="TCP port of the pins that press the freezer's keys.")
    freezer_camera_port: Port = Field(0, description="HTTP port of the camera in front of the panel.")
    set_point_c: float | None = Field(
        None,
        description="The freezer's set-point when the bench begins, Celsius; by default the start temperature.",
    )
