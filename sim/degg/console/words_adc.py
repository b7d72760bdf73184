"""Words of the fast ADCs' own registers, as self-tests write and read them."""

from __future__ import annotations

from typing import Final

from sim.degg.console.forth import Call, Word
from sim.degg.refusal import Refused

REGISTERS: Final = 256


def _check(register: int) -> None:
    if not 0 <= register < REGISTERS:
        raise Refused(f"bad register {register}")


def _write(call: Call, ch: int, register: int, value: int) -> None:
    _check(register)
    call.board.adc_registers[ch][register] = value & 0xFF


def _read(call: Call, ch: int, register: int) -> int:
    _check(register)
    return call.board.adc_registers[ch].get(register, 0)


def _reset(call: Call, ch: int) -> None:
    call.board.adc_registers[ch].clear()


ADC: Final = (
    Word("writeADS4149", "ch register value --", "Writes a register of a fast ADC.", _write, needs_fpga=True),
    Word("readADS4149", "ch register -- value", "Reads it back.", _read, needs_fpga=True),
    Word("resetADS4149", "ch --", "All its registers become zero.", _reset, needs_fpga=True),
    Word(
        "enableFEPulser",
        "ch us --",
        "Accepted; there is no pulser.",
        lambda _call, _ch, _us: None,
        needs_fpga=True,
    ),
    Word("disableFEPulser", "ch --", "Accepted.", lambda _call, _ch: None, needs_fpga=True),
)
