"""The filter wheel: exchanges assembled by hand from the table of its commands, motion, light, faults.

Origin of the exchanges: the command table of the FW102C (echo, CR, reply and CR if there is one, prompt `> `). Nobody
published what an empty line, a line feed or an overlong line does: there the tests hold what was decided.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sim.kernel import NS_PER_S, FaultBoard, SimTime, Transcript
from sim.kernel.clock import manual_clock, wall_clock
from sim.lab.figures import LabFigures, WheelFigures
from sim.lab.instruments.filter_wheel import WHEEL_FAULTS, FilterWheel
from sim.lab.instruments.serial_parts import FAULTS, FilterWheelTable, SerialTable, servers
from sim.lab.lines import Link
from sim.lab.site import Site
from sim.lab.world import World

GOLDEN = (
    (b"*idn?\r", b"*idn?\rTHORLABS FW102C/FW212C Filter Wheel version 1.07\r> "),
    (b"pos?\r", b"pos?\r1\r> "),
    (b"pos=3\r", b"pos=3\r> "),
    (b"pos?\r", b"pos?\r3\r> "),
    (b"pos=7\r", b"pos=7\rCommand error CMD_ARG_INVALID\r> "),
    (b"pos=0\r", b"pos=0\rCommand error CMD_ARG_INVALID\r> "),
    (b"pos=-1\r", b"pos=-1\rCommand error CMD_ARG_INVALID\r> "),
    (b"pos=\r", b"pos=\rCommand error CMD_ARG_INVALID\r> "),
    (b"pos=two\r", b"pos=two\rCommand error CMD_ARG_INVALID\r> "),
    (b"pos?\r", b"pos?\r3\r> "),
    (b"pcount?\r", b"pcount?\r6\r> "),
    (b"pcount=12\r", b"pcount=12\r> "),
    (b"pos=12\r", b"pos=12\r> "),
    (b"pos?\r", b"pos?\r12\r> "),
    (b"pcount=7\r", b"pcount=7\rCommand error CMD_ARG_INVALID\r> "),
    (b"pcount?\r", b"pcount?\r12\r> "),
    (b"pcount=6\r", b"pcount=6\r> "),
    (b"pos?\r", b"pos?\r6\r> "),
    (b"speed=0\r", b"speed=0\r> "),
    (b"speed?\r", b"speed?\r0\r> "),
    (b"speed=2\r", b"speed=2\rCommand error CMD_ARG_INVALID\r> "),
    (b"trig=1\r", b"trig=1\r> "),
    (b"trig?\r", b"trig?\r1\r> "),
    (b"sensors=0\r", b"sensors=0\r> "),
    (b"sensors?\r", b"sensors?\r0\r> "),
    (b"baud=0\r", b"baud=0\r> "),
    (b"baud?\r", b"baud?\r0\r> "),
    (b"save\r", b"save\r> "),
    (b"POS?\r", b"POS?\rCommand error CMD_NOT_DEFINED\r> "),
    (b"pos\r", b"pos\rCommand error CMD_NOT_DEFINED\r> "),
    (b"?\r", b"?\rCommand error CMD_NOT_DEFINED\r> "),
    (b"=1\r", b"=1\rCommand error CMD_NOT_DEFINED\r> "),
    (b"save=1\r", b"save=1\rCommand error CMD_NOT_DEFINED\r> "),
    (b">\r", b">\rCommand error CMD_NOT_DEFINED\r> "),
    (b"\r", b"\r> "),
    (b"\xff\x00\r", b"\xff\x00\rCommand error CMD_NOT_DEFINED\r> "),
    (b"pos?\r\n", b"pos?\r6\r> "),
)
STRENGTHS = (1.0, 0.05, 0.25, 0.32, 0.5, 0.75)


@dataclass
class Wheel:
    """A wheel with all that it did."""

    board: FaultBoard = field(default_factory=lambda: FaultBoard("wheel", WHEEL_FAULTS))
    beam: list[float] = field(default_factory=list)
    bauds: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wheel = FilterWheel(
            self.board, WheelFigures(), STRENGTHS, lambda _, value: self.beam.append(value), self.bauds.append
        )
        self.talker = self.wheel.connect()

    def ask(self, data: bytes) -> bytes:
        return self.timed(data)[0]

    def timed(self, data: bytes) -> tuple[bytes, float]:
        """What comes back, and after how long."""
        answers = self.talker.receive(data, SimTime(0))
        for answer in answers:
            if answer.then is not None:
                answer.then(SimTime(0))
        return b"".join(answer.data for answer in answers), sum(answer.after_s for answer in answers)


def test_every_command_is_answered_as_the_table_has_it() -> None:
    wheel = Wheel()
    for sent, expected in GOLDEN:
        assert wheel.ask(sent) == expected, sent


def test_an_overlong_line_is_refused_and_forgotten() -> None:
    wheel = Wheel()
    assert wheel.ask(b"pos=2" + b"2" * 100_000) == b""
    answer = wheel.ask(b"\r")
    assert answer == b"pos=2" + b"2" * 59 + b"\rCommand error CMD_NOT_DEFINED\r> "
    assert wheel.ask(b"pos?\r") == b"pos?\r1\r> "


@pytest.mark.parametrize(
    ("speed", "to", "steps_s"), [(1, 2, 0.4), (1, 4, 1.2), (1, 6, 0.4), (0, 3, 1.6), (1, 1, 0.0)]
)
def test_a_move_takes_its_time_the_shorter_way_round(speed: int, to: int, steps_s: float) -> None:
    wheel = Wheel()
    wheel.ask(b"speed=%d\r" % speed)
    assert wheel.timed(b"pos=%d\r" % to) == (b"pos=%d\r> " % to, pytest.approx(steps_s))


def test_what_is_sent_during_a_move_waits_for_it_and_no_light_passes_meanwhile() -> None:
    wheel = Wheel()
    text, seconds = wheel.timed(b"pos=2\rpos=4\rpos?\r")
    assert text == b"pos=2\r> pos=4\r> pos?\r4\r> "
    assert seconds == pytest.approx(1.2)
    assert wheel.beam == [1.0, 0.0, 0.05, 0.0, 0.32]


def test_a_stuck_wheel_says_where_it_is() -> None:
    wheel = Wheel()
    wheel.board.switch_on("stuck_wheel")
    assert wheel.ask(b"pos=4\r") == b"pos=4\r> "
    assert wheel.ask(b"pos?\r") == b"pos?\r1\r> "
    wheel.board.switch_off("stuck_wheel")
    wheel.ask(b"pos=4\r")
    assert wheel.ask(b"pos?\r") == b"pos?\r4\r> "


def test_a_wheel_that_slips_shows_other_glass_than_it_tells() -> None:
    wheel = Wheel()
    wheel.board.switch_on("lose_position", times=1, positions=2)
    wheel.ask(b"pos=2\r")
    assert wheel.ask(b"pos?\r") == b"pos?\r2\r> "
    assert wheel.beam[-1] == STRENGTHS[3]
    wheel.ask(b"pos=1\r")
    assert wheel.beam[-1] == STRENGTHS[2]


def test_a_wheel_that_restarts_has_the_settings_last_saved() -> None:
    wheel = Wheel()
    wheel.ask(b"speed=0\rsave\rsensors=0\rbaud=0\rpos=3\r")
    wheel.board.switch_on("restart_wheel", times=1)
    assert wheel.ask(b"pos?\r") == b"pos?\r1\r> "
    assert wheel.ask(b"speed?\rsensors?\r") == b"speed?\r0\r> sensors?\r1\r> "
    assert wheel.beam[-1] == 1.0
    assert wheel.bauds == [9600, 115200]


def test_a_wheel_has_six_positions_or_twelve() -> None:
    assert FilterWheelTable(strengths=[1.0] * 12)
    for strengths in ([1.0] * 7, [1.0] * 5 + [1.5]):
        with pytest.raises(ValidationError):
            FilterWheelTable(strengths=strengths)


def a_site(folder: Path, clock: Any) -> Site:
    boards = {f"lab.{part}": FaultBoard(part, faults) for part, faults in FAULTS.items()}
    return Site("lab", 1, folder, clock, World(LabFigures(), ()), boards, Transcript(None, lambda: 0), "")


def test_both_wheels_stand_in_the_beam_with_the_strengths_of_the_acceptance_test(tmp_path: Path) -> None:
    site = a_site(tmp_path, manual_clock())
    table = SerialTable()
    assert set(servers(site, table)) == set(FAULTS)
    assert {1.0, 0.05, 0.25, 0.32} <= set(table.filter_wheel_0.strengths)
    assert {1.0, 0.5, 0.1, 0.01} <= set(table.filter_wheel_1.strengths)
    assert site.world.light.strengths == [1.0, 1.0]


async def swallow(_data: bytes) -> None:
    """A client."""


async def test_no_light_passes_a_wheel_that_turns_by_the_wall_and_others_do_not_wait() -> None:
    for clock, turning in ((wall_clock(), 0.0), (manual_clock(), 0.05)):
        board, beam = FaultBoard("wheel", WHEEL_FAULTS), [1.0]
        figures = WheelFigures(fast_step_s=0.05)
        wheel = FilterWheel(board, figures, STRENGTHS, lambda _, value, beam=beam: beam.append(value))
        link = Link(clock, board, Transcript(None, lambda: 0), "wheel")
        move = asyncio.create_task(link.serve(wheel.connect(), b"pos=2\r", swallow))
        for _ in range(10):
            await asyncio.sleep(0)
        assert beam[-1] == turning
        await move
        assert beam[-1] == 0.05


async def test_the_moment_of_arrival_is_that_of_the_clock(tmp_path: Path) -> None:
    clock = manual_clock()
    site = a_site(tmp_path, clock)
    site.world.light.set_supply(SimTime(0), 12.0, True)
    await clock.advance(5 * NS_PER_S)
    moments: list[SimTime] = []
    board = FaultBoard("wheel", WHEEL_FAULTS)
    wheel = FilterWheel(board, WheelFigures(), STRENGTHS, lambda now, _: moments.append(now))
    await Link(clock, board, site.transcript, "wheel").serve(wheel.connect(), b"pos=2\r", swallow)
    assert moments == [0, 5 * NS_PER_S, 5 * NS_PER_S]
