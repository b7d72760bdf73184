"""Whatever bytes a console is sent: no exception, bounded answers, and the next good command works."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.degg.console import Console, Session
from sim.degg.console.forth import MAX_REPLY
from sim.degg.console.vocabulary import WORDS
from sim.degg.module import Module
from sim.kernel import FaultBoard, SimTime, Transcript
from sim.kernel.clock import manual_clock
from sim.lab.figures import LabFigures
from sim.lab.modules import FAULTS, ModulesTable, boards
from sim.lab.site import Site
from sim.lab.world import Generator, World

PROMPT = b"\r\n> "
NOW = SimTime(3_000_000_000)

NUMBERS = st.one_of(
    st.sampled_from(["0", "1", "2", "65", "66", "14", "128", "1400", "8050", "0x5000", "-1", "4294967295"]),
    st.integers(-(1 << 33), 1 << 33).map(str),
)
TOKENS = st.one_of(
    NUMBERS,
    st.sampled_from(sorted(WORDS)),
    st.sampled_from(['s" x.rbf"', 's" degg_fw_v0x110.rbf"', "true", "false", "\r", "\t"]),
)
LINES = st.lists(TOKENS, max_size=12).map(lambda tokens: " ".join(tokens).encode() + b"\r\n")
WORD_LINES = st.tuples(st.lists(NUMBERS, max_size=4), st.sampled_from(sorted(WORDS))).map(
    lambda parts: " ".join([*parts[0], parts[1]]).encode() + b"\r\n"
)
INPUT = st.lists(st.one_of(LINES, WORD_LINES, st.binary(max_size=60)), max_size=15).map(b"".join)


@pytest.fixture(scope="module", params=[5000, 10007])
def board(request: pytest.FixtureRequest) -> Module:
    table = ModulesTable(count=1)
    world = World(LabFigures(), table.all_ports())
    world.light.set_supply(SimTime(0), 12.0, True)
    world.light.set_generator(SimTime(0), Generator(True, 100.0, 3.0))
    faults = {f"degg.{port}": FaultBoard(f"degg.{port}", FAULTS) for port in table.all_ports()}
    with tempfile.TemporaryDirectory() as folder:
        site = Site("lab", 5, Path(folder), manual_clock(), world, faults, Transcript(None, lambda: NOW), "")
        made: Module = boards(site, table)[request.param]
    for name in ("pmt_hv", "lid", "mcu_flash"):
        setattr(made.interlocks, name, True)
    return made


def good_again(session: Session) -> None:
    """What a client does that has lost its thread; then an answer is what it should be."""
    session.receive(b"\r\n", NOW)
    session.receive(b"boot\r\n", NOW)
    session.receive(b"true setecho\r\n", NOW)
    session.receive(b"sdrop\r\n", NOW)
    answers = session.receive(b"0x10 .s drop\r\n", NOW)
    assert b"".join(said.data for said in answers) == b"0x10 .s drop\r\n<1> 16 " + PROMPT


@given(data=INPUT, cuts=st.lists(st.integers(0, 400), max_size=8))
@settings(max_examples=150, deadline=None)
def test_the_next_good_command_works(board: Module, data: bytes, cuts: list[int]) -> None:
    session = Console(board, WORDS).connect()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        answers = session.receive(data[start:end], NOW)
        assert sum(len(said.data) for said in answers) < 2 * MAX_REPLY
    good_again(session)


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 300), max_size=10))
@settings(max_examples=100, deadline=None)
def test_any_split_gives_the_same_bytes(board: Module, data: bytes, cuts: list[int]) -> None:
    whole = Console(board, WORDS).connect()
    parted = Console(board, WORDS).connect()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    expected = b"".join(said.data for said in whole.receive(data, NOW))
    pieces = [parted.receive(data[start:end], NOW) for start, end in itertools.pairwise(edges)]
    assert b"".join(said.data for piece in pieces for said in piece) == expected


@pytest.mark.parametrize("seed", range(4))
def test_ten_thousand_random_strings(board: Module, seed: int) -> None:
    draw = np.random.default_rng(seed)
    session = Console(board, WORDS).connect()
    for _ in range(2_500):
        session.receive(draw.bytes(int(draw.integers(1, 80))), NOW)
    good_again(session)
