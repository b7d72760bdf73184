"""The `[fat]` table of a bench file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class DarkTable(_Table):
    """`[fat.dark]`"""

    trains: Annotated[int, Field(ge=2)] = 20
    """Trains of each of the three dark runs."""


class LightTable(_Table):
    """`[fat.light]`"""

    trains: Annotated[int, Field(ge=1)] = 16
    """Trains of the illuminated run."""
    illumination: str = "rings"
    """Pattern that the detector simulator knows."""


class DcuTable(_Table):
    """`[fat.dcu]`"""

    images: Annotated[int, Field(ge=1)] = 20
    frame_time_s: Annotated[float, Field(gt=0)] = 0.02


class DeggTable(_Table):
    """`[fat.degg]`"""

    schedule: Literal["short", "full", "full_no_hv"] = "short"
    """Which tasks a run of optical modules has."""


class FatTable(_Table):
    """`[fat]`"""

    plan: str = "demo"
    """Name of the acceptance plan."""
    limits: str = "agipd-demo"
    """Limit set: a file `limits/NAME.toml` beside the bench files."""
    detector: str = "agipd"
    """Name of the device in the bench file that is under test; `detector.control` is its control address."""
    dark: DarkTable = DarkTable()
    light: LightTable = LightTable()
    dcu: DcuTable = DcuTable()
    degg: DeggTable = DeggTable()
