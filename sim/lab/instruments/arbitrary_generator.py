"""Agilent 33220A, the dialect of another maker: the commands that public drivers send, from the maker's manual."""

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
from sim.lab.scpi import Boolean, Choice, Command, Dialect, Entry, Kept, Number, Quantity, Query, Setting
from sim.lab.scpi.parameters import DEGREES, HERTZ, OHMS, PER_CENT, SECONDS, VOLTS
from sim.lab.scpi.status import QueueStyle
from sim.lab.scpi.table import Call
from sim.lab.world import World

_FORM: Final = "{:+.13E}"
_AMPLITUDE: Final = Quantity(AMPLITUDES, _FORM)
_LEVEL: Final = Quantity(VOLTS, _FORM)
_VOLTAGE: Final = "[SOURce#:]VOLTage"
_SHAPES: Final = ("SINusoid", "SQUare", "RAMP", "PULSe", "NOISe", "DC", "USER")
_POLARITY: Final = Choice(("NORMal", "INVerted"))
_SLOPE: Final = Choice(("POSitive", "NEGative"))
_FREQUENCY: Final = Number(1e-6, 20e6, 1e3, HERTZ, _FORM)
_PERIOD: Final = Number(200e-9, 2e3, 1e-3, SECONDS, _FORM)


def _seconds(low: float, high: float, default: float) -> Number:
    return Number(low, high, default, SECONDS, _FORM)


def _per_cent(low: float, high: float, default: float) -> Number:
    return Number(low, high, default, PER_CENT, _FORM)


def _number(value: float) -> str:
    return _LEVEL.shown(value)


def _nothing(call: Call) -> None:
    """Beeps and front panels are not simulated."""


def _apply(shape: str, call: Call) -> None:
    """`APPLy:SINusoid f, amplitude, offset`: all three at once, no burst, output on; what is missing is the default."""
    generator = call.instrument
    kept = generator.values
    generator.change(
        call.now, shape=shape, burst=False, frequency=call.value(0, generator.default("frequency"))
    )
    try:
        for index, setter in ((1, set_amplitude), (2, set_offset)):
            if index < len(call.values):
                setter(Call(generator, (call.values[index],), (), call.now))
    except Exception:
        generator.change(call.now, **kept)
        raise
    generator.change(call.now, output=True)


def _applied(call: Call) -> str:
    values = call.instrument.values
    numbers = (
        values["frequency"],
        shown_amplitude(Call(call.instrument, (), (), call.now)),
        values["offset"],
    )
    return f'"{values["shape"]} {",".join(map(_number, numbers))}"'


def _applies() -> tuple[Entry, ...]:
    kinds = (_FREQUENCY, _AMPLITUDE, _LEVEL)
    commands = (
        Command(f"[SOURce#:]APPLy:{shape}", partial(_apply, Choice(_SHAPES).read(shape)), kinds, optional=3)
        for shape in _SHAPES
    )
    return (*commands, Query("[SOURce#:]APPLy", _applied))


TABLE: Final[tuple[Entry, ...]] = (
    Setting("OUTPut#[:STATe]", "output", Boolean(), False),
    Setting("OUTPut#:LOAD", "load", Number(1, 1e4, 50, OHMS, _FORM, infinite=True), 50.0),
    Setting("OUTPut#:POLarity", "polarity", _POLARITY, "NORM"),
    Setting("OUTPut#:SYNC[:STATe]", "sync", Boolean(), True),
    Setting("OUTPut#:TRIGger[:STATe]", "trigger_output", Boolean(), False),
    Setting("OUTPut#:TRIGger:SLOPe", "trigger_output_slope", _SLOPE, "POS"),
    Setting("[SOURce#:]FREQuency[:CW|:FIXed]", "frequency", _FREQUENCY, 1e3),
    Setting("[SOURce#:]FUNCtion[:SHAPe]", "shape", Choice(_SHAPES), "SIN"),
    Setting("[SOURce#:]FUNCtion:SQUare:DCYCle", "square_duty", _per_cent(20, 80, 50), 50.0),
    Setting("[SOURce#:]FUNCtion:RAMP:SYMMetry", "symmetry", _per_cent(0, 100, 100), 100.0),
    Setting("[SOURce#:]FUNCtion:PULSe:HOLD", "hold", Choice(("WIDTh", "DCYCle")), "WIDT"),
    Setting("[SOURce#:]FUNCtion:PULSe:WIDTh", "width", _seconds(20e-9, 2e3, 1e-4), 1e-4),
    Setting("[SOURce#:]FUNCtion:PULSe:DCYCle", "duty", _per_cent(0.001, 99.999, 10), 10.0),
    Setting("[SOURce#:]FUNCtion:PULSe:TRANsition", "transition", _seconds(5e-9, 100e-9, 5e-9), 5e-9),
    Command("[SOURce#:]PULSe:PERiod", lambda call: call.instrument.set_period(call), (_PERIOD,)),
    Query("[SOURce#:]PULSe:PERiod", lambda call: _PERIOD.shown(1 / call.instrument.values["frequency"])),
    *_applies(),
    Kept("vpp", 0.1),
    Kept("offset", 0.0),
    Setting(f"{_VOLTAGE}:UNIT", "unit", Choice(("VPP", "VRMS", "DBM")), "VPP"),
    Command(f"{_VOLTAGE}[:LEVel][:IMMediate][:AMPLitude]", set_amplitude, (_AMPLITUDE,)),
    Query(
        f"{_VOLTAGE}[:LEVel][:IMMediate][:AMPLitude]",
        lambda call: _number(shown_amplitude(call)),
        (_AMPLITUDE,),
        1,
    ),
    Command(f"{_VOLTAGE}:OFFSet", set_offset, (_LEVEL,)),
    Query(f"{_VOLTAGE}:OFFSet", lambda call: _number(call.instrument.values["offset"])),
    Command(f"{_VOLTAGE}:HIGH", partial(set_level, high=True), (_LEVEL,)),
    Query(f"{_VOLTAGE}:HIGH", lambda call: _number(shown_level(call, high=True))),
    Command(f"{_VOLTAGE}:LOW", partial(set_level, high=False), (_LEVEL,)),
    Query(f"{_VOLTAGE}:LOW", lambda call: _number(shown_level(call, high=False))),
    Setting(f"{_VOLTAGE}:RANGe:AUTO", "range_auto", Boolean(), True),
    Setting("[SOURce#:]BURSt:STATe", "burst", Boolean(), False),
    Setting("[SOURce#:]BURSt:MODE", "burst_mode", Choice(("TRIGgered", "GATed")), "TRIG"),
    Setting("[SOURce#:]BURSt:NCYCles", "cycles", Number(1, 50_000, 1, form=_FORM, infinite=True), 1.0),
    Setting("[SOURce#:]BURSt:INTernal:PERiod", "burst_period", _seconds(1e-6, 500, 1e-2), 1e-2),
    Setting("[SOURce#:]BURSt:PHASe", "burst_phase", Number(-360, 360, 0, DEGREES, _FORM), 0.0),
    Setting("[SOURce#:]BURSt:GATE:POLarity", "gate_polarity", _POLARITY, "NORM"),
    Setting("UNIT:ANGLe", "angle_unit", Choice(("DEGree", "RADian")), "DEG"),
    Setting("TRIGger:SOURce", "trigger_source", Choice(("IMMediate", "EXTernal", "BUS")), "IMM"),
    Setting("TRIGger:SLOPe", "trigger_slope", _SLOPE, "POS"),
    Setting("TRIGger:DELay", "trigger_delay", _seconds(0, 85, 0), 0.0),
    Command("TRIGger[:IMMediate]", lambda call: call.instrument.triggered(call.now)),
    Command("SYSTem:BEEPer[:IMMediate]", _nothing),
    Setting("SYSTem:BEEPer:STATe", "beeper", Boolean(), True),
    Setting("SYSTem:COMMunicate:RLSTate", "remote", Choice(("LOCal", "REMote", "RWLock")), "LOC"),
    Command("SYSTem:LOCal", _nothing),
    Command("SYSTem:REMote", _nothing),
    Command("SYSTem:RWLock", _nothing),
)
"""Defaults are those after `*RST`: sine, 1 kHz, 100 mVpp, 50 ohm, output off."""


class Agilent33220A(FunctionGenerator):
    """The generator of another maker, at the same place in the light path."""

    triggers_itself = "IMM"
    commanded = frozenset({"BUS"})
    vpp_limits = (0.01, 10.0)

    def __init__(self, figures: ScpiFigures, world: World, faults: FaultBoard) -> None:
        dialect = Dialect(figures.agilent_identity, QueueStyle(20, signed_zero=True))
        super().__init__(dialect, TABLE, world, faults)

    def set_period(self, call: Call) -> None:
        """`PULSe:PERiod` is the frequency, told otherwise."""
        self.change(call.now, frequency=1 / call.values[0])
