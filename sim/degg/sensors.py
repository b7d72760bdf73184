"""Environmental sensors of a mainboard: pressure in the vessel, magnetic field, acceleration."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from sim.degg.camera_figures import SensorFigures
from sim.degg.keys import generator
from sim.degg.surroundings import Room
from sim.kernel import SimTime

PRESSURE_UNIT: Final = "hPa"
FIELD_UNIT: Final = "T"
ACCELERATION_UNIT: Final = "m/s^2"
Vector = tuple[float, float, float]


class Sensors:
    """Readings of one module: drawn from (seed, serial number, count of readings).

    The z axis points up; a module stands nearly upright and turned by an angle of its own.
    """

    def __init__(self, seed: int, serial: str, room: Room, figures: SensorFigures) -> None:
        self._key = (seed, serial, "sensors")
        self._room, self._figures = room, figures
        self._readings = 0
        made = generator(*self._key)
        self._pressure = figures.pressure_hpa + figures.pressure_spread_hpa * float(made.standard_normal())
        turned, *tilt = 2 * math.pi * made.uniform(), *made.normal(0.0, math.radians(figures.tilt_deg), 2)
        offset = made.normal(0.0, figures.field_offset_ut, 3)
        earth = figures.field_horizontal_ut
        field = (earth * math.cos(turned), -earth * math.sin(turned), -figures.field_down_ut)
        self._field = np.asarray(field) + offset
        upright = math.sqrt(max(0.0, 1 - math.sin(tilt[0]) ** 2 - math.sin(tilt[1]) ** 2))
        self._up = figures.gravity * np.asarray((math.sin(tilt[0]), math.sin(tilt[1]), upright))

    def pressure(self, now: SimTime) -> float:
        """Pressure of the gas in the vessel, hPa: a fixed amount at the glass's temperature."""
        kelvin = self._room.glass_temperature(now) + 273.15
        return self._pressure * kelvin / 293.15 + self._figures.pressure_noise_hpa * float(self._noise()[0])

    def b_field(self, now: SimTime) -> Vector:  # noqa: ARG002  # the earth does not change
        """Magnetic field x, y, z, tesla."""
        return _vector(1e-6 * (self._field + self._figures.field_noise_ut * self._noise()))

    def acceleration(self, now: SimTime) -> Vector:  # noqa: ARG002  # nor does the module move
        """Acceleration x, y, z, m/s2; upright and at rest it is free fall's, upwards."""
        return _vector(self._up + self._figures.acceleration_noise * self._noise())

    def _noise(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        self._readings += 1
        return generator(*self._key, self._readings).standard_normal(3)


def _vector(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Vector:
    x, y, z = (float(value) for value in values)
    return (x, y, z)
