"""The GPIB-Ethernet box, by hand from the table and the traps of `reference/peripherals.md`, section Prologix."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from sim.kernel import FaultBoard, SimTime
from sim.lab.figures import LabFigures
from sim.lab.instruments.function_generator import Afg3101C
from sim.lab.instruments.power_supply import E3631A
from sim.lab.instruments.prologix import OnBus, PrologixBox
from sim.lab.instruments.scpi_parts import FAULTS
from sim.lab.world import Generator, World

NOW = SimTime(0)
AFG = "TEKTRONIX,AFG3101C,C010101,SCPI:99.0 FV:3.2.2\n"
SUPPLY = "HEWLETT-PACKARD,E3631A,0,2.1-5.0-1.0\n"
VERSION = "Prologix GPIB-ETHERNET Controller version 01.06.06.00\r\n"
UNKNOWN = "Unrecognized command\r\n"
PUBLIC_CLIENT = ("++mode 1", "++auto 0", "++read_tmo_ms 500", "++eos 3", "++addr 10")


@dataclass
class Rig:
    boards: dict[str, FaultBoard] = field(
        default_factory=lambda: {part: FaultBoard(part, faults) for part, faults in FAULTS.items()}
    )

    def __post_init__(self) -> None:
        figures = LabFigures()
        self.world = World(figures, [])
        self.generator = Afg3101C(figures.scpi, self.world, self.boards["function_generator"])
        self.supply = E3631A(figures.scpi, self.world, self.boards["power_supply"])
        bus = {
            10: OnBus(self.generator, self.boards["function_generator"]),
            5: OnBus(self.supply, self.boards["power_supply"]),
        }
        self.box = PrologixBox(bus, self.boards["gpib"], 5.0)
        self.talker = self.box.connect()

    def say(self, *lines: str) -> list[str]:
        return said(self.talker, *lines)


def said(talker: Any, *lines: str) -> list[str]:
    data = "".join(f"{line}\n" for line in lines).encode()
    return [answer.data.decode() for answer in talker.receive(data, NOW)]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_answers_come_after_a_read_only(rig: Rig) -> None:
    assert rig.say(*PUBLIC_CLIENT, "*IDN?") == []
    assert rig.say("++read eoi") == [AFG]
    assert rig.say("++read eoi") == [], "there is nothing more to say"
    assert rig.say("SYST:ERR?;*ESR?", "++read") == ['-420,"Query UNTERMINATED";4\n']


def test_the_laboratorys_own_program_starts_the_laser(rig: Rig) -> None:
    """It asks for identity and status without ever reading an answer (reference, start-up seen from its code)."""
    rig.say(*PUBLIC_CLIENT, "*IDN?", "output1:state off", "STATus:OPERation:CONDition?")
    for shape, hertz, volts in (("SIN", 1000000.0, 1), ("SQU", 1000.0, 3)):
        rig.say(f"source1:function:shape {shape}", f"source1:frequency {hertz}", "source1:voltage:unit VPP")
        rig.say(f"source1:voltage:amplitude {volts}VPP", "source1:voltage:offset 0")
    assert rig.say("output1:state on", "source1:frequency 100", "system:beep") == []
    assert rig.world.light.generator == Generator(True, 100.0, 3.0)
    assert rig.say("source1:frequency 50e6", "source1:BURSt:STATe ON", "source1:BURSt:NCYCles 2") == []
    # The timer's interval after reset is 1 ms.
    assert rig.world.light.generator == Generator(True, 1000.0, 3.0, 2, 20.0)


def test_with_auto_a_query_is_read_at_once_and_a_command_is_not(rig: Rig) -> None:
    assert rig.say("++auto 1", "*IDN?", "FREQ 100", "FREQ?") == [AFG, "1.0000000000E+02\n"]
    assert rig.say("SYST:ERR?") == ['0,"No error"\n']


def test_an_answer_that_nobody_read_is_interrupted_by_the_next_message(rig: Rig) -> None:
    assert rig.say("*IDN?", "SYST:ERR?", "++read eoi") == ['-410,"Query INTERRUPTED"\n']


def test_each_address_has_an_answer_of_its_own_waiting(rig: Rig) -> None:
    assert rig.say("++addr 10", "*IDN?", "++addr 5", "*IDN?") == []
    assert rig.say("++addr 10", "++read eoi", "++addr 5", "++read eoi") == [AFG, SUPPLY]


def test_one_state_on_the_bus_and_on_the_socket(rig: Rig) -> None:
    rig.say("++addr 5", "INST P25V;:VOLT 12")
    assert said(rig.supply.connect(), "VOLT?;VOLT 11") == ["+1.20000000E+01\n"]
    assert rig.say("VOLT?", "++read eoi") == ["+1.10000000E+01\n"]


@pytest.mark.parametrize(
    ("name", "value", "at_start"),
    [
        ("mode", 0, 1),
        ("auto", 1, 0),
        ("addr", 5, 10),
        ("eoi", 0, 1),
        ("eos", 3, 0),
        ("read_tmo_ms", 3000, 500),
        ("eot_enable", 1, 0),
        ("eot_char", 42, 0),
        ("savecfg", 0, 1),
    ],
)
def test_the_bare_form_returns_the_value(rig: Rig, name: str, value: int, at_start: int) -> None:
    assert rig.say(f"++{name}", f"++{name} {value}", f"++{name}") == [f"{at_start}\r\n", f"{value}\r\n"]
    assert rig.say(f"++{name} 99999", f"++{name} x", f"++{name}") == [UNKNOWN, UNKNOWN, f"{value}\r\n"]
    assert said(rig.box.connect(), f"++{name}") == [f"{value}\r\n"], "the next client finds it"


def test_what_else_the_box_knows(rig: Rig) -> None:
    assert rig.say("++ver", "++VER") == [VERSION, VERSION]
    assert rig.say("++nonsense", "++", "++read x") == [UNKNOWN] * 3
    assert rig.say("++loc", "++llo", "++ifc", "++clr") == []
    (listed,) = rig.say("++help")
    assert {"++spoll", "++addr", "++read"} <= set(listed.split())


def test_reset_is_long_and_forgets_settings_and_answers(rig: Rig) -> None:
    rig.say("++auto 1", "++addr 5", "++auto 0", "*IDN?")
    (pause,) = rig.talker.receive(b"++rst\n", NOW)
    assert (pause.data, pause.after_s) == (b"", 5.0)
    assert rig.say("++addr", "++addr 5", "++read eoi") == ["10\r\n"]


def test_device_clear_empties_buffers_and_keeps_the_queue(rig: Rig) -> None:
    assert rig.say("FOO", "*IDN?", "++clr", "++read eoi") == []
    assert rig.say("SYST:ERR?", "++read eoi") == ['-113,"Undefined header"\n']


def test_serial_poll_and_service_request(rig: Rig) -> None:
    assert rig.say("*SRE 4", "++srq", "++spoll") == ["0\r\n", "0\r\n"]
    # Bit 4: an error waits. Bit 64 of a serial poll is the request for service, which it answers.
    assert rig.say("FOO", "++srq", "++spoll", "++srq", "++spoll 10") == ["1\r\n", "68\r\n", "0\r\n", "4\r\n"]
    assert rig.say("*SRE 16", "*IDN?", "++srq", "++spoll", "++read eoi") == ["1\r\n", "84\r\n", AFG]
    assert rig.say("++spoll 7", "++spoll 77") == [UNKNOWN], "nobody is at 7, and 77 is no address"


def test_group_trigger(rig: Rig) -> None:
    rig.say("++addr 5", "INST P6V;:VOLT:TRIG 3;:INIT", "++addr 10", "++trg 5", "++addr 5")
    assert rig.say("VOLT?", "++read eoi") == ["+3.00000000E+00\n"]


def test_escaped_bytes_are_data_and_an_escaped_plus_is_not_for_the_box(rig: Rig) -> None:
    data = b"\r\n\x1b+;,"
    escaped = b"".join(b"\x1b" + bytes([byte]) if byte in b"\r\n\x1b+" else bytes([byte]) for byte in data)
    assert rig.talker.receive(b"DATA EMEM,#16" + escaped + b"\n", NOW) == []
    assert rig.talker.receive(b"DATA? EMEM\n++read eoi\n", NOW)[0].data == b"#16" + data + b"\n"
    assert rig.talker.receive(b"\x1b+\x1b+ver\n", NOW) == []
    assert rig.say("SYST:ERR?", "++read eoi") == ['-101,"Invalid character"\n']


def test_without_eoi_and_terminator_a_message_has_no_end(rig: Rig) -> None:
    rig.say("++eoi 0", "++eos 3", "*ID", "N?")
    assert rig.say("++read eoi") == []
    assert rig.say("++eos 2", "", "++clr", "*CLS", "*IDN?", "++read eoi") == [AFG]
    assert rig.say("++eos 3", "*I", "++eos 2", "DN?", "++read eoi") == [AFG]


def test_a_read_may_end_at_a_byte_and_the_rest_stays(rig: Rig) -> None:
    assert rig.say("*IDN?", "++read 44", "++read eoi") == ["TEKTRONIX,", AFG.removeprefix("TEKTRONIX,")]


def test_a_byte_of_the_clients_choice_marks_the_end(rig: Rig) -> None:
    assert rig.say("++eot_enable 1", "++eot_char 33", "*OPC?", "++read eoi") == ["1\n!"]


def test_an_address_without_instrument_and_a_box_that_is_no_controller_are_silent(rig: Rig) -> None:
    assert rig.say("++addr 9", "*IDN?", "++read eoi", "++clr") == []
    assert rig.say("++addr 10", "++mode 0", "*IDN?", "++read eoi", "++mode 1", "++read eoi") == []


def test_long_lines_are_refused_by_whoever_they_are_for(rig: Rig) -> None:
    assert rig.talker.receive(b"++" + b"x" * 100_000 + b"\n", NOW)[0].data.decode() == UNKNOWN
    assert rig.talker.receive(b"FREQ " + b"1" * 100_000 + b"\n", NOW) == []
    assert rig.say("SYST:ERR?;*ESR?", "++read eoi") == ['-363,"Input buffer overrun";8\n']


def test_faults_of_an_instrument_act_on_the_bus_as_well(rig: Rig) -> None:
    board = rig.boards["function_generator"]
    board.switch_on("stay_silent", times=1)
    assert rig.say("*IDN?", "++read eoi", "*IDN?", "++read eoi") == [AFG]
    board.switch_on("answer_half", times=1)
    assert rig.say("*IDN?", "++read eoi") == [AFG[: len(AFG) // 2]]
    board.switch_on("answer_garbage", times=1)
    (garbage,) = rig.talker.receive(b"*IDN?\n++read eoi\n", NOW)
    assert len(garbage.data) == len(AFG)
    assert garbage.data != AFG.encode()
    board.switch_on("answer_late", times=1, delay_s=7)
    (late,) = rig.talker.receive(b"*IDN?\n++read eoi\n", NOW)
    assert (late.data.decode(), late.after_s) == (AFG, 7.0)
    board.switch_on("refuse_connection")
    assert rig.say("*IDN?", "++read eoi", "++ver") == [VERSION]
    board.switch_off("refuse_connection")
    assert rig.say("*IDN?", "++read eoi") == [AFG]


def test_without_its_bus_the_box_answers_and_nobody_else(rig: Rig) -> None:
    rig.boards["gpib"].switch_on("lose_bus")
    assert rig.say("*IDN?", "++read eoi", "++addr 5", "*IDN?", "++read eoi", "++ver") == [VERSION]
