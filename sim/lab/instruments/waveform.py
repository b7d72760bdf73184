"""What function generators have in common: how settings become the pulses that the laser head is triggered with."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from sim.kernel import FaultBoard, FaultSpec, SimTime
from sim.lab.scpi import Call, Dialect, Entry, ScpiError, ScpiInstrument, Value
from sim.lab.scpi.parameters import Asked
from sim.lab.world import Generator, World

GENERATOR_FAULTS: Final = (
    FaultSpec(
        "trip_output",
        "The output switches itself off, and does so again whenever it is switched on; error -300 is noted.",
        "no light and no sync; the output is read back as off",
    ),
    FaultSpec(
        "shift_frequency",
        "Pulses come at another rate than the one that is set and read back, relative to it.",
        "the frequency of the laser, measured with the tabletop mainboard (check-laser-freq)",
        {"relative": 0.05},
    ),
)
"""Beside those of the line."""

OUTPUT_OHM: Final = 50.0
"""Output impedance of the generator, and the laser head's trigger input."""
NEVER_HZ: Final = 1e-6
"""Bursts that somebody has to trigger come once: the next is eleven days away."""
NOT_PERIODIC: Final = frozenset({"DC", "PRN", "NOIS"})

_VRMS_TO_VPP: Final = {"SIN": 2 * math.sqrt(2), "RAMP": 2 * math.sqrt(3)}
"""Other shapes are taken as square waves, for which it is 2."""


class FunctionGenerator(ScpiInstrument):
    """One output that triggers the laser.

    Values that a table has to give: `output`, `frequency` (Hz), `shape`, `unit`, `vpp` and `offset` (V, as shown for
    `load`), `load` (ohm, inf), `burst`, `cycles`, `burst_mode`, `trigger_source`, `burst_period` (s), `hold`, `duty`
    (per cent), `width` (s).
    """

    vpp_limits = (0.02, 10.0)
    """Smallest and largest amplitude at 50 ohm."""
    triggers_itself = "TIM"
    """The trigger source with which bursts come by themselves."""
    commanded: frozenset[str] = frozenset()
    """The trigger sources with which `*TRG` is a trigger; with others it is an error."""

    def __init__(self, dialect: Dialect, table: Iterable[Entry], world: World, faults: FaultBoard) -> None:
        super().__init__(dialect, table)
        self._world, self._faults = world, faults

    def checked(self, wanted: dict[str, Value], changed: dict[str, Value]) -> dict[str, Value]:
        """Couplings of load and voltages, and of pulse width and duty cycle."""
        loaded(wanted, self.values)
        pulse_coupled(wanted, changed)
        return wanted

    def changed(self, now: SimTime) -> None:
        """The laser head sees it."""
        if self.values["output"] and self._faults.strike("trip_output") is not None:
            self.values["output"] = False
            self.status.note(-300)
        self._world.light.set_generator(now, self._generator())

    def struck(self, now: SimTime) -> None:
        """A fault was switched."""
        self.changed(now)

    def triggered(self, now: SimTime) -> None:
        """One burst, if bursts wait for triggers. Raises ScpiError if none does."""
        values = self.values
        source = values["trigger_source"]
        if not values["burst"] or source not in self.commanded or values["burst_mode"] == "GAT":
            raise ScpiError(-211)
        burst = self._generator()
        if source != self.triggers_itself and self._makes_pulses():
            rate = burst.frequency_hz if math.isinf(float(values["cycles"])) else NEVER_HZ
            self._world.light.set_generator(now, burst)
            self._world.light.set_generator(now, replace(burst, on=True, frequency_hz=rate))

    def _generator(self) -> Generator:
        values = self.values
        frequency = float(values["frequency"]) * self._shift()
        on = self._makes_pulses()
        vpp = float(values["vpp"]) * shown_at(OUTPUT_OHM) / shown_at(float(values["load"]))
        if not values["burst"]:
            return Generator(on, frequency, vpp)
        cycles, source = float(values["cycles"]), values["trigger_source"]
        if values["burst_mode"] == "GAT" or source != self.triggers_itself:
            # Nothing is plugged into gate and trigger input.
            return Generator(False, frequency, vpp, 1 if math.isinf(cycles) else int(cycles), 1e9 / frequency)
        if math.isinf(cycles):
            return Generator(on, frequency, vpp)
        return Generator(on, 1.0 / float(values["burst_period"]), vpp, int(cycles), 1e9 / frequency)

    def _makes_pulses(self) -> bool:
        return bool(self.values["output"]) and self.values["shape"] not in NOT_PERIODIC

    def _shift(self) -> float:
        fault = self._faults.strike("shift_frequency")
        return 1.0 if fault is None else max(1e-3, 1.0 + float(fault.parameters["relative"]))


def shown_at(load_ohm: float) -> float:
    """The part of the generator's own voltage that falls on a load."""
    return 1.0 if math.isinf(load_ohm) else load_ohm / (load_ohm + OUTPUT_OHM)


def to_vpp(asked: Asked, unit: str, shape: str, load_ohm: float) -> float:
    """An amplitude in volts peak to peak, from the unit sent with it or else from the one that is set."""
    assert asked.value is not None
    sent = asked.unit.removeprefix("M")
    unit = unit if sent in ("", "V") else sent
    if unit == "VRMS":
        return asked.value * _VRMS_TO_VPP.get(shape, 2.0)
    if unit == "DBM":
        watts = 1e-3 * 10 ** (min(asked.value, 1000.0) / 10)
        return math.sqrt(watts * power_ohm(load_ohm)) * _VRMS_TO_VPP.get(shape, 2.0)
    return asked.value


def from_vpp(vpp: float, unit: str, shape: str, load_ohm: float) -> float:
    """An amplitude in the unit that is set."""
    rms = vpp / _VRMS_TO_VPP.get(shape, 2.0)
    if unit == "VRMS":
        return rms
    if unit == "DBM":
        return 10 * math.log10(max(rms * rms / power_ohm(load_ohm), 1e-30) / 1e-3)
    return vpp


def power_ohm(load_ohm: float) -> float:
    """The resistance that dBm refer to."""
    return OUTPUT_OHM if math.isinf(load_ohm) else load_ohm


AMPLITUDES: Final = {"VPP": 1.0, "MVPP": 1e-3, "VRMS": 1.0, "MVRMS": 1e-3, "DBM": 1.0, "V": 1.0, "MV": 1e-3}
"""Units of amplitudes. V and mV are in the unit that is set."""


def loaded(wanted: dict[str, Value], before: dict[str, Value]) -> None:
    """Another load leaves the output as it is and shows other voltages for it."""
    ratio = shown_at(float(wanted["load"])) / shown_at(float(before["load"]))
    if ratio != 1.0:
        wanted["vpp"] = float(wanted["vpp"]) * ratio
        wanted["offset"] = float(wanted["offset"]) * ratio


def set_amplitude(call: Call) -> None:
    """`VOLTage`: within `VPP_LIMITS` at the load that is set, in whatever unit."""
    values = call.instrument.values
    low, high = amplitude_limits(call)
    asked: Asked = call.values[0]
    if asked.value is not None:
        vpp = to_vpp(asked, values["unit"], values["shape"], values["load"])
        asked = Asked(vpp)
    call.instrument.change(call.now, vpp=asked.within(low, high, call.instrument.default("vpp")))


def amplitude_limits(call: Call) -> tuple[float, float]:
    """Smallest and largest amplitude at the load that is set, volts peak to peak."""
    scale = 2 * shown_at(call.instrument.values["load"])
    low, high = call.instrument.vpp_limits
    return low * scale, high * scale


def shown_amplitude(call: Call) -> float:
    """`VOLTage?` in the unit that is set; with MIN or MAX its limits."""
    values = call.instrument.values
    low, high = amplitude_limits(call)
    asked: Asked | None = call.value(0)
    vpp = values["vpp"] if asked is None else asked.within(low, high)
    return from_vpp(vpp, values["unit"], values["shape"], values["load"])


def set_level(call: Call, *, high: bool) -> None:
    """`VOLTage:HIGH` or `:LOW`; the other one stays. Raises ScpiError."""
    values = call.instrument.values
    half = values["vpp"] / 2
    limit = 10 * shown_at(values["load"])
    level = call.values[0].within(-limit, limit)
    other = values["offset"] - half if high else values["offset"] + half
    vpp = level - other if high else other - level
    low, most = amplitude_limits(call)
    if vpp > most * (1 + 1e-9):
        raise ScpiError(-222)
    if vpp < low * (1 - 1e-9):
        raise ScpiError(-221)
    call.instrument.change(call.now, vpp=vpp, offset=(level + other) / 2)


def shown_level(call: Call, *, high: bool) -> float:
    """`VOLTage:HIGH?` or `:LOW?`."""
    half = call.instrument.values["vpp"] / 2
    return float(call.instrument.values["offset"] + (half if high else -half))


def set_offset(call: Call) -> None:
    """`VOLTage:OFFSet`, at most half of the largest amplitude."""
    limit = 10 * shown_at(call.instrument.values["load"])
    call.instrument.change(call.now, offset=call.values[0].within(-limit, limit, 0.0))


def pulse_coupled(wanted: dict[str, Value], changed: Mapping[str, Value]) -> None:
    """Width and duty cycle of pulses follow each other; at another frequency the one in `hold` stays, if it can."""
    frequency = float(wanted["frequency"])
    if "width" in changed:
        wanted["duty"] = float(wanted["width"]) * frequency * 100
        if float(wanted["duty"]) >= 100:
            raise ScpiError(-221)
    elif "duty" in changed or wanted["hold"] == "DCYC":
        wanted["width"] = float(wanted["duty"]) / 100 / frequency
    else:
        wanted["duty"] = min(99.999, float(wanted["width"]) * frequency * 100)
        wanted["width"] = float(wanted["duty"]) / 100 / frequency
