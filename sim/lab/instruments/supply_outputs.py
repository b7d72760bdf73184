"""The three outputs of the laser supply and the table of its commands, as `reference/peripherals.md` has them.

Triggers, memories and the display are general knowledge of the model.
"""

from __future__ import annotations

from typing import Final

from sim.lab.instruments.supply_ratings import LEVELS, NAMES, OUTPUTS, Level, limits
from sim.lab.scpi import (
    Boolean,
    Channels,
    Choice,
    Command,
    Entry,
    Kept,
    Number,
    Quantity,
    Query,
    Setting,
    Text,
)
from sim.lab.scpi.parameters import AMPERES, SECONDS, VOLTS
from sim.lab.scpi.table import Call

_FORM: Final = "{:+.8E}"
_VOLTS: Final = Quantity(VOLTS, _FORM)
_AMPS: Final = Quantity(AMPERES, _FORM)
_OUTPUT: Final = Choice(NAMES)
_MEMORY: Final = Number(1, 3, whole=True)


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
