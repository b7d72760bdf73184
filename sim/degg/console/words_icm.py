"""Words that ask the ICM over the mainboard: self-tests count its messages and read its temperature."""

from __future__ import annotations

from typing import Final

from sim.degg.console.forth import Call, Word
from sim.degg.refusal import Refused

TEMPERATURE: Final = 0xE2
"""Register of the ICM's temperature: twelve bits above four, 503.975 C per 4096 from -273.15 C on."""
REGISTERS: Final = 256


def _check(register: int) -> None:
    if not 0 <= register < REGISTERS:
        raise Refused(f"bad register {register}")


def _read(call: Call, register: int) -> int:
    _check(register)
    if register == TEMPERATURE:
        celsius = call.board.temperature(call.now)
        return round((celsius + 273.15) * 4096 / 503.975) << 4
    return call.board.icm_registers.get(register, 0)


def _write(call: Call, register: int, value: int) -> None:
    _check(register)
    if register == TEMPERATURE:
        raise Refused("read only")
    call.board.icm_registers[register] = value & 0xFFFF


def _time(call: Call) -> None:
    call.say(f"0x{call.board.clock.ticks(call.now) // 4:012x}")


ICM: Final = (
    Word("icmReadReg", "register -- value", "Reads a register of the ICM.", _read),
    Word("icmWriteReg", "register value --", "Writes it.", _write),
    Word("icmTxCnt", "-- count", "Messages sent.", lambda call: call.board.count("icm") & 0xFFFF),
    Word("icmRxCnt", "-- count", "Messages received.", lambda call: call.board.count("icm") & 0xFFFF),
    Word("icmReadCurrentTime", "--", "Prints the ICM's clock, 60 MHz.", _time),
)
