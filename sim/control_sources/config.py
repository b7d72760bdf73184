"""The table of a `control_sources` device in a bench file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class ControlSourcesTable(BaseModel):
    """`[sim.devices.NAME]` with `kind = "control_sources"`: an XGM, a camera, and the detector's control devices."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    mode: Literal["PUB", "REP", "PUSH"] = "PUB"
    """Socket of the bridge."""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    pace: Literal["ticks", "asked"] = "ticks"
    """ticks: a message at every tick of 100 ms from the start on. asked: only for the trains that `POST /start` of its
    control address orders; for benches on a skipping clock, which an endless ticker would keep jumping."""
    first_train_id: Annotated[int, Field(ge=1, lt=1 << 62)] = 1_000_000_000
    """Train id at simulated time zero, as the detector's."""
    xgm: str = "SA1_XTD2_XGM/XGM/DOOCS"
    """Name of the X-ray gas monitor; its output channel is `{xgm}:output`. Empty: none."""
    pulses: Annotated[int, Field(ge=1, le=1000)] = 100
    """Pulses of a train whose intensity is not zero."""
    camera: str = "SPB_EXP_CAM/CAM/1"
    """Name of a camera; its output channel is `{camera}:daqOutput`. Empty: none."""
    camera_pixels: tuple[Annotated[int, Field(ge=1, le=4096)], Annotated[int, Field(ge=1, le=4096)]] = (
        96,
        128,
    )
    """Height and width of the camera's image."""
