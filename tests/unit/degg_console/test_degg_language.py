"""The console's language: exchanges assembled by hand from the reference's table "D-Egg mainboard"."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.degg.console import Console, Word, table_of
from sim.degg.console.lines import MAX_LINE
from sim.degg.console.vocabulary import WORDS

PROMPT = b"\r\n> "
MakeBench = Callable[..., Any]


# The whole session start in the probed order and the closing (peripherals.md, "Start of a session"), byte for byte.
SESSION = [
    (b"boot\r\n", b"boot\r\n\r\n> "),
    (b"true setecho\r\n", b"true setecho\r\n\r\n> "),
    (b"disableLogOutput\r\n", b"disableLogOutput\r\n1\r\n> "),
    (b"sdrop\r\n", b"sdrop\r\n\r\n> "),
    (b"getBoardType .s drop\r\n", b"getBoardType .s drop\r\n<1> 113 \r\n> "),
    (b"softwareVersion .s drop\r\n", b"softwareVersion .s drop\r\n<1> 62 \r\n> "),
    (b"fpgaVersion .s drop\r\n", b"fpgaVersion .s drop\r\n<1> 272 \r\n> "),
    (b"icmID\r\n", b"icmID\r\n0xa400000f18a1722d\r\n> "),
    (b"flashID\r\n", b"flashID\r\n0xffffffffffffffff\r\n> "),
    (b"enableLogOutput\r\n", b"enableLogOutput\r\n0\r\n> "),
    (b"printLogOutput\r\n", b"printLogOutput\r\n\r\n> "),
]


def test_session_start_and_close_byte_for_byte(bench: Any) -> None:
    for sent, answer in SESSION:
        assert bench.ask_raw(sent) == answer


def test_any_split_and_merge_gives_the_same_bytes(make_bench: MakeBench) -> None:
    sent = b"".join(line for line, _ in SESSION)
    answers = b"".join(answer for _, answer in SESSION)
    assert make_bench().ask_raw(sent) == answers
    bytewise = make_bench()
    assert b"".join(bytewise.ask_raw(sent[at : at + 1]) for at in range(len(sent))) == answers


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("", ""),
        ("  ", ""),
        ("1 2 3 .s", "<3> 1 2 3 "),
        ("0x10 -7 .s", "<2> 16 -7 "),
        ("1 2 swap .s", "<2> 2 1 "),
        ("5 dup .s", "<2> 5 5 "),
        ("1 2 over .s", "<3> 1 2 1 "),
        ("1 2 drop .s", "<1> 1 "),
        ("1 2 sdrop .s", "<0> "),
        ("true false .s", "<2> -1 0 "),
        ('s" a b" .s', "<1> a b "),
        ("42 .", "42 "),
        ("nonsense", "nonsense ?"),
        ("drop", "drop: Stack underflow"),
        ("1 2 nonsense 3", "nonsense ?"),
        ("4294967296", "4294967296 ?"),
        ('s" open', "Unterminated string"),
        ("2 DEggHVEnabled", "DEggHVEnabled: Bad channel 2"),
        ('s" x" setecho', "setecho: flag is not a number"),
    ],
)
def test_language(bench: Any, command: str, answer: str) -> None:
    assert bench.ask(command) == answer


def test_unknown_word_leaves_the_rest_undone_and_the_stack_empty(bench: Any) -> None:
    assert bench.ask("1 2 .s nonsense 7 .s") == "<2> 1 2 nonsense ?"
    assert bench.ask(".s") == "<0> "


def test_without_echo_only_the_answer_comes(bench: Any) -> None:
    assert bench.ask("false setecho") == ""
    assert bench.ask_raw(b"5 .s drop\r\n") == b"<1> 5 " + PROMPT
    assert bench.ask_raw(b"true setecho\r\n") == PROMPT
    assert bench.ask("5 .s drop") == "<1> 5 "


def test_stack_and_echo_outlive_a_connection_and_half_a_line_does_not(bench: Any) -> None:
    bench.ask("1 2")
    bench.ask_raw(b"nonse")
    bench.session = bench.console.connect()
    assert bench.ask(".s sdrop") == "<2> 1 2 "


def test_a_line_that_is_too_long_is_refused_and_the_next_one_works(bench: Any) -> None:
    answer = bench.ask_raw(b"1 " * MAX_LINE + b"\r\n")
    assert answer.endswith(b"Line too long" + PROMPT)
    assert len(answer) < MAX_LINE + 100
    assert bench.ask(".s") == "<0> "


def test_echo_is_what_was_received_with_its_own_end(bench: Any) -> None:
    assert bench.ask_raw(b"\xff\x00 ?\n") == b"\xff\x00 ?\n\xff\x00 ?" + PROMPT
    assert bench.ask_raw(b"1 .\n") == b"1 .\n1 " + PROMPT


def test_stack_is_bounded(bench: Any) -> None:
    for _ in range(5):
        bench.ask("1 " * 1000)
    assert bench.ask(".s") == "<0> "  # the fifth did not fit and emptied it


def test_output_of_a_line_is_bounded(bench: Any) -> None:
    bench.board.flash.write("f", bytes(200_000))
    answer = bench.ask('s" f" flashCat ' * 60)
    assert answer.endswith("Output overflow")
    assert len(answer) < 9 << 20
    assert bench.ask(".s") == "<0> "


def test_a_new_word_is_a_row(make_bench: MakeBench) -> None:
    bench = make_bench()
    words = table_of(WORDS.values(), [Word("twice", "n -- n", "Doubles a number.", lambda _call, n: 2 * n)])
    bench.session = Console(bench.board, words).connect()
    assert bench.ask("21 twice .s drop") == "<1> 42 "


def test_a_name_stands_once_in_the_table() -> None:
    row = Word("drop", "x? --", "", lambda _call, _x: None)
    with pytest.raises(ValueError, match="stands twice"):
        table_of([row], [row])


def test_every_row_has_an_effect_and_a_sentence() -> None:
    for word in WORDS.values():
        assert "--" in word.effect
        assert word.about.endswith(".")


# Every word of the table in peripherals.md, "D-Egg mainboard".
REFERENCE = """
fpgaVersion softwareVersion icmID mainboardID flashID stmid printFPGAChipID sloAdcReadChannel sloAdcReadAll
flashLS flashConfigureFPGA reboot boot enableHV disableHV setDEggHV DEggHVEnabled readHVInterlock
readLightSensorPmtHvEnable readFlashInterlock readLIDInterlock readFPGAConfigInterlock setDAC setDEggConstReadout
startDEggWfmStream setDEggADCTriggerThreshold setDEggFIRTriggerThreshold enableDEggADCTrigger enableDEggFIRTrigger
disableDEggTriggers setDEggFIRCoefficients enableScalers getScalerCount readDEggChargeBlock
readDEggChargeBlockFixed readDEggWfmBlock readDEggWfmStream domClock getPressure printPressure getBFieldXYZ
printBFieldXYZ getAccelerationXYZ printAccelerationXYZ setFlasherMask setFlasherBias enableCalibrationTrigger
enableCalibrationPower initCamera captureCameraImage sendCameraImage getCameraID true setecho disableLogOutput
enableLogOutput printLogOutput sdrop drop getBoardType printSoftwareId
"""


def test_every_word_of_the_reference_is_there() -> None:
    assert [word for word in REFERENCE.split() if word not in WORDS] == []
