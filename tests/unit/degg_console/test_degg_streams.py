"""Triggers, streams and blocks over a console; the channels are stand-ins with an event each 10 ms."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest

from sim.degg.channel import Trigger
from sim.kernel import NS_PER_S, SimTime

PROMPT = b"\r\n> "
MakeBench = Callable[..., Any]


@pytest.mark.parametrize(
    ("command", "armed"),
    [
        ("0 8050 0 startDEggWfmStream", {0: Trigger("threshold", 8050)}),
        ("1 10 1 startDEggWfmStream", {1: Trigger("software", period_ms=10.0)}),
        ("1 0 2 startDEggWfmStream", {1: Trigger("external")}),
        ("8050 8060 3 startDEggWfmStream", {0: Trigger("dual", 8050), 1: Trigger("dual", 8060)}),
        ("0 900 4 startDEggWfmStream", {0: Trigger("fir", 900)}),
        ("900 910 5 startDEggWfmStream", {0: Trigger("dual_fir", 900), 1: Trigger("dual_fir", 910)}),
        (
            "1 8070 setDEggADCTriggerThreshold 2 0 64 startDEggWfmStream",
            {1: Trigger("threshold", 8070)},
        ),
    ],
)
def test_streams(bench: Any, command: str, armed: dict[int, Trigger]) -> None:
    assert bench.ask(command) == ""
    assert {channel.number: channel.trigger for channel in bench.channels if channel.trigger} == armed


def test_triggers_shape_and_filter(bench: Any) -> None:
    assert bench.ask("0 1 300 setDEggConstReadout") == ""
    assert bench.ask("0 8025 setDEggADCTriggerThreshold") == ""
    assert bench.channels[0].told[-1] == ("discriminator", Trigger("threshold", 8025, 300))
    bench.ask("0 enableDEggADCTrigger")
    assert bench.channels[0].trigger == Trigger("threshold", 8025, 300)
    taps = [0] * 10 + [1, 2] + [0] * 4
    assert bench.ask(f"0 {' '.join(map(str, taps))} setDEggFIRCoefficients") == ""
    assert bench.ask("0 printDEggFIRCoefficients") == " ".join(map(str, taps))
    bench.ask("0 700 setDEggFIRTriggerThreshold 0 enableDEggFIRTrigger")
    assert bench.channels[0].trigger == Trigger("fir", 700, 300, coefficients=tuple(taps))
    bench.ask("0 disableDEggTriggers")
    assert not bench.channels[0].armed
    assert bench.ask("0 1 17 setDEggConstReadout").startswith("setDEggConstReadout: FAIL")
    assert bench.ask("0 1 9 startDEggWfmStream") == "startDEggWfmStream: FAIL, no stream 9"


def test_scalers(bench: Any) -> None:
    assert bench.ask("1 100000 24 enableScalers") == ""
    assert bench.channels[1].told[-1] == ("scaler", 100000, 24)
    assert bench.ask("1 getScalerCount .s drop") == "<1> 123 "


def test_charge_block_is_exact_in_length(bench: Any) -> None:
    bench.ask("1 8050 0 startDEggWfmStream")
    for n in (14 * 400, 14 * 3 + 5, 0):
        line = f"{n} 10 15 readDEggChargeBlock\r\n".encode()
        answer = bench.ask_raw(line)
        assert answer[: len(line)] == line
        assert answer[len(line) + n :] == PROMPT
        stamps = answer[len(line) : len(line) + n - n % 14]
        assert all(stamps[at : at + 2] == b"\x10\x01" for at in range(0, len(stamps), 14))
    assert bench.channels[1].told[-1] == ("charges", 3, 10, 15)


def test_two_channels_share_a_block_in_the_order_of_time(bench: Any) -> None:
    bench.ask("8050 8050 3 startDEggWfmStream")
    stamps = b""
    for _ in range(3):
        line = b"700 10 15 readDEggChargeBlock\r\n"
        stamps += bench.ask_raw(line)[len(line) : -len(PROMPT)]
    times = [int.from_bytes(stamps[at + 4 : at + 10], "little") for at in range(0, len(stamps), 14)]
    channels = [stamps[at + 1] for at in range(0, len(stamps), 14)]
    assert len(times) == 150
    assert channels == [0, 1] * 75
    assert times == [(NS_PER_S + 10_000_000 + 5_000_000 * k) * 240 // 1000 for k in range(150)]


def test_waveform_block_and_stream(bench: Any) -> None:
    bench.ask("0 8050 0 startDEggWfmStream")
    line = b"100 readDEggWfmBlock\r\n"
    answer = bench.ask_raw(line)
    record = struct.pack("<I20H", 20, 0x8200, *range(19))
    assert answer == line + 2 * record + bytes(12) + PROMPT
    line = b"readDEggWfmStream\r\n"
    for _ in range(2):  # word count, then the words
        assert bench.ask_raw(line) == line + record[:4] + PROMPT
        assert bench.ask_raw(line) == line + record[4:] + PROMPT


def test_waveforms_of_two_channels(bench: Any) -> None:
    bench.ask("8050 8050 3 startDEggWfmStream")
    line = b"200 readDEggWfmBlock\r\n"
    data = bench.ask_raw(line)[len(line) : -len(PROMPT)]
    assert len(data) == 200
    assert [data[44 * k + 4] for k in range(4)] == [0, 0, 1, 1]
    line = b"readDEggWfmStream\r\n"
    channels = []
    for _ in range(4):
        bench.ask_raw(line)
        channels.append(bench.ask_raw(line)[len(line)])
    assert sorted(channels) == [0, 0, 1, 1]


def test_a_block_that_would_be_too_large_is_refused(bench: Any) -> None:
    bench.ask("0 8050 0 startDEggWfmStream")
    assert bench.ask("4294967295 10 15 readDEggChargeBlock").startswith("readDEggChargeBlock: FAIL")
    assert bench.ask("99999999 readDEggWfmBlock").startswith("readDEggWfmBlock: FAIL")


def test_a_block_without_events_is_silence_and_the_next_command_gets_its_own_answer(bench: Any) -> None:
    line = b"5600 10 15 readDEggChargeBlock\r\n"
    assert bench.ask_raw(line) == line  # nothing is armed
    assert bench.ask("fpgaVersion .s drop") == "<1> 272 "
    bench.channels[0].spacing_ns = 0  # no events: the channel says so
    bench.ask("0 8050 0 startDEggWfmStream")
    assert bench.ask_raw(line) == line
    assert bench.ask("fpgaVersion .s drop") == "<1> 272 "
    assert [what for what, *_ in bench.channels[0].told].count("arm") == 2  # begun anew


def test_on_a_clock_that_follows_the_wall_a_block_waits_for_its_events(make_bench: MakeBench) -> None:
    bench = make_bench(waits=True, now=10 * NS_PER_S)
    bench.ask("0 8050 0 startDEggWfmStream")
    echo, block = bench.session.receive(b"1400 10 15 readDEggChargeBlock\r\n", SimTime(bench.now))
    assert echo.after_s == 0
    assert (block.until_input, block.after_s) == (True, pytest.approx(1.0))
    # fetched in time, the next block goes on where the last one ended
    bench.now += NS_PER_S
    _, block = bench.session.receive(b"1400 10 15 readDEggChargeBlock\r\n", SimTime(bench.now))
    assert block.after_s == pytest.approx(1.0)
    # something was sent before it was ready: it is given up, and the acquisition begins anew at that moment
    bench.now += NS_PER_S // 2
    _, block = bench.session.receive(b"1400 10 15 readDEggChargeBlock\r\n", SimTime(bench.now))
    assert block.after_s == pytest.approx(1.0)


@pytest.mark.parametrize("command", ["0 8050 0", "8050 8050 3"])
def test_a_block_that_is_further_away_than_five_minutes_is_given_up_early(bench: Any, command: str) -> None:
    for channel in bench.channels:
        channel.spacing_ns = 50 * NS_PER_S
    bench.ask(f"{command} startDEggWfmStream")
    line = b"4000000 10 15 readDEggChargeBlock\r\n"
    assert bench.ask_raw(line) == line
    asked = sum(told[1] for channel in bench.channels for told in channel.told if told[0] == "charges")
    assert asked <= 64
