"""The freezer's instruments take any bytes in any pieces, and the next good command works."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sim.kernel import NS_PER_S, FaultBoard, SimTime
from sim.lab.figures import ColdFigures, FreezerFigures
from sim.lab.freezer import FAULTS
from sim.lab.freezer.espec import Espec
from sim.lab.freezer.freezer import Freezer
from sim.lab.freezer.julabo import Julabo
from sim.lab.freezer.lake_shore import LakeShore
from sim.lab.freezer.panel import Panel
from sim.lab.freezer.pins import FreezerPins, PinLog
from sim.lab.freezer.thermotron import Thermotron
from sim.lab.lines import Instrument
from sim.lab.world import ColdPath, PowerPath

FIGURES = FreezerFigures()


def _freezer() -> Freezer:
    return Freezer(ColdPath(ColdFigures()), ColdFigures())


def _board(part: str) -> FaultBoard:
    return FaultBoard(part, FAULTS[part])


MAKERS: dict[str, Callable[[], Instrument]] = {
    "thermotron": lambda: Thermotron(_freezer(), FIGURES, _board("chamber")),
    "julabo": lambda: Julabo(_freezer(), FIGURES, _board("chamber")),
    "espec": lambda: Espec(_freezer(), FIGURES, _board("chamber")),
    "lake_shore": lambda: LakeShore(ColdPath(ColdFigures()), "224", FIGURES, _board("lake_shore")),
    "pins": lambda: FreezerPins(
        Panel(_freezer(), FIGURES, _board("freezer_pins")), PowerPath([5000], 0.5), PinLog(Path("nowhere"))
    ),
}
GOOD = {
    "thermotron": (b"IDEN?", b"3800\n"),
    "julabo": (b"version", b"JULABO HIGHTECH FL SL VERSION 4.2\r\n"),
    "espec": (b"ROM?", b"SCP-220 2.00\r\n"),
    "lake_shore": (b"*OPC?", b"1\r\n"),
    "pins": (b"C9?", b"ERR lines are: C0 1, C0 0, C0? with pins C0 (mains), C1 (set), C2 (up), C3 (down)\n"),
}
WORDS = st.sampled_from(
    [
        *(b"IDEN?", b"PVAR1?", b"SETP1,", b"RUNM", b"STOP"),
        *(b"in_sp_00", b"out_sp_00 ", b"status"),
        *(b"TEMP?", b"TEMP, S", b"MODE, ", b"CONSTANT"),
        *(b"CRDG? ", b"*ESR?", b"A"),
        *(b"C1 1", b"C1 0", b"C2 1", b"C2 0"),
        *(b"\r\n", b"\n", b"\r", b",", b";", b"?", b" "),
        *(b"-40", b"1e999", b"nan", b"9" * 300, b"\x00", b"\xff\xfe"),
    ]
)
BYTES = st.lists(st.one_of(WORDS, st.binary(max_size=8)), max_size=30).map(b"".join)


def say(talker: object, data: bytes, now: int = 0) -> bytes:
    return b"".join(answer.data for answer in talker.receive(data, SimTime(now)))  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", MAKERS)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=BYTES, cuts=st.lists(st.integers(0, 400), max_size=12))
@example(data=b"9" * 5000 + b"\n", cuts=[1, 300])
def test_pieces_do_not_matter_and_the_next_command_works(kind: str, data: bytes, cuts: list[int]) -> None:
    whole, pieces = MAKERS[kind]().connect(), MAKERS[kind]().connect()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    together = say(whole, data)
    assert together == b"".join(say(pieces, data[a:b]) for a, b in pairwise(edges))
    command, answer = GOOD[kind]
    for talker in (whole, pieces):
        say(talker, b"\n")
        assert say(talker, command + b"\n") == answer


@pytest.mark.parametrize("kind", MAKERS)
def test_ten_thousand_random_strings(kind: str) -> None:
    rng = np.random.default_rng(7)
    talker = MAKERS[kind]().connect()
    command, answer = GOOD[kind]
    for number in range(10_000):
        say(talker, rng.bytes(int(rng.integers(1, 60))), number * NS_PER_S)
        if number % 1000 == 0:
            say(talker, b"\r")
            assert say(talker, command + b"\r", number * NS_PER_S) == answer


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    presses=st.lists(
        st.tuples(st.sampled_from(["set", "up", "down"]), st.floats(0, 6), st.floats(0, 70)), max_size=40
    )
)
def test_any_keys_leave_a_set_point_that_the_freezer_can_hold(
    presses: list[tuple[str, float, float]],
) -> None:
    freezer = _freezer()
    panel = Panel(freezer, FIGURES, _board("freezer_pins"))
    now = 0
    for key, held_s, waited_s in presses:
        panel.press(key, SimTime(now))  # type: ignore[arg-type]
        now += round(held_s * NS_PER_S)
        panel.release(key, SimTime(now))  # type: ignore[arg-type]
        now += round(waited_s * NS_PER_S)
        tenths = freezer.set_point * 10
        assert abs(tenths - round(tenths)) < 1e-9
        assert -57 <= freezer.set_point <= 30
        assert -57 <= float(panel.display(SimTime(now)).set_point) <= 30
