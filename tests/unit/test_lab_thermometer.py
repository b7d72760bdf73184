"""The thermometer's words, by hand from their published form, and what it shows of the cold.

Origin: 0x02, `4`, channel, unit 01 C or 02 F, polarity, decimals, eight digits, CR; sixteen bytes.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from sim.kernel import NS_PER_S, FaultBoard, SimTime, Transcript
from sim.kernel.clock import manual_clock
from sim.lab.figures import ColdFigures
from sim.lab.instruments.thermometer import THERMOMETER_FAULTS, Thermometer, ThermometerTable, word
from sim.lab.lines import PtyLine
from sim.lab.world import ColdPath

HOUR = 3600 * NS_PER_S


def meter(**table: object) -> tuple[Thermometer, FaultBoard, ColdPath]:
    board, cold = FaultBoard("thermometer", THERMOMETER_FAULTS), ColdPath(ColdFigures())
    return Thermometer(board, cold, ThermometerTable.model_validate(table)), board, cold


@pytest.mark.parametrize(
    ("channel", "value", "fahrenheit", "decimals", "expected"),
    [
        (1, -39.5, False, 1, b"\x0241011100000395\r"),
        (1, 20.0, False, 1, b"\x0241010100000200\r"),
        (4, 22.25, False, 2, b"\x0244010200002225\r"),
        (2, -57.0, False, 0, b"\x0242011000000057\r"),
        (3, 71.6, True, 1, b"\x0243020100000716\r"),
        (3, -0.04, False, 1, b"\x0243010100000000\r"),
        (3, 1e12, False, 3, b"\x0243010399999999\r"),
    ],
)
def test_words_are_as_published(
    channel: int, value: float, fahrenheit: bool, decimals: int, expected: bytes
) -> None:
    assert word(channel, value, fahrenheit, decimals) == expected
    assert len(expected) == 16


def test_four_channels_follow_the_cold_with_their_lags() -> None:
    thermometer, _, cold = meter()
    cold.set_freezer(SimTime(0), -40.0)
    # after three hours: air 1/e of the way behind (-40 + 60/e = -17.9), glass further behind (4.18)
    assert thermometer.speak(SimTime(3 * HOUR)) == (
        b"\x0241010100000042\r\x0242011100000400\r\x0243011100000179\r\x0244010100000220\r"
    )


def test_a_missing_probe_is_not_sent() -> None:
    thermometer, board, _ = meter(probes=[4, 1, 2])
    assert channels(thermometer.speak(SimTime(0))) == [b"1", b"2", b"4"]
    board.switch_on("miss_probe", channel=2)
    assert channels(thermometer.speak(SimTime(0))) == [b"1", b"4"]
    board.switch_on("miss_probe", channel=0)
    assert thermometer.speak(SimTime(0)) == b""
    board.switch_off("miss_probe")
    assert channels(thermometer.speak(SimTime(0))) == [b"1", b"2", b"4"]


def channels(words: bytes) -> list[bytes]:
    return [text[2:3] for text in words.split(b"\r")[:-1]]


def test_fahrenheit_by_option_or_by_somebodys_finger() -> None:
    pressed, board, _ = meter(probes=[4])
    board.switch_on("show_fahrenheit")
    chosen, _, _ = meter(probes=[4], unit="F")
    assert pressed.speak(SimTime(0)) == chosen.speak(SimTime(0)) == b"\x0244020100000716\r"


def test_values_freeze_and_drift() -> None:
    thermometer, board, cold = meter(probes=[3])
    board.switch_on("freeze_value")
    frozen = thermometer.speak(SimTime(0))
    cold.set_freezer(SimTime(0), -40.0)
    assert thermometer.speak(SimTime(9 * HOUR)) == frozen == b"\x0243010100000200\r"
    board.switch_off("freeze_value")
    cold.set_freezer(SimTime(9 * HOUR), 20.0)
    still, board, _ = meter(probes=[3])
    board.switch_on("drift_value", per_hour=-2.0)
    still.speak(SimTime(0))
    assert still.speak(SimTime(HOUR)) == b"\x0243010100000180\r"


async def test_it_sends_by_itself_on_a_clock_that_stands_still(tmp_path: Path) -> None:
    thermometer, board, _ = meter(period_s=0.05, probes=[4])
    clock = manual_clock()
    line = PtyLine(
        "thermometer",
        thermometer,
        clock,
        board,
        Transcript(None, lambda: 0),
        at=tmp_path / "thermometer",
        baud=9600,
        speaker=thermometer,
    )
    path = await line.start()
    try:
        with open(path, "rb", buffering=0) as client:  # noqa: ASYNC230  # a terminal; read in a thread
            said = b""
            while said.count(b"\r") < 3:
                said += await asyncio.to_thread(client.read, 64)
        assert said.startswith(b"\x0244010100000220\r" * 2)
        assert clock.now == 0
    finally:
        await line.stop()
