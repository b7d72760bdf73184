"""The `[fat]` table of a bench file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Table(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


Transmission = Annotated[float, Field(gt=0, le=1)]


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


class RateTable(_Table):
    """`[fat.rate]`: data loss and latency at the nominal rate; plan "detector"."""

    trains: Annotated[int, Field(ge=2)] = 100
    """Ten of them are a second."""
    illumination: str = "dark"


class GainTable(_Table):
    """`[fat.gain]`: flat fields with forced gain stages; plan "detector"."""

    trains: Annotated[int, Field(ge=3)] = 6
    """Of each run."""
    weak: Transmission = 0.0005
    """Of the attenuator, so that a pixel gets about one photon."""
    moderate: Transmission = 0.02
    """So that high gain is well used: some tens of photons."""
    strong: Transmission = 0.4
    """So that medium gain is well used: about a thousand photons."""


class LinearityTable(_Table):
    """`[fat.linearity]`: flat fields of known relative intensities in adaptive gain; plan "detector"."""

    trains: Annotated[int, Field(ge=1)] = 3
    """Of each run."""
    transmissions: Annotated[list[Transmission], Field(min_length=3)] = [
        *(0.0005, 0.002, 0.005, 0.01, 0.02, 0.03, 0.1, 0.3, 0.5, 0.7, 1.0),
    ]


class DcuTable(_Table):
    """`[fat.dcu]`"""

    device: str = "dcu"
    """Name of the control unit's device in the bench file."""
    images: Annotated[int, Field(ge=1)] = 20
    """Of each series."""
    frame_time_s: Annotated[float, Field(gt=0)] = 0.02
    series: Annotated[int, Field(ge=1)] = 3
    """Series in which lost images are counted; plan "detector"."""
    series_images: Annotated[int, Field(ge=1)] = 50
    """Of each of them."""
    photon_energies_ev: list[Annotated[float, Field(gt=0)]] = [8041.0, 12000.0]
    """At which the thresholds are scanned; plan "detector"."""
    thresholds: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=6)] = [
        *(0.5, 0.7, 0.8, 0.86, 0.92, 0.96, 1.0, 1.04, 1.08, 1.14, 1.25),
    ]
    """Of a scan, over the photon energy."""
    count_times_s: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=3)] = [
        *(0.02, 0.001, 0.0004, 0.0002, 0.0001, 0.00006),
    ]
    """By which the count rate is raised; plan "detector"."""
    limits: str = "dcu-detector"
    """Limit set of the control unit; plan "detector"."""
    light: Literal["per_image", "per_second"] = "per_image"
    """Whether an image gets the same light whatever its count time, as in the simulator, or the source is constant."""


class DeggTable(_Table):
    """`[fat.degg]`"""

    schedule: Literal["short", "full", "full_no_hv"] = "short"
    """Which tasks a run of optical modules has."""
    events: Literal["fewer", "published"] = "fewer"
    """How much is measured: *fewer* events, since simulated ones cost computing time, or as many as were published."""


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
    rate: RateTable = RateTable()
    gain: GainTable = GainTable()
    linearity: LinearityTable = LinearityTable()
    degg: DeggTable = DeggTable()
