"""Any bytes to a filter wheel, in any pieces: it never fails, and the next good command works."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sim.kernel import FaultBoard, SimTime
from sim.lab.figures import WheelFigures
from sim.lab.instruments.filter_wheel import MAX_LINE, WHEEL_FAULTS, FilterWheel

COMMANDS = st.sampled_from(
    [
        b"pos?\r",
        b"pos=2\r",
        b"pos=6\r",
        b"pcount=12\r",
        b"speed=0\r",
        b"save\r",
        b">\r",
        b"\r",
        b"pos=",
        b"9",
        b"\n",
    ]
)
NOISE = st.lists(COMMANDS | st.binary(max_size=12) | st.binary(min_size=100, max_size=200), max_size=12).map(
    b"".join
)


def a_wheel() -> FilterWheel:
    return FilterWheel(FaultBoard("wheel", WHEEL_FAULTS), WheelFigures(), (1.0,) * 6, lambda *_: None)


def answers(pieces: list[bytes]) -> bytes:
    talker = a_wheel().connect()
    return b"".join(answer.data for piece in pieces for answer in talker.receive(piece, SimTime(0)))


@given(NOISE)
def test_after_any_bytes_the_next_good_command_works(noise: bytes) -> None:
    said = answers([noise, b"\r", b"*idn?\r"])
    assert said.endswith(b"> *idn?\rTHORLABS FW102C/FW212C Filter Wheel version 1.07\r> ")
    lines = noise.count(b"\r") + 2
    assert len(said) <= lines * (MAX_LINE + len(b"\rTHORLABS FW102C/FW212C Filter Wheel version 1.07\r> "))


@given(NOISE, st.lists(st.integers(0, 400), max_size=8))
def test_pieces_make_no_difference(noise: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(noise)]
    pieces = [noise[start:end] for start, end in pairwise(edges)]
    whole = b"".join(pieces)
    assert answers(pieces) == answers([whole])
    assert answers([whole[i : i + 1] for i in range(len(whole))]) == answers([whole])
