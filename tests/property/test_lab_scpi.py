"""Instruments that speak SCPI take any bytes in any pieces."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.kernel import FaultBoard, SimTime
from sim.lab.figures import LabFigures
from sim.lab.instruments.arbitrary_generator import Agilent33220A
from sim.lab.instruments.function_generator import Afg3101C
from sim.lab.instruments.power_supply import E3631A
from sim.lab.instruments.prologix import OnBus, PrologixBox
from sim.lab.instruments.scpi_parts import FAULTS
from sim.lab.world import World

NOW = SimTime(0)


def part(name: str) -> Any:
    """An instrument, new."""
    figures = LabFigures()
    world = World(figures, [])
    boards = {part: FaultBoard(part, faults) for part, faults in FAULTS.items()}
    make = {
        "AFG3101C": lambda: Afg3101C(figures.scpi, world, boards["function_generator"]),
        "33220A": lambda: Agilent33220A(figures.scpi, world, boards["function_generator"]),
        "E3631A": lambda: E3631A(figures.scpi, world, boards["power_supply"]),
    }
    if name != "box":
        return make[name]()
    bus = {
        10: OnBus(make["AFG3101C"](), boards["function_generator"]),
        5: OnBus(make["E3631A"](), boards["power_supply"]),
    }
    return PrologixBox(bus, boards["gpib"])


UNITS = [
    "*IDN?",
    "*RST",
    "*CLS",
    "*ESR?",
    "*STB?",
    "SYST:ERR?",
    ":SYSTem:ERRor:NEXT?",
    "FREQ 100",
    "sour1:freq:fixed 1.5e+2",
    "FREQ?",
    "VOLT 3VPP",
    "VOLT 1",
    "VOLT?",
    ":VOLT? MAX",
    ":BURS:NCYC INF",
    "NCYC?",
    "OUTP ON",
    ":OUTP?",
    "INST:NSEL 2",
    ":INST?",
    "APPL P25V,12,0.5",
    "MEAS:VOLT? P25V",
    "OUTP 1, (@2)",
    'DISP:TEXT "a;b,c"',
    "FOO?",
    "FREQ 1e99",
    "",
    "++ver",
    "++addr 5",
    "++addr 10",
    "++auto 1",
    "++read eoi",
    "++spoll",
]
MESSAGES = st.lists(
    st.lists(st.sampled_from(UNITS), min_size=1, max_size=4).map(";".join), min_size=1, max_size=8
)
ENDS = st.sampled_from(["\n", "\r\n"])
PARTS = st.sampled_from(["AFG3101C", "33220A", "E3631A", "box"])
NOISE = st.one_of(
    st.binary(max_size=300),
    st.text(alphabet="*+:;,?#()@'\"0123456789.eEFREQVOLTOUTPMEASDATA \t\r\n\x1b", max_size=200).map(
        str.encode
    ),
)


def answers(talker: Any, *pieces: bytes) -> bytes:
    return b"".join(answer.data for piece in pieces for answer in talker.receive(piece, NOW))


@given(name=PARTS, messages=MESSAGES, end=ENDS, cuts=st.lists(st.integers(0, 400), max_size=12))
@settings(max_examples=60, deadline=None)
def test_any_split_gives_the_same_answers(name: str, messages: list[str], end: str, cuts: list[int]) -> None:
    data = "".join(message + end for message in messages).encode()
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    pieces = [data[begin:stop] for begin, stop in pairwise(places)]
    assert answers(part(name).connect(), *pieces) == answers(part(name).connect(), data)


@given(name=PARTS, noise=st.lists(NOISE, max_size=6))
@settings(max_examples=120, deadline=None)
def test_after_any_bytes_the_next_good_command_works(name: str, noise: list[bytes]) -> None:
    talker = part(name).connect()
    answers(talker, *noise)
    if name == "box":
        # Twice an end of line: the first may stand behind an ESC.
        answers(talker, b"\n\n++mode 1\n++eot_enable 0\n++eoi 1\n++eos 2\n++addr 10\n++auto 0\n++clr\n")
        assert answers(talker, b"*OPC?\n++read eoi\n") == b"1\n"
    else:
        answers(talker, b"\n")
        assert answers(talker, b"*CLS;*OPC?;:SYST:ERR?\n") in (b'1;0,"No error"\n', b'1;+0,"No error"\n')


@given(
    value=st.floats(1e-6, 150e6), unit=st.sampled_from([("", 1.0), ("HZ", 1.0), ("kHz", 1e3), ("MHZ", 1e6)])
)
@settings(max_examples=60, deadline=None)
def test_a_frequency_in_any_unit_is_read_back(value: float, unit: tuple[str, float]) -> None:
    talker = part("AFG3101C").connect()
    name, factor = unit
    shown = float(answers(talker, f"FREQ {value / factor!r}{name};:FREQ?\n".encode()))
    assert abs(shown - value) <= 1e-9 * value
