"""High voltage, power, starts, and faults that make a board silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.kernel import NS_PER_S, SimTime

MakeBench = Callable[..., Any]


@pytest.mark.parametrize("lit", [False, True])
@pytest.mark.parametrize("interlock", [False, True])
def test_high_voltage_needs_interlock_and_darkness(make_bench: MakeBench, interlock: bool, lit: bool) -> None:
    bench = make_bench(bright=lit)
    bench.board.interlocks.pmt_hv = interlock
    bench.board.interlocks.changed(SimTime(0))
    assert bench.ask("readHVInterlock .s drop") == f"<1> {int(interlock)} "
    assert bench.ask("readLightSensorPmtHvEnable .s drop") == f"<1> {int(not lit)} "
    said = bench.ask("1 enableHV")
    if interlock and not lit:
        assert said == ""
    else:
        reason = "light sensor does not permit HV" if interlock else "PMT HV interlock not set"
        assert said == f"enableHV: FAIL, {reason}"
    assert bench.ask("1 DEggHVEnabled .s drop") == f"<1> {int(interlock and not lit)} "
    assert (bench.ask("1 1500 setDEggHV") == "") is not lit
    assert bench.ask("1 0 setDEggHV") == ""


def test_high_voltage_goes_off_with_interlock_light_and_word(bench: Any) -> None:
    def enabled() -> bool:
        return bench.ask("0 DEggHVEnabled .s drop") == "<1> 1 "

    bench.close_interlocks()
    bench.ask("0 enableHV")
    assert enabled()
    bench.ask("0 disableHV")
    assert not enabled()
    bench.ask("0 enableHV")
    bench.board.interlocks.pmt_hv = False
    bench.board.interlocks.changed(SimTime(bench.now))
    assert not bench.supplies[0].enabled
    bench.close_interlocks()
    bench.ask("0 enableHV")
    assert enabled()
    bench.bright = True
    assert not enabled()


def test_high_voltage_out_of_range(bench: Any) -> None:
    assert bench.ask("0 2001 setDEggHV") == "setDEggHV: FAIL, high voltage must be 0..2000 V"


def test_reboot_has_no_answer_and_ends_in_the_boot_loader(bench: Any) -> None:
    bench.close_interlocks()
    bench.ask("1 2 0 enableHV 0 8050 0 startDEggWfmStream")
    assert bench.ask_raw(b"reboot\r\n") == b""
    assert bench.ask("fpgaVersion .s drop") == "fpgaVersion ?"  # the boot loader knows one word
    assert bench.ask("boot") == ""
    assert bench.ask(".s") == "<0> "
    assert bench.ask("0 DEggHVEnabled .s drop") == "<1> 0 "
    assert bench.ask("fpgaVersion .s drop") == "<1> 65535 "
    assert not bench.channels[0].armed
    assert bench.reflash() == 272
    assert bench.ask("printLogOutput").endswith("Iceboot started")


def test_a_board_that_starts_is_silent_on_a_clock_that_follows_the_wall(make_bench: MakeBench) -> None:
    bench = make_bench(waits=True)
    assert bench.ask_raw(b"reboot\r\n") == b""
    assert bench.ask_raw(b"boot\r\n") == b""
    bench.now += int(2.0 * NS_PER_S)
    assert [answer.after_s for answer in bench.session.receive(b"boot\r\n", SimTime(bench.now))] == [0.0, 0.5]


def test_without_power_nothing_is_said(bench: Any) -> None:
    bench.board.power_switched(False, SimTime(bench.now))
    assert bench.ask_raw(b"boot\r\n") == b""
    assert not bench.board.powered
    bench.board.power_switched(True, SimTime(bench.now))
    assert bench.ask("boot") == ""
    assert bench.reflash() == 272


def test_a_board_that_hangs_starts_at_the_next_power_cycle(bench: Any) -> None:
    bench.faults.switch_on("hang_power_cycle")
    for starts in (False, True):
        bench.board.power_switched(False, SimTime(bench.now))
        bench.board.power_switched(True, SimTime(bench.now))
        assert (bench.ask_raw(b"boot\r\n") != b"") is starts
    bench.faults.switch_on("hang_power_cycle", times=2)
    for starts in (False, False, True):
        bench.board.power_switched(False, SimTime(bench.now))
        bench.board.power_switched(True, SimTime(bench.now))
        assert (bench.ask_raw(b"boot\r\n") != b"") is starts


def test_time_out_for_so_many_commands(bench: Any) -> None:
    bench.faults.switch_on("time_out", times=2)
    assert bench.ask_raw(b"boot\r\n") == bench.ask_raw(b"boot\r\n") == b""
    assert bench.ask("boot") == ""


def test_a_module_that_is_absent_says_nothing(bench: Any) -> None:
    bench.faults.switch_on("absent")
    assert bench.ask_raw(b"boot\r\n") == b""


def test_what_the_board_says_unasked_goes_to_the_client(bench: Any) -> None:
    heard: list[bytes] = []
    bench.board.console_output(b"lost")
    bench.session.attach(heard.append)
    bench.board.console_output(b"\x01\x00\x04\x00data")
    bench.session.detach()
    bench.board.console_output(b"lost")
    assert heard == [b"\x01\x00\x04\x00data"]
