"""Keysight (before: Agilent, HP) E3631A, one of whose outputs supplies the laser head.

From the table in `reference/peripherals.md`; triggers, memories and strings are general knowledge of the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sim.kernel import FaultBoard, FaultSpec, SimTime
from sim.lab.figures import ScpiFigures
from sim.lab.lines import Readings
from sim.lab.scpi import (
    Boolean,
    Channels,
    Choice,
    Command,
    Dialect,
    Entry,
    Kept,
    Number,
    Quantity,
    Query,
    ScpiError,
    ScpiInstrument,
    Setting,
    Text,
    Value,
)
from sim.lab.scpi.parameters import AMPERES, SECONDS, VOLTS, Asked
from sim.lab.scpi.session import Session
from sim.lab.scpi.status import QueueStyle
from sim.lab.scpi.table import Call
from sim.lab.world import World

SUPPLY_FAULTS: Final = (
    FaultSpec(
        "trip_output",
        "The outputs switch themselves off, and do so again whenever they are switched on; error -300 is noted.",
        "no light and no sync; OUTP? answers 0 and MEAS:VOLT? nothing",
    ),
    FaultSpec(
        "sag_output",
        "All outputs give less than what is set, relative to it.",
        "MEAS:VOLT? differs from VOLT?; outside the laser's window there is no light",
        {"relative": 0.2},
    ),
)
"""Beside those of the line and of readings."""

Level = Literal["volts", "amps"]
LEVELS: Final[tuple[Level, Level]] = ("volts", "amps")
OutputName = Literal["P6V", "P25V", "N25V"]


@dataclass(frozen=True, slots=True)
class Output:
    """What one output can give."""

    low_v: float
    high_v: float
    max_a: float


OUTPUTS: Final[dict[str, Output]] = {
    "P6V": Output(0.0, 6.18, 5.0),
    "P25V": Output(0.0, 25.75, 1.0),
    "N25V": Output(-25.75, 0.0, 1.0),
}
"""In the order of their numbers, from 1."""
NAMES: Final = tuple(OUTPUTS)
_TRACKS: Final = {"P25V": "N25V", "N25V": "P25V"}

_FORM: Final = "{:+.8E}"
_VOLTS: Final = Quantity(VOLTS, _FORM)
_AMPS: Final = Quantity(AMPERES, _FORM)
_OUTPUT: Final = Choice(NAMES)
_MEMORY: Final = Number(1, 3, whole=True)
_CONSTANT_CURRENT: Final = 1


class E3631A(ScpiInstrument):
    """The supply. Its outputs have one common switch; *laser* is the one that the laser head hangs on."""

    def __init__(
        self,
        figures: ScpiFigures,
        world: World,
        faults: FaultBoard,
        laser: OutputName = "P25V",
        volts: float = 0.0,
        on: bool = False,
    ) -> None:
        queue = QueueStyle(20, signed_zero=True, overflow="Too many errors")
        super().__init__(Dialect(figures.supply_identity, queue, version="1995.0"), TABLE)
        self._world, self._faults, self._laser = world, faults, laser
        self._load_ohm = figures.laser_load_ohm
        self._readings = Readings(faults)
        self._triggered: dict[str, float] = {}
        self._waits_for_trigger = False
        self._memories: dict[int, dict[str, Value]] = {}
        self.values |= {f"{laser}_volts": volts, "on": on}
        self.changed(SimTime(0))

    @property
    def selected(self) -> str:
        """The output that commands are about."""
        return str(self.values["selected"])

    def checked(self, wanted: dict[str, Value], changed: dict[str, Value]) -> dict[str, Value]:
        """While tracking, both 25 V outputs are set alike."""
        if wanted["tracking"]:
            leader = "N25V" if "N25V_volts" in changed else "P25V"
            wanted[f"{_TRACKS[leader]}_volts"] = -float(wanted[f"{leader}_volts"])
        return wanted

    def changed(self, now: SimTime) -> None:
        """The laser head sees it."""
        if self.values["on"] and self._faults.strike("trip_output") is not None:
            self.values["on"] = False
            self.status.note(-300)
        self._world.light.set_supply(now, abs(self.true_volts(self._laser)), bool(self.values["on"]))

    def struck(self, now: SimTime) -> None:
        """A fault was switched."""
        self.changed(now)

    def reset(self, now: SimTime) -> None:
        """Also forgets levels that wait for a trigger."""
        self._triggered, self._waits_for_trigger = {}, False
        super().reset(now)

    def true_volts(self, output: str) -> float:
        """What an output really gives, less than what is set while its current is limited."""
        if not self.values["on"]:
            return 0.0
        sag = self._faults.strike("sag_output")
        volts = float(self.values[f"{output}_volts"])
        if sag is not None:
            volts *= 1.0 - float(sag.parameters["relative"])
        if output != self._laser:
            return volts
        most = float(self.values[f"{output}_amps"]) * self._load_ohm
        return max(-most, min(most, volts))

    def true_amps(self, output: str) -> float:
        """What flows; nothing hangs on outputs other than the laser's."""
        return abs(self.true_volts(output)) / self._load_ohm if output == self._laser else 0.0

    def measured(self, output: str, what: Level, now: SimTime) -> float:
        """What the meters show."""
        true = self.true_volts(output) if what == "volts" else self.true_amps(output)
        return self._readings.shown(f"{output}_{what}", true, now)

    def questionable(self, now: SimTime) -> int:  # noqa: ARG002
        """Bit 0 while the current of the laser's output is limited."""
        wanted = abs(float(self.values[f"{self._laser}_volts"]))
        limited = self.values["on"] and float(self.values[f"{self._laser}_amps"]) * self._load_ohm < wanted
        return _CONSTANT_CURRENT if limited else 0

    def set_level(self, call: Call, output: str, asked: Asked, what: Level) -> None:
        """One level of one output, at once."""
        self.change(call.now, **{f"{output}_{what}": self._level(output, asked, what)})

    def _level(self, output: str, asked: Asked, what: Level) -> float:
        low, high = limits(output, what)
        return asked.within(low, high, float(self.default(f"{output}_{what}")))

    def set_triggered(self, call: Call, what: Level) -> None:
        """A level of the selected output that waits for a trigger."""
        self._triggered[f"{self.selected}_{what}"] = self._level(self.selected, call.values[0], what)

    def shown_triggered(self, what: Level) -> float:
        """The level that waits, or the present one."""
        key = f"{self.selected}_{what}"
        return self._triggered.get(key, float(self.values[key]))

    def initiate(self, now: SimTime) -> None:
        """Wait for a trigger, or take the levels at once."""
        self._waits_for_trigger = True
        if self.values["trigger_source"] == "IMM":
            self.triggered(now)

    def triggered(self, now: SimTime) -> None:
        """Take the levels that wait. Raises ScpiError if nothing waits for a trigger."""
        if not self._waits_for_trigger:
            raise ScpiError(-211)
        levels, self._triggered, self._waits_for_trigger = self._triggered, {}, False
        self.change(now, **levels)

    def save(self, call: Call) -> None:
        """`*SAV n`."""
        self._memories[call.values[0]] = dict(self.values)

    def recall(self, call: Call) -> None:
        """`*RCL n`; an empty memory holds the state after reset, and the switch is not remembered."""
        memory = self._memories.get(call.values[0], {name: self.default(name) for name in self.values})
        self.values = {**memory, "on": self.values["on"]}
        self.changed(call.now)


def limits(output: str, what: Level) -> tuple[float, float]:
    """Of one output."""
    known = OUTPUTS[output]
    return (known.low_v, known.high_v) if what == "volts" else (0.0, known.max_a)


class OverSerial:
    """The supply at its serial port, where answers end with CR LF."""

    def __init__(self, supply: ScpiInstrument) -> None:
        self._supply = supply

    def connect(self) -> Session:
        """A new connection."""
        return self._supply.connect(b"\r\n")


def _nothing(call: Call) -> None:
    """Front panel and beeper are not simulated."""


def _switch(call: Call) -> None:
    call.instrument.change(call.now, on=call.values[0])


def _level(what: Level, kind: Quantity, header: str) -> tuple[Entry, ...]:
    def set_level(call: Call) -> None:
        call.instrument.set_level(call, call.instrument.selected, call.values[0], what)

    def shown(call: Call) -> str:
        supply, asked = call.instrument, call.value(0)
        key = f"{supply.selected}_{what}"
        return kind.shown(
            supply.values[key] if asked is None else asked.within(*limits(supply.selected, what))
        )

    immediate, triggered = (
        f"{header}[:LEVel][:IMMediate][:AMPLitude]",
        f"{header}[:LEVel]:TRIGgered[:AMPLitude]",
    )
    return (
        Command(immediate, set_level, (kind,)),
        Query(immediate, shown, (kind,), optional=1),
        Command(triggered, lambda call: call.instrument.set_triggered(call, what), (kind,)),
        Query(triggered, lambda call: kind.shown(call.instrument.shown_triggered(what))),
    )


def _measure(what: Level, header: str) -> Query:
    def measured(call: Call) -> str:
        output = call.value(0, call.instrument.selected)
        return _VOLTS.shown(call.instrument.measured(output, what, call.now))

    return Query(f"MEASure[:SCALar]:{header}[:DC]", measured, (_OUTPUT,), optional=1)


def _apply(call: Call) -> None:
    supply, output = call.instrument, call.values[0]
    levels = {
        f"{output}_{what}": asked.within(*limits(output, what), float(supply.default(f"{output}_{what}")))
        for what, asked in zip(LEVELS, call.values[1:], strict=False)
    }
    supply.change(call.now, selected=output, **levels)


def _applied(call: Call) -> str:
    supply = call.instrument
    output = call.value(0, supply.selected)
    return f'"{supply.values[f"{output}_volts"]:.6f},{supply.values[f"{output}_amps"]:.6f}"'


def _select(call: Call) -> None:
    call.instrument.change(call.now, selected=NAMES[call.values[0] - 1])


TABLE: Final[tuple[Entry, ...]] = (
    *(Kept(f"{name}_volts", 0.0) for name in NAMES),
    *(Kept(f"{name}_amps", OUTPUTS[name].max_a) for name in NAMES),
    Setting("INSTrument[:SELect]", "selected", _OUTPUT, "P6V"),
    Command("INSTrument:NSELect", _select, (Number(1, 3, whole=True),)),
    Query("INSTrument:NSELect", lambda call: str(1 + NAMES.index(call.instrument.selected))),
    *_level("volts", _VOLTS, "[SOURce:]VOLTage"),
    *_level("amps", _AMPS, "[SOURce:]CURRent"),
    _measure("volts", "VOLTage"),
    _measure("amps", "CURRent"),
    Command("APPLy", _apply, (_OUTPUT, _VOLTS, _AMPS), optional=2),
    Query("APPLy", _applied, (_OUTPUT,), optional=1),
    Kept("on", False),
    Command("OUTPut[:STATe]", _switch, (Boolean(), Channels(len(NAMES))), optional=1),
    Query(
        "OUTPut[:STATe]",
        lambda call: str(int(call.instrument.values["on"])),
        (Channels(len(NAMES)),),
        optional=1,
    ),
    Setting("OUTPut:TRACk[:STATe]", "tracking", Boolean(), False),
    Setting("TRIGger[:SEQuence]:SOURce", "trigger_source", Choice(("BUS", "IMMediate")), "BUS"),
    Setting("TRIGger[:SEQuence]:DELay", "trigger_delay", Number(0, 3600, 0, SECONDS, _FORM), 0.0),
    Command("INITiate[:IMMediate]", lambda call: call.instrument.initiate(call.now)),
    Command("*SAV", lambda call: call.instrument.save(call), (_MEMORY,)),
    Command("*RCL", lambda call: call.instrument.recall(call), (_MEMORY,)),
    Setting("DISPlay[:WINDow][:STATe]", "display", Boolean(), True),
    Setting("DISPlay[:WINDow]:TEXT[:DATA]", "display_text", Text(40), ""),
    Command("DISPlay[:WINDow]:TEXT:CLEar", lambda call: call.instrument.change(call.now, display_text="")),
    Command("SYSTem:BEEPer[:IMMediate]", _nothing),
    Command("SYSTem:REMote", _nothing),
    Command("SYSTem:LOCal", _nothing),
    Command("SYSTem:RWLock", _nothing),
)
"""Defaults are those after `*RST`: all outputs 0 V and off, full current, P6V selected."""
