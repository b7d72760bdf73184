"""The console's client against exchanges assembled by hand from the tables of the boards' protocol."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fat.degg.station import AnswerMalformed, Module, ModuleRefused, ModuleSilent
from fat.degg.station.acquisition import fir_threshold
from fat.degg.station.records import read_stamps, read_waveforms, record_bytes

PROMPT = b"\r\n> "
BEGIN = [
    (b"boot\r\n", b"boot\r\n" + PROMPT),
    (b"true setecho disableLogOutput sdrop\r\n", b"true setecho disableLogOutput sdrop\r\n1" + PROMPT),
]
Make = Callable[[Any], Any]


def say(command: str, answer: bytes = b"") -> tuple[bytes, bytes]:
    """A command, its echo, the answer and the prompt."""
    line = command.encode() + b"\r\n"
    return line, line + answer + PROMPT


def stamp(tick: int, picocoulomb: float, channel: int = 0, flags: int = 0) -> bytes:
    """14 bytes of the table: version and time's top bits, channel and flags, discriminator, 48 bits, float32 C."""
    head = struct.pack("<BBH", 0x10 | (tick >> 48) << 6, channel | flags, 0)
    return head + (tick & (1 << 48) - 1).to_bytes(6, "little") + struct.pack("<f", picocoulomb * 1e-12)


def record(tick: int, samples: list[int], channel: int = 0) -> bytes:
    """A record 0x82 with its word count, word by word."""
    words = [0x8200 | channel, len(samples), 0x100 | (tick & 3) << 6, tick >> 34 & 0xFFFF]
    words += [tick >> 18 & 0xFFFF, tick >> 2 & 0xFFFF, *[0] * 11]
    words += [sample << 2 | 2 for sample in samples] + [0, 0]
    return struct.pack(f"<I{len(words)}H", len(words), *words)


def test_numbers_texts_and_readings(scripted: Make) -> None:
    board = scripted(
        [
            *BEGIN,
            say("fpgaVersion .s drop", b"<1> 272 "),
            say("icmID", b"0xa400000f18a1722d"),
            say("7 sloAdcReadChannel", b"Channel 7 : -39.500 C"),
            say("flashLS", b"Name Size Offset\r\n-----\r\nold.rbf 10 0x0\r\ndegg_fw_v0x110.rbf 8100000 0x10"),
            say("domClock .s drop drop", b"<2> 4294967295 3 "),
            say("1 1450 setDEggHV"),
            say("66 30000 setDAC"),
            say("getBFieldXYZ printBFieldXYZ", b"(-0.000029166, 0.000006127, -0.000035586) T"),
        ]
    )
    with Module(5003, board.address) as module:
        assert module.fpga_version() == 272
        assert module.icm_id() == "a400000f18a1722d"
        assert module.temperature() == -39.5
        assert [file.name for file in module.flash_files()] == ["old.rbf", "degg_fw_v0x110.rbf"]
        assert module.dom_clock() == 4294967295 | 3 << 32
        module.set_hv(1, 1450.2)
        module.set_dac(1, 30000)
        assert module.magnetic_field() == (-2.9166e-05, 6.127e-06, -3.5586e-05)
    assert board.done


def test_charge_stamps_of_both_channels(scripted: Make) -> None:
    ticks = [1 << 49 | 240_000_000 + n * 1_000 for n in range(6)]
    first = b"".join(stamp(tick, 1.602 + n, n % 2) for n, tick in enumerate(ticks))
    board = scripted(
        [
            *BEGIN,
            say(
                "0 1 128 setDEggConstReadout 1 1 128 setDEggConstReadout "
                "0 8100 setDEggADCTriggerThreshold 1 8200 setDEggADCTriggerThreshold "
                "0 enableDEggADCTrigger 1 enableDEggADCTrigger"
            ),
            say("84 10 15 readDEggChargeBlock", first),
            say("0 disableDEggTriggers 1 disableDEggTriggers"),
        ]
    )
    with Module(5003, board.address) as module:
        found = module.charge_stamps(3, thresholds=(8100, 8200))
    assert board.done
    assert found[0].ticks.tolist() == ticks[::2]
    assert found[1].charge.tolist() == pytest.approx([2.602, 4.602, 6.602])
    assert found[0].span_s == pytest.approx(4000 / 240e6)


def test_waveforms_until_there_are_enough(scripted: Make) -> None:
    samples = list(range(8000, 8016))
    size = 2 * (2 + 17 + 16 + 2)
    one = record(1_000_003, samples, 1)
    two = record((1 << 49) + 1_000_004, samples[::-1], 1)
    board = scripted(
        [
            *BEGIN,
            say("1 1 16 setDEggConstReadout 1 8123 0 startDEggWfmStream"),
            say(f"{2 * size} readDEggWfmBlock", one + bytes(size)),  # closed early: only one had come
            say(f"{size} readDEggWfmBlock", two),
            say("1 disableDEggTriggers"),
        ]
    )
    with Module(5003, board.address) as module:
        found = module.waveforms(2, channels=(1,), thresholds=(8123,), samples=16)[1]
    assert board.done
    assert found.ticks.tolist() == [1_000_003, (1 << 49) + 1_000_004]
    assert found.samples.tolist() == [samples, samples[::-1]]
    assert found.samples.dtype == np.uint16


def test_both_scalers_begin_on_one_line(scripted: Make) -> None:
    taps = "0 0 0 0 0 0 0 0 0 0 1 1 0 0 0 0"
    line = [
        *(f"{ch} 1 128 setDEggConstReadout" for ch in (0, 1)),
        *(f"{ch} {taps} setDEggFIRCoefficients" for ch in (0, 1)),
        "0 370 setDEggFIRTriggerThreshold 1 380 setDEggFIRTriggerThreshold",
        "0 enableDEggFIRTrigger 1 enableDEggFIRTrigger 0 1000000 24 enableScalers 1 1000000 24 enableScalers",
    ]
    board = scripted([*BEGIN, say(" ".join(line))])
    with Module(5003, board.address) as module:
        module.start_scalers({0: 370, 1: 380}, period_us=1_000_000)
    assert board.done


def test_the_filter_s_threshold() -> None:
    assert fir_threshold(11.67) == round(11.67 * 2 * 16)  # counts x sum of the coefficients x 16


def test_bad_stamps_are_left_out_and_strange_records_refused() -> None:
    good, bad = stamp(7, 1.0), stamp(9, 2.0, flags=0x20)
    assert read_stamps(good + bad)[0].ticks.tolist() == [7]
    with pytest.raises(AnswerMalformed, match="version 0 of a D-Egg"):
        read_stamps(b"\x01" + good[1:])
    older = bytearray(record(1, [0] * 16))
    older[5] = 0x81
    with pytest.raises(AnswerMalformed, match="format 0x81; this client reads 0x82"):
        read_waveforms(bytes(older), 16)
    with pytest.raises(AnswerMalformed, match="37 words and not 35"):
        read_waveforms(record(1, [0] * 18), 16)
    assert read_waveforms(b"", 16) == {}
    assert record_bytes(16) == len(record(1, [0] * 16))


def test_a_refusal_is_told_in_the_board_s_words(scripted: Make) -> None:
    board = scripted(
        [
            *BEGIN,
            say("0 enableHV", b"enableHV: FAIL, PMT HV interlock not set"),
            say("28 10 15 readDEggChargeBlock", b"readDEggChargeBlock: FAIL"),
            say("14 10 15 readDEggChargeBlock", b"readDEggChargeBlock: FAIL, there is no trigger"),
            say("7 sloAdcReadChannel", b"sloAdcReadChannel: FAIL"),
        ]
    )
    with Module(5003, board.address, "DEgg2021-3-133") as module:
        with pytest.raises(
            ModuleRefused, match=r"DEgg2021-3-133 \(degg.5003\) refuses '0 enableHV': .*interlock"
        ):
            module.enable_hv(0)
        with pytest.raises(ModuleRefused, match="readDEggChargeBlock: FAIL"):
            module.console.block("28 10 15 readDEggChargeBlock", 28, 5.0)
        with pytest.raises(ModuleRefused, match="there is no trigger"):
            module.console.block("14 10 15 readDEggChargeBlock", 14, 5.0)
        with pytest.raises(ModuleRefused, match="FAIL"):
            module.temperature()


def test_bytes_that_come_unasked_are_nobody_s_answer(scripted: Make) -> None:
    line, answer = say("fpgaVersion .s drop", b"<1> 272 ")
    board = scripted([*BEGIN, (line, b"\x52\x43\x00\x03" + answer)])
    with Module(5003, board.address) as module:
        assert module.fpga_version() == 272
        assert module.console.unasked(4, 1.0) == b"\x52\x43\x00\x03"


def test_after_silence_the_console_is_opened_anew(scripted: Make) -> None:
    board = scripted([*BEGIN, (b"icmID\r\n", b"icmID\r\n0xa4"), *BEGIN, say("icmID", b"0xa400000f18a1722d")])
    with Module(5003, board.address) as module:
        module.console._timeout_s = 0.2
        with pytest.raises(ModuleSilent, match=r"degg.5003 at tcp://127.0.0.1:\d+ does not answer 'icmID'"):
            module.icm_id()
        module.console._timeout_s = 10.0
        assert module.icm_id() == "a400000f18a1722d"
    assert board.done


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(ModuleSilent, match=r"does not connect.*powered"):
        Module(5003, f"tcp://127.0.0.1:{port}").fpga_version()


@pytest.mark.parametrize("volts", [-1, 2001, float("nan")])
def test_no_high_voltage_beyond_the_supply(volts: float) -> None:
    with pytest.raises(ValueError, match=r"0\.\.2000 V"):
        Module(5003, "tcp://127.0.0.1:1").set_hv(0, volts)
