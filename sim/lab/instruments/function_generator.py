"""Tektronix AFG3101C: the table of `reference/peripherals.md`, and general knowledge of the series beyond that."""

from __future__ import annotations

from functools import partial
from typing import Final

from sim.kernel import FaultBoard
from sim.lab.figures import ScpiFigures
from sim.lab.instruments.waveform import (
    AMPLITUDES,
    FunctionGenerator,
    set_amplitude,
    set_level,
    set_offset,
    shown_amplitude,
    shown_level,
)
from sim.lab.scpi import (
    Block,
    Boolean,
    Choice,
    Command,
    Dialect,
    Entry,
    Kept,
    Number,
    Quantity,
    Query,
    ScpiError,
    Setting,
)
from sim.lab.scpi.parameters import DEGREES, HERTZ, OHMS, PER_CENT, SECONDS, VOLTS
from sim.lab.scpi.status import QueueStyle
from sim.lab.scpi.table import Call
from sim.lab.world import World

_POINT_BYTES: Final = 2
_AMPLITUDE: Final = Quantity(AMPLITUDES)
_LEVEL: Final = Quantity(VOLTS)
_VOLTAGE: Final = "[SOURce#:]VOLTage[:LEVel][:IMMediate]"
_SHAPES: Final = (
    *("SINusoid", "SQUare", "PULSe", "RAMP", "PRNoise", "DC", "SINC", "GAUSsian"),
    *("LORentz", "ERISe", "EDECay", "HAVersine", "EMEMory"),
)


def _number(value: float) -> str:
    return _LEVEL.shown(value)


def _beep(call: Call) -> None:
    """Nobody hears it."""


def _store(call: Call) -> None:
    points = call.values[1]
    if len(points) < 2 * _POINT_BYTES or len(points) % _POINT_BYTES:
        raise ScpiError(-161)
    call.instrument.change(call.now, memory=points)


TABLE: Final[tuple[Entry, ...]] = (
    Setting("OUTPut#[:STATe]", "output", Boolean(), False),
    Setting("OUTPut#:IMPedance", "load", Number(1, 1e4, 50, OHMS, whole=True, infinite=True), 50),
    Setting("OUTPut#:POLarity", "polarity", Choice(("NORMal", "INVerted")), "NORM"),
    Setting("[SOURce#:]FREQuency[:CW|:FIXed]", "frequency", Number(1e-6, 150e6, 1e6, HERTZ), 1e6),
    Setting("[SOURce#:]FUNCtion[:SHAPe]", "shape", Choice(_SHAPES), "SIN"),
    Setting("[SOURce#:]PHASe[:ADJust]", "phase", Number(-180, 180, 0, DEGREES), 0.0),
    Setting("[SOURce#:]VOLTage:UNIT", "unit", Choice(("VPP", "VRMS", "DBM")), "VPP"),
    Kept("vpp", 1.0),
    Kept("offset", 0.0),
    Kept("memory", ""),
    Command(f"{_VOLTAGE}[:AMPLitude]", set_amplitude, (_AMPLITUDE,)),
    Query(f"{_VOLTAGE}[:AMPLitude]", lambda call: _number(shown_amplitude(call)), (_AMPLITUDE,), 1),
    Command(f"{_VOLTAGE}:OFFSet", set_offset, (_LEVEL,)),
    Query(f"{_VOLTAGE}:OFFSet", lambda call: _number(call.instrument.values["offset"])),
    Command(f"{_VOLTAGE}:HIGH", partial(set_level, high=True), (_LEVEL,)),
    Query(f"{_VOLTAGE}:HIGH", lambda call: _number(shown_level(call, high=True))),
    Command(f"{_VOLTAGE}:LOW", partial(set_level, high=False), (_LEVEL,)),
    Query(f"{_VOLTAGE}:LOW", lambda call: _number(shown_level(call, high=False))),
    Setting("[SOURce#:]BURSt[:STATe]", "burst", Boolean(), False),
    Setting("[SOURce#:]BURSt:MODE", "burst_mode", Choice(("TRIGgered", "GATed")), "TRIG"),
    Setting("[SOURce#:]BURSt:NCYCles", "cycles", Number(1, 1e6, 5, whole=True, infinite=True), 5),
    Setting("[SOURce#:]BURSt:TDELay", "burst_delay", Number(0, 85, 0, SECONDS), 0.0),
    Setting("[SOURce#:]PULSe:DCYCle", "duty", Number(0.001, 99.999, 50, PER_CENT), 50.0),
    Setting("[SOURce#:]PULSe:WIDTh", "width", Number(5e-9, 1e6, 5e-7, SECONDS), 5e-7),
    Setting("[SOURce#:]PULSe:HOLD", "hold", Choice(("WIDTh", "DCYCle")), "DCYC"),
    Setting("TRIGger[:SEQuence]:TIMer", "burst_period", Number(1e-6, 500, 1e-3, SECONDS), 1e-3),
    Setting("TRIGger[:SEQuence]:SOURce", "trigger_source", Choice(("TIMer", "EXTernal")), "TIM"),
    Setting("TRIGger[:SEQuence]:SLOPe", "trigger_slope", Choice(("POSitive", "NEGative")), "POS"),
    Command("TRIGger[:SEQuence][:IMMediate]", lambda call: call.instrument.triggered(call.now)),
    Command("SYSTem:BEEPer[:IMMediate]", _beep),
    Setting("SYSTem:BEEPer:STATe", "beeper", Boolean(), True),
    Command("[TRACe:]DATA[:DATA]", _store, (Choice(("EMEMory",)), Block())),
    Query(
        "[TRACe:]DATA[:DATA]",
        lambda call: Block().shown(call.instrument.values["memory"]),
        (Choice(("EMEMory",)),),
    ),
)
"""Defaults are those after `*RST`: sine, 1 MHz, 1 Vpp, 50 ohm, output off."""


class Afg3101C(FunctionGenerator):
    """The generator of the laser: it triggers the head by itself, or with bursts at the rate of its timer."""

    triggers_itself = "TIM"
    commanded = frozenset({"TIM", "EXT"})

    def __init__(self, figures: ScpiFigures, world: World, faults: FaultBoard) -> None:
        dialect = Dialect(figures.afg_identity, QueueStyle(figures.afg_errors))
        super().__init__(dialect, TABLE, world, faults)
