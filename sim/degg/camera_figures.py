"""Figures of a module's cameras and environmental sensors that may be set in the bench file."""

from __future__ import annotations

from sim.kernel.figures import Figures, figure


class CameraFigures(Figures):
    """Of a camera. Electrons are those of one pixel; counts are of 12 bits."""

    pedestal_min: float = figure(230.0, "Smallest pedestal, drawn for each camera.", unit="counts", ge=0)
    pedestal_max: float = figure(400.0, "Largest pedestal.", unit="counts", ge=0, le=3000)
    counts_per_electron: float = figure(0.1, "Response at gain 0.", unit="counts/electron", gt=0)
    read_noise_counts: float = figure(1.3, "Noise that no gain amplifies, rms.", unit="counts", ge=0)
    read_noise_electrons: float = figure(4.0, "Noise that the gain amplifies, rms.", unit="electrons", ge=0)
    dark_electrons_per_s: float = figure(
        0.3, "Dark current of a good pixel at 20 C.", unit="electrons/s", ge=0
    )
    doubling_c: float = figure(7.0, "Warming that doubles the dark current.", unit="C", gt=0)
    hot_pixels: int = figure(40, "Hot pixels of a camera, on average.", ge=0, le=10_000)
    hot_electrons_per_s: float = figure(
        6000.0, "Median dark current of a hot pixel at 20 C.", unit="electrons/s", ge=0
    )
    led_electrons_per_s: float = figure(
        250_000.0, "Brightest pixel of the picture of a lit LED.", unit="electrons/s", ge=0
    )
    led_sigma_pixels: float = figure(55.0, "Size of that picture.", unit="pixels", gt=1)


class SensorFigures(Figures):
    """Of pressure, magnetic field and acceleration."""

    pressure_hpa: float = figure(500.0, "Pressure in a sealed module at 20 C.", unit="hPa", gt=0)
    pressure_spread_hpa: float = figure(8.0, "Its spread from module to module.", unit="hPa", ge=0)
    pressure_noise_hpa: float = figure(0.05, "Noise of a reading.", unit="hPa", ge=0)
    field_horizontal_ut: float = figure(
        30.0, "Horizontal field of the earth at the laboratory.", unit="uT", ge=0, origin="general knowledge"
    )
    field_down_ut: float = figure(36.0, "Vertical field, downwards.", unit="uT", origin="general knowledge")
    field_offset_ut: float = figure(2.5, "Spread of a module's own field, each axis.", unit="uT", ge=0)
    field_noise_ut: float = figure(0.3, "Noise of a reading.", unit="uT", ge=0)
    gravity: float = figure(
        9.798, "Acceleration of free fall.", unit="m/s2", gt=0, origin="general knowledge"
    )
    tilt_deg: float = figure(1.0, "Spread of a module's tilt, each of two axes.", unit="deg", ge=0, le=10)
    acceleration_noise: float = figure(0.02, "Noise of a reading.", unit="m/s2", ge=0)
