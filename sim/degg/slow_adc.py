"""The slow ADC: currents, rails, light, temperature and high voltage as the board itself measures them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sim.degg.keys import normals

if TYPE_CHECKING:
    from sim.degg.module import Module
    from sim.kernel import SimTime

REFERENCE_C: Final = 20.0


@dataclass(frozen=True, slots=True)
class Loads:
    """What draws current at the moment."""

    board_c: float
    acquiring: int
    """Armed channels."""
    hv_enabled: int
    """Channels with high voltage."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One channel of the slow ADC."""

    unit: str
    noise: float
    """Standard deviation, in that unit."""
    value: Callable[[Module, SimTime], float]


def current(rail: str) -> Callable[[Module, SimTime], float]:
    """Current of a rail, mA: its own, a little more when the board is warm, and what its loads draw."""

    def value(module: Module, now: SimTime) -> float:
        figures, loads = module.figures, module.loads(now)
        nominal = float(getattr(figures, f"current_{rail}_ma"))
        own = nominal * (1.0 + figures.spread * module.trait(f"current {rail}"))
        own *= 1.0 + figures.current_per_c * (loads.board_c - REFERENCE_C)
        if rail == "1v1":
            own += figures.acquiring_ma * loads.acquiring
        if rail == "3v3":
            own += figures.hv_ma * loads.hv_enabled
        return own

    return value


def voltage(volts: float) -> Callable[[Module, SimTime], float]:
    """A rail, V."""

    def value(module: Module, now: SimTime) -> float:  # noqa: ARG001  # rails do not change
        return volts * (1.0 + module.figures.rail_spread * module.trait(f"rail {volts}"))

    return value


def high_voltage(channel: int) -> Callable[[Module, SimTime], float]:
    """Read-back of the high voltage, V; its noise is its own."""
    return lambda module, now: module.supplies[channel].read_volts(now)


def high_voltage_current(channel: int) -> Callable[[Module, SimTime], float]:
    """Current of the high voltage, uA."""
    return lambda module, now: module.supplies[channel].read_current_ua(now)


SLOW_ADC: Final[tuple[Measured, ...]] = (
    Measured("mA", 1.0, current("1v1")),
    Measured("mA", 1.0, current("1v35")),
    Measured("mA", 1.0, current("1v8")),
    Measured("mA", 1.0, current("2v5")),
    Measured("mA", 1.0, current("3v3")),
    Measured("V", 0.001, voltage(1.8)),
    Measured("mV", 0.5, lambda module, now: module.light_sensor_mv(now)),
    Measured("C", 0.0, lambda module, now: module.temperature(now)),
    Measured("V", 0.0, high_voltage(0)),
    Measured("uA", 0.0, high_voltage_current(0)),
    Measured("V", 0.0, high_voltage(1)),
    Measured("uA", 0.0, high_voltage_current(1)),
    Measured("V", 0.001, voltage(1.1)),
    Measured("V", 0.001, voltage(1.35)),
    Measured("V", 0.001, voltage(2.5)),
    Measured("V", 0.001, voltage(3.3)),
)
"""Channels 0..15, in the order of the reference (slow-ADC channels)."""


def reading(module: Module, number: int, now: SimTime) -> str:
    """A channel as the console prints it: the fourth word is the value."""
    channel = SLOW_ADC[number]
    value = channel.value(module, now)
    if channel.noise:
        value += (
            channel.noise * normals(1, module.seed, module.serial, "slow adc", module.count("slow adc"))[0]
        )
    return f"Channel {number} : {value:.3f} {channel.unit}"
