"""Words of high voltage, interlocks, DAC and slow ADC."""

from __future__ import annotations

from typing import Final

from sim.degg.console.forth import Call, Word
from sim.degg.refusal import Refused
from sim.degg.slow_adc import SLOW_ADC, reading

DAC_LETTERS: Final = range(ord("A"), ord("H") + 1)
BASELINE_LETTERS: Final = {ord("A"): 0, ord("B"): 1}
MAX_DAC: Final = 0xFFFF


def _enable_hv(call: Call, ch: int) -> None:
    call.board.enable_hv(ch, call.now)


def _disable_hv(call: Call, ch: int) -> None:
    call.board.supplies[ch].enable(False, call.now)


def _set_hv(call: Call, ch: int, volts: int) -> None:
    call.board.set_hv(ch, volts, call.now)


def _permitted(call: Call) -> int:
    return int(call.board.light_permits(call.now))


def _set_dac(call: Call, letter: int, value: int) -> None:
    if letter not in DAC_LETTERS:
        raise Refused(f"bad channel {letter}")
    if not 0 <= value <= MAX_DAC:
        raise Refused(f"bad value {value}")
    if (ch := BASELINE_LETTERS.get(letter)) is not None:
        call.board.set_baseline(ch, value)


def _reset_dac(call: Call) -> None:
    for ch in range(len(call.board.channels)):
        call.board.set_baseline(ch, 0)


def _read_slow_adc(call: Call, number: int) -> None:
    if not 0 <= number < len(SLOW_ADC):
        raise Refused
    call.say(reading(call.board, number, call.now))


def _read_all(call: Call) -> None:
    if not call.board.fpga_configured():
        call.say("sloAdcReadChannel: FAIL")
        return
    call.say("\r\n".join(reading(call.board, number, call.now) for number in range(len(SLOW_ADC))))


POWER: Final = (
    Word("enableHV", "ch --", "Enables high voltage; PMT-HV interlock and darkness are needed.", _enable_hv),
    Word("disableHV", "ch --", "Disables high voltage.", _disable_hv),
    Word("setDEggHV", "ch volts --", "Sets high voltage, 0..2000 V.", _set_hv),
    Word(
        "DEggHVEnabled",
        "ch -- flag",
        "Whether high voltage is enabled.",
        lambda call, ch: int(call.board.supplies[ch].enabled),
    ),
    Word(
        "readHVInterlock",
        "-- flag",
        "1: the PMT-HV interlock is closed.",
        lambda call: int(call.board.interlocks.pmt_hv),
    ),
    Word("readLightSensorPmtHvEnable", "-- flag", "1: the light sensor permits high voltage.", _permitted),
    Word(
        "readFlashInterlock",
        "-- flag",
        "1: flash may be written.",
        lambda call: int(call.board.interlocks.mcu_flash),
    ),
    Word(
        "readLIDInterlock",
        "-- flag",
        "1: lights and cameras may be used.",
        lambda call: int(call.board.interlocks.lid),
    ),
    Word(
        "readFPGAConfigInterlock",
        "-- flag",
        "1: the FPGA may be configured.",
        lambda call: int(call.board.interlocks.fpga_config),
    ),
    Word("setDAC", "letter value --", "Sets a DAC; 65 and 66 are the baselines of the channels.", _set_dac),
    Word("resetDAC", "--", "Sets all DACs to zero.", _reset_dac),
    Word("sloAdcReadChannel", "n --", "Prints a slow-ADC channel, 0..15.", _read_slow_adc, needs_fpga=True),
    Word("sloAdcReadAll", "--", "Prints all of them, a line for each.", _read_all),
    Word("enableDCDCFivePhase", "--", "Accepted; nothing to see.", lambda _call: None),
)
