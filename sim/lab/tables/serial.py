"""The small instruments at serial ports and USB in the bench file."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

COUNTS: Final = (6, 12)
"""Positions of a filter wheel, small or large."""
Strength = Annotated[float, Field(ge=0, le=1)]


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class FilterWheelTable(_Table):
    """Options of a filter wheel."""

    strengths: list[Strength] = Field(
        description="what each position lets through: six, or twelve for a large wheel"
    )

    @field_validator("strengths")
    @classmethod
    def _six_or_twelve(cls, value: list[float]) -> list[float]:
        if len(value) not in COUNTS:
            raise ValueError(f"a wheel has 6 or 12 positions, not {len(value)}")
        return value


class ThermometerTable(_Table):
    """Options of the thermometer."""

    unit: Literal["C", "F"] = Field("C", description="what it shows: Celsius or Fahrenheit")
    decimals: int = Field(1, ge=0, le=3, description="digits after the point")
    probes: list[Literal[1, 2, 3, 4]] = Field([1, 2, 3, 4], description="channels with a probe")
    period_s: float = Field(
        0.5, ge=0.05, le=60, description="seconds of wall time between two words of a channel"
    )


class HumidityTable(_Table):
    """Options of the humidity sensors."""

    root: str = Field(
        "usbrh", min_length=1, description="folder of the sensors; below the laboratory's if relative"
    )
    period_s: float = Field(
        1.0, ge=0.05, le=60, description="seconds of wall time from one refresh to the next"
    )


class SerialTable(_Table):
    """Options of the small instruments. The FAT needs the strengths 1, 0.05, 0.25, 0.32 and 1, 0.5, 0.1, 0.01."""

    filter_wheel_0: FilterWheelTable = FilterWheelTable(strengths=[1.0, 0.05, 0.25, 0.32, 1.0, 1.0])
    filter_wheel_1: FilterWheelTable = FilterWheelTable(strengths=[1.0, 0.5, 0.1, 0.01, 1.0, 1.0])
    thermometer: ThermometerTable = ThermometerTable()
    humidity: HumidityTable = HumidityTable()
