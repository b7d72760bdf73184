"""Commands that every instrument has: those of IEEE 488.2, and SYSTem:ERRor? and STATus of SCPI-99."""

from __future__ import annotations

from typing import Final

from sim.lab.scpi.parameters import Number
from sim.lab.scpi.status import OPERATION_COMPLETE, SERVICE, Register
from sim.lab.scpi.table import Call, Command, Query

_BYTE: Final = Number(0, 255, whole=True)
_WORD: Final = Number(0, 65535, whole=True)


def _event_enable(call: Call) -> None:
    call.instrument.status.event_enable = call.values[0]


def _service_enable(call: Call) -> None:
    call.instrument.status.service_enable = call.values[0] & ~SERVICE


def _complete(call: Call) -> None:
    # Nothing here goes on after its command, so that operations are complete at once.
    call.instrument.status.event |= OPERATION_COMPLETE


def _nothing(call: Call) -> None:
    """Wait for nothing."""


def _preset(call: Call) -> None:
    call.instrument.status.operation.enable = call.instrument.status.questionable.enable = 0


def _registers(header: str, name: str) -> tuple[Command | Query, ...]:
    def register(call: Call) -> Register:
        found: Register = getattr(call.instrument.status, name)
        return found

    def enable(call: Call) -> None:
        register(call).enable = call.values[0]

    return (
        Query(f"STATus:{header}:CONDition", lambda call: str(register(call).condition)),
        Query(f"STATus:{header}[:EVENt]", lambda call: str(register(call).take())),
        Query(f"STATus:{header}:ENABle", lambda call: str(register(call).enable)),
        Command(f"STATus:{header}:ENABle", enable, (_WORD,)),
    )


COMMON: Final[tuple[Command | Query, ...]] = (
    Command("*CLS", lambda call: call.instrument.status.clear()),
    Command("*ESE", _event_enable, (_BYTE,)),
    Query("*ESE", lambda call: str(call.instrument.status.event_enable)),
    Query("*ESR", lambda call: str(call.instrument.status.take_event())),
    Query("*IDN", lambda call: call.instrument.dialect.identity),
    Command("*OPC", _complete),
    Query("*OPC", lambda _: "1"),
    Command("*RST", lambda call: call.instrument.reset(call.now)),
    Command("*SRE", _service_enable, (_BYTE,)),
    Query("*SRE", lambda call: str(call.instrument.status.service_enable)),
    Query("*STB", lambda call: str(call.instrument.status.byte(call.answer_waits))),
    Query("*TST", lambda _: "0"),
    Command("*WAI", _nothing),
    Command("*TRG", lambda call: call.instrument.triggered(call.now)),
    Query("SYSTem:ERRor[:NEXT]", lambda call: call.instrument.status.errors.take()),
    Query("SYSTem:VERSion", lambda call: call.instrument.dialect.version),
    Command("STATus:PRESet", _preset),
    *_registers("OPERation", "operation"),
    *_registers("QUEStionable", "questionable"),
)
