"""Words of the sensors on the mainboard and of its ICM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sim.degg.console.forth import Call, Word

Vector = tuple[float, float, float]


def _pressure(call: Call) -> float:
    call.wait(call.board.figures.sensor_s)
    return call.board.sensors.pressure(call.now)


def _field(call: Call) -> Vector:
    call.wait(call.board.figures.sensor_s)
    return call.board.sensors.b_field(call.now)


def _acceleration(call: Call) -> Vector:
    call.wait(call.board.figures.sensor_s)
    return call.board.sensors.acceleration(call.now)


def _temperature(sensor: str) -> Callable[[Call], float]:
    def act(call: Call) -> float:
        call.wait(call.board.figures.sensor_s)
        return call.board.sensor_temperature(sensor, call.now)

    return act


def _print_vector(unit: str, scale: float, digits: int) -> Callable[[Call, float, float, float], None]:
    def act(call: Call, x: float, y: float, z: float) -> None:
        inner = ", ".join(f"{scale * value:.{digits}f}" for value in (x, y, z))
        call.say(f"({inner}) {unit}")

    return act


def _print_light(call: Call) -> None:
    call.say(f"{call.board.light_sensor_mv(call.now):.3f}")


def _print_temperature(call: Call) -> None:
    call.say(f"{call.board.temperature(call.now):.3f}")


SENSORS: Final = (
    Word("getPressure", "-- p.", "Reads the pressure sensor, hPa.", _pressure),
    Word("printPressure", "p. --", "Prints a pressure.", lambda call, p: call.say(f"{p:.2f} hPa")),
    Word("getBFieldXYZ", "-- x. y. z.", "Reads the magnetometer, T.", _field),
    Word("printBFieldXYZ", "x. y. z. --", "Prints a field.", _print_vector("T", 1.0, 9)),
    Word("getAccelerationXYZ", "-- x. y. z.", "Reads the accelerometer, m/s2.", _acceleration),
    Word("printAccelerationXYZ", "x. y. z. --", "Prints an acceleration.", _print_vector("m/s2", 1.0, 4)),
    Word(
        "getAccelerationTemperature",
        "-- t.",
        "Temperature of the accelerometer.",
        _temperature("accelerometer"),
    ),
    Word("getBFieldTemperature", "-- t.", "Temperature of the magnetometer.", _temperature("magnetometer")),
    Word(
        "getPressureSensorTemperature",
        "-- t.",
        "Temperature of the pressure sensor.",
        _temperature("pressure"),
    ),
    Word("printSensorsTemperature", "t. --", "Prints a temperature.", lambda call, t: call.say(f"{t:.3f} C")),
    Word("getLightSensor", "--", "Prints the light sensor, mV.", _print_light),
    Word("getTemperature", "--", "Prints the temperature of the board, C.", _print_temperature),
)
