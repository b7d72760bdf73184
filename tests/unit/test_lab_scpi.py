"""Exchanges with the instruments that speak SCPI, assembled by hand.

Origin: the tables of `reference/peripherals.md` (commands, ranges, forms of answers, identities, error texts) and, for
the status registers, IEEE 488.2, 11.2 and 11.5. `>` is sent, `<` must come back; nothing else may.
"""

from __future__ import annotations

from typing import Any

import pytest

from sim.kernel import FaultBoard, SimTime
from sim.lab.figures import LabFigures
from sim.lab.instruments.arbitrary_generator import Agilent33220A
from sim.lab.instruments.function_generator import Afg3101C
from sim.lab.instruments.power_supply import E3631A, OverSerial
from sim.lab.instruments.scpi_parts import FAULTS
from sim.lab.world import World

NOW = SimTime(0)
MODELS = {"AFG3101C": Afg3101C, "33220A": Agilent33220A, "E3631A": E3631A}


def instrument(model: str) -> Any:
    part = "power_supply" if model == "E3631A" else "function_generator"
    figures = LabFigures()
    return MODELS[model](figures.scpi, World(figures, []), FaultBoard(part, FAULTS[part]))


def said(talker: Any, *lines: str) -> list[str]:
    """What comes back for lines sent at once, one string for each piece."""
    data = "".join(f"{line}\n" for line in lines).encode()
    return [answer.data.decode() for answer in talker.receive(data, NOW)]


def hold(model: str, exchange: str) -> None:
    talker = instrument(model).connect()
    came: list[str] = []
    for line in exchange.strip().splitlines():
        text = line.strip()[2:]
        if line.strip().startswith(">"):
            assert came == [], f"nobody asked for this before {text!r}"
            came = said(talker, text)
        else:
            assert came, f"{text!r} did not come"
            assert came.pop(0) == text + "\n"
    assert came == []


EXCHANGES = {
    ("AFG3101C", "start of the laboratory's program"): """
        > *IDN?
        < TEKTRONIX,AFG3101C,C010101,SCPI:99.0 FV:3.2.2
        > OUTPut1:STATe OFF
        > SOURce1:FUNCtion:SHAPe SIN
        > SOURce1:FREQuency:FIXed 1e6
        > SOURce1:VOLTage:UNIT VPP
        > SOURce1:VOLTage:AMPLitude 1VPP
        > SOURce1:VOLTage:OFFSet 0
        > source1:func:shape SQU
        > source1:freq 1000
        > source1:volt:ampl 3VPP
        > OUTPut1:STATe ON
        > OUTPut1:STATe?
        < 1
        > SOURce1:FREQuency:FIXed 1.000000e+02
        > SOURce1:FREQuency?
        < 1.0000000000E+02
        > SOURce1:FUNCtion:SHAPe?
        < SQU
        > SOURce1:VOLTage:AMPLitude?
        < 3.0000000000E+00
        > SYSTem:ERRor?
        < 0,"No error"
        > STATus:OPERation:CONDition?
        < 0
        > *OPC?
        < 1""",
    ("AFG3101C", "after reset"): """
        > OUTP ON;:FREQ 5;:FUNC DC;:VOLT 2;:VOLT:OFFS 1;:OUTP:IMP INF;:BURS:STAT ON;*RST
        > OUTP?;:FREQ?;:FUNC?;:VOLT?;:VOLT:UNIT?;:VOLT:OFFS?;:OUTP:IMP?;:BURS:STAT?
        < 0;1.0000000000E+06;SIN;1.0000000000E+00;VPP;0.0000000000E+00;50;0""",
    ("AFG3101C", "burst of two at 50 MHz"): """
        > SOUR:BURS:STAT ON;NCYC 2;MODE TRIG;TDEL 0;:FREQ 50MHZ;:TRIG:TIM 10ms
        > SOUR1:BURS:STAT?;NCYC?;MODE?;:SOUR1:FREQ:FIX?;:TRIG:TIM?
        < 1;2;TRIG;5.0000000000E+07;1.0000000000E-02
        > BURS:NCYC INF;NCYC?;NCYC INFinity;NCYC?
        < 9.9E+37;9.9E+37
        > BURS:MODE GATed;MODE?
        < GAT
        > *TRG
        > SYST:ERR?
        < -211,"Trigger ignored"
        > SYST:BEEP;BEEPer
        > SYST:ERR?
        < 0,"No error\"""",
    ("AFG3101C", "every shape"): """
        > FUNC PULS;FUNC?;FUNC RAMP;FUNC?;FUNC PRNoise;FUNC?;FUNC sinc;FUNC?;FUNC GAUSSIAN;FUNC?;FUNC LOR;FUNC?
        < PULS;RAMP;PRN;SINC;GAUS;LOR
        > FUNC ERISe;FUNC?;FUNC EDEC;FUNC?;FUNC HAVersine;FUNC?;FUNC SINUSOID;FUNC?
        < ERIS;EDEC;HAV;SIN""",
    ("AFG3101C", "units: 1 Vrms of a sine is 2.828 Vpp, 10 dBm in 50 ohm is 2 Vpp"): """
        > VOLT 1VRMS;:VOLT?
        < 2.8284271247E+00
        > VOLT 10 DBM;:VOLT?
        < 2.0000000000E+00
        > VOLT 500mvpp;:VOLT?;:VOLT:UNIT VRMS;:VOLT?;:VOLT:UNIT DBM;:VOLT?
        < 5.0000000000E-01;1.7677669530E-01;-2.0411998266E+00
        > FUNC SQU;:VOLT 1VRMS;:VOLT:UNIT VPP;:VOLT?
        < 2.0000000000E+00""",
    ("AFG3101C", "limits"): """
        > VOLT? MIN;:VOLT? MAX;:FREQ? MIN;:FREQ? MAXimum
        < 2.0000000000E-02;1.0000000000E+01;1.0000000000E-06;1.5000000000E+08
        > FREQ 100
        > FREQ 150.1MHz;:FREQ?;:VOLT 11;:VOLT?;:SYST:ERR?;:SYST:ERR?;:SYST:ERR?
        < 1.0000000000E+02;1.0000000000E+00;-222,"Data out of range";-222,"Data out of range";0,"No error"
        > FREQ MAX;:FREQ?;:FREQ DEF;:FREQ?
        < 1.5000000000E+08;1.0000000000E+06""",
    ("AFG3101C", "pulse width and duty cycle follow each other"): """
        > FREQ 100;:PULS:DCYC 25;:PULS:WIDT?
        < 2.5000000000E-03
        > PULS:WIDT 1e-3;:PULS:DCYC?
        < 1.0000000000E+01
        > PULS:HOLD WIDT;:FREQ 200;:PULS:WIDT?;:PULS:DCYC?
        < 1.0000000000E-03;2.0000000000E+01""",
    ("E3631A", "supply of the laser"): """
        > *IDN?
        < HEWLETT-PACKARD,E3631A,0,2.1-5.0-1.0
        > SYST:REM
        > INST:NSEL 2;:VOLT 12
        > INST:NSEL 2;:CURR 0.5
        > INST?;INST:NSEL?;:VOLT?;:CURR?
        < P25V;2;+1.20000000E+01;+5.00000000E-01
        > OUTP?
        < 0
        > MEAS:VOLT? P25V
        < +0.00000000E+00
        > OUTPut 1, (@2)
        > OUTP?;OUTP? (@2);:MEAS:VOLT?;:MEAS:CURR?
        < 1;1;+1.20000000E+01;+3.00000000E-01
        > INSTrument:SELect N25V;:VOLT -5;:VOLT?
        < -5.00000000E+00
        > APPL P25V,11.5,0.4;:INST?;:APPL?
        < P25V;"11.500000,0.400000"
        > SYST:ERR?
        < +0,"No error"
        > SYST:LOC;:OUTP:TRAC ON;:OUTP:TRAC?;:INST N25V;:VOLT?
        < 1;-1.15000000E+01""",
    ("E3631A", "limits of each output"): """
        > VOLT 6.18;:VOLT?;:VOLT 6.19;:VOLT?;:SYST:ERR?
        < +6.18000000E+00;+6.18000000E+00;-222,"Data out of range"
        > APPL P25V,25.75;:VOLT?;:APPL P25V,25.76;:VOLT?;:SYST:ERR?
        < +2.57500000E+01;+2.57500000E+01;-222,"Data out of range"
        > INST N25V;:VOLT? MIN;:VOLT? MAX;:VOLT 1;:SYST:ERR?
        < -2.57500000E+01;+0.00000000E+00;-222,"Data out of range"
        > INST:NSEL 4;:SYST:ERR?;:INST P30V;:SYST:ERR?;:OUTP ON,(@4);:SYST:ERR?;:OUTP?
        < -222,"Data out of range";-224,"Illegal parameter value";-222,"Data out of range";0""",
    ("E3631A", "levels that wait for a trigger, memories, reset"): """
        > INST P6V;:VOLT 1;:VOLT:TRIG 3;:VOLT?;:VOLT:TRIG?;*TRG;:VOLT?;:SYST:ERR?
        < +1.00000000E+00;+3.00000000E+00;+1.00000000E+00;-211,"Trigger ignored"
        > INIT;*TRG;:VOLT?
        < +3.00000000E+00
        > *SAV 2;*RST;:VOLT?;*RCL 2;:VOLT?
        < +0.00000000E+00;+3.00000000E+00""",
    ("33220A", "short forms"): """
        > *RST;FUNC SQU;FREQ 100;VOLT 3;VOLT:OFFS 0.5
        > FUNC?;FREQ?;VOLT?
        < SQU;+1.0000000000000E+02;+3.0000000000000E+00
        > VOLT:HIGH?;LOW?;:OUTP 1;OUTP?
        < +2.0000000000000E+00;-1.0000000000000E+00;1
        > BURS:STAT 1;NCYC 2;NCYC?;:TRIG:SOUR BUS;SOUR?
        < +2.0000000000000E+00;BUS
        > APPL:SIN 1KHZ,2VPP,0;:APPL?
        < "SIN +1.0000000000000E+03,+2.0000000000000E+00,+0.0000000000000E+00"
        > SYST:ERR?
        < +0,"No error\"""",
    ("33220A", "another load shows other voltages for the same output"): """
        > VOLT 1;:OUTP:LOAD INF;:VOLT?;:OUTP:LOAD?;:VOLT? MAX
        < +2.0000000000000E+00;9.9E+37;+2.0000000000000E+01""",
}


@pytest.mark.parametrize("which", EXCHANGES, ids=": ".join)
def test_exchange(which: tuple[str, str]) -> None:
    hold(which[0], EXCHANGES[which])


@pytest.mark.parametrize(
    ("sent", "error", "bit"),
    [
        ("FOO?", '-113,"Undefined header"', 32),
        ("FREQ:FOO 1", '-113,"Undefined header"', 32),
        ("FREQ2 1", '-113,"Undefined header"', 32),
        ("*FOO", '-113,"Undefined header"', 32),
        ("SOURCE2:FREQ?", '-114,"Header suffix out of range"', 32),
        ("FREQ$ 1", '-101,"Invalid character"', 32),
        ("::FREQ 1", '-102,"Syntax error"', 32),
        ("FREQ", '-109,"Missing parameter"', 32),
        ("FREQ 1,2", '-108,"Parameter not allowed"', 32),
        ("OUTP? ON", '-108,"Parameter not allowed"', 32),
        ("FREQ 1 V", '-131,"Invalid suffix"', 32),
        ("*ESE 1 V", '-138,"Suffix not allowed"', 32),
        ("FREQ 1.2.3", '-121,"Invalid character in number"', 32),
        ("FREQ 'a'", '-104,"Data type error"', 32),
        ('FREQ "', '-151,"Invalid string data"', 32),
        ("FREQ 1e99999", '-123,"Exponent too large"', 32),
        ("FREQ 1e999", '-222,"Data out of range"', 16),
        ("FUNC NOTHING", '-224,"Illegal parameter value"', 16),
        ("DATA EMEM,#15abc", '-161,"Invalid block data"', 32),
        ("*TRG", '-211,"Trigger ignored"', 16),
    ],
)
def test_what_is_refused_says_nothing_and_is_noted_with_its_bit(sent: str, error: str, bit: int) -> None:
    talker = instrument("AFG3101C").connect()
    assert said(talker, sent) == []
    assert said(talker, "*ESR?", "*ESR?", "SYST:ERR?", "SYST:ERR?") == [
        f"{bit}\n",
        "0\n",
        f"{error}\n",
        '0,"No error"\n',
    ]


def test_a_refused_unit_takes_nothing_else_of_its_message_with_it() -> None:
    talker = instrument("AFG3101C").connect()
    assert said(talker, "FREQ 100;FOO 1;FREQ?;BAR?;*IDN?") == [
        "1.0000000000E+02;TEKTRONIX,AFG3101C,C010101,SCPI:99.0 FV:3.2.2\n"
    ]


def test_the_header_path_is_kept_in_a_message_by_common_commands_too_and_not_beyond() -> None:
    talker = instrument("AFG3101C").connect()
    assert said(talker, "SOUR1:BURS:STAT ON;*CLS;NCYC 3;NCYC?", "NCYC?", "SYST:ERR?") == [
        "3\n",
        '-113,"Undefined header"\n',
    ]


@pytest.mark.parametrize(
    ("model", "size", "last", "none"),
    [
        ("AFG3101C", 32, '-350,"Queue overflow"', '0,"No error"'),
        ("33220A", 20, '-350,"Queue overflow"', '+0,"No error"'),
        ("E3631A", 20, '-350,"Too many errors"', '+0,"No error"'),
    ],
)
def test_a_full_queue_ends_with_the_overflow(model: str, size: int, last: str, none: str) -> None:
    talker = instrument(model).connect()
    said(talker, *["FOO"] * (size + 5))
    queue = [line.rstrip("\n") for line in said(talker, *["SYST:ERR?"] * (size + 1))]
    assert queue == ['-113,"Undefined header"'] * (size - 1) + [last, none]
    said(talker, "FOO", "*CLS")
    assert said(talker, "SYST:ERR?;*ESR?") == [none + ";0\n"]


def test_status_byte_and_its_masks() -> None:
    talker = instrument("E3631A").connect()
    assert said(talker, "*STB?", "*ESE 36;*ESE?;*SRE 96;*SRE?") == ["0\n", "36;32\n"]
    said(talker, "FOO")
    # 4: the queue holds something; 32: an enabled event; 64: service is enabled for that.
    assert said(talker, "*STB?") == ["100\n"]
    # 16: an answer waits, that of *IDN? in the same message.
    assert said(talker, "*CLS;*IDN?;*STB?")[0].endswith(";16\n")
    assert said(talker, "*OPC;*ESR?;*TST?;*WAI;*OPC?") == ["1;0;1\n"]
    # The current of the laser's output is limited: QUEStionable bit 0, which summary bit 8 shows.
    said(talker, "APPL P25V,12,0.1;:OUTP ON;:STAT:QUES:ENAB 1")
    assert said(talker, "STAT:QUES:COND?;*STB?;:STAT:QUES?;QUES?;*STB?") == ["1;24;1;0;16\n"]


def test_lines_end_with_lf_or_cr_lf_and_arrive_in_any_pieces() -> None:
    talker = instrument("AFG3101C").connect()
    assert said(talker, "*OPC?\r", "", " \r", "*OPC?;*OPC?") == ["1\n", "1;1\n"]
    for piece in (b"*ID", b"N", b"?"):
        assert talker.receive(piece, NOW) == []
    (answer,) = talker.receive(b"\r\n", NOW)
    assert answer.data.startswith(b"TEKTRONIX")


def test_a_line_without_end_is_refused_whole_and_the_next_is_good() -> None:
    talker = instrument("AFG3101C").connect()
    for _ in range(100):
        assert talker.receive(b"FREQ 1;" * 1000, NOW) == []
    assert said(talker, "*OPC?", "SYST:ERR?;*ESR?", "FREQ?") == [
        '-363,"Input buffer overrun";8\n',
        "1.0000000000E+06\n",
    ]


def test_a_message_cannot_make_an_answer_without_end() -> None:
    talker = instrument("AFG3101C").connect()
    assert said(talker, "*IDN?;" * 5000) == []
    assert said(talker, "SYST:ERR?;*ESR?") == ['-430,"Query DEADLOCKED";4\n']


def test_connections_share_the_instrument_and_not_their_half_lines() -> None:
    generator = instrument("AFG3101C")
    one, other = generator.connect(), generator.connect()
    one.receive(b"FREQ 7", NOW)
    assert said(other, "FREQ?") == ["1.0000000000E+06\n"]
    one.receive(b"7\n", NOW)
    assert said(other, "FREQ?") == ["7.7000000000E+01\n"]


def test_the_serial_port_of_the_supply_ends_answers_with_cr_lf() -> None:
    supply = instrument("E3631A")
    assert said(OverSerial(supply).connect(), "VOLT 2;VOLT?") == ["+2.00000000E+00\r\n"]
    assert said(supply.connect(), "VOLT?") == ["+2.00000000E+00\n"]


def test_numbers_may_be_written_in_other_bases_and_switches_as_numbers() -> None:
    talker = instrument("AFG3101C").connect()
    assert said(talker, "FREQ #H64;:FREQ?;:FREQ #B101;:FREQ?;:FREQ +.5E1;:FREQ?") == [
        "1.0000000000E+02;5.0000000000E+00;5.0000000000E+00\n"
    ]
    assert said(talker, "OUTP 2;:OUTP?;:OUTP 0.2;:OUTP?;:OUTP oN;:OUTP?") == ["1;0;1\n"]
