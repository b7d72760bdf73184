"""The freezer's keys, pressed through pins over a real socket, in simulated time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from sim.kernel.clock import wall_clock
from sim.lab.tables.freezer import FreezerTable

SET, UP, DOWN = "C1", "C2", "C3"


class Operator:
    """Presses keys as the laboratory's script does, and believes that each press does what it should."""

    def __init__(self, lab: Any, pins: Any) -> None:
        self.lab, self.pins = lab, pins

    async def put(self, pin: str, level: int, then_s: float) -> None:
        assert await self.pins.ask(f"{pin} {level}\n".encode()) == b"OK\n"
        await self.lab.pass_s(then_s)

    async def press(self, pin: str, for_s: float, then_s: float = 0.3) -> None:
        await self.put(pin, 1, for_s)
        await self.put(pin, 0, then_s)

    async def enter_set_mode(self, hold_s: float = 4.0) -> None:
        await self.put(SET, 0, 0.2)
        await self.press(SET, hold_s, 0.2)

    async def change(self, by_c: float) -> None:
        """The whole sequence: set mode, a press for each 0.1 C, confirm."""
        await self.enter_set_mode()
        for _ in range(round(abs(by_c) * 10)):
            await self.press(DOWN if by_c < 0 else UP, 0.1)
        await self.press(SET, 0.2)

    @property
    def true(self) -> float:
        return float(self.lab.world.cold.set_point)


@pytest.fixture
async def operator(freezer: Any, tmp_path: Path, nothing_left_behind: None) -> AsyncIterator[Operator]:
    async with freezer.freezer_lab(freezer.make_site(tmp_path / "lab")) as lab:
        pins = await lab.client("freezer_pins")
        yield Operator(lab, pins)
        await pins.close()


async def test_sixty_degrees_down_take_six_hundred_presses(operator: Operator) -> None:
    await operator.change(-60)
    assert operator.true == -40
    # By the formula: -40 + 60 exp(-10 h / 3 h) = -37.86
    await operator.lab.pass_s(36_000)
    assert operator.lab.world.cold.air(operator.lab.clock.now) == pytest.approx(-37.86, abs=0.02)


async def test_presses_go_from_the_set_point_that_is_shown(operator: Operator) -> None:
    operator.lab.world.cold.set_freezer(operator.lab.clock.now, -19.96)
    await operator.change(0.3)
    assert operator.true == pytest.approx(-19.7)


async def test_a_wrong_belief_gives_a_wrong_end(freezer: Any, tmp_path: Path) -> None:
    """The client believes 20 C and goes 2 C down; the freezer stood at 15."""
    site = freezer.make_site(tmp_path)
    async with freezer.freezer_lab(site, FreezerTable(set_point_c=15.0)) as lab:
        pins = await lab.client("freezer_pins")
        operator = Operator(lab, pins)
        await operator.change(-2)
        assert operator.true == 13
        await pins.close()


async def test_lost_presses(operator: Operator) -> None:
    faults = operator.lab.faults("freezer_pins")
    faults.switch_on("lose_key_press", every=4)
    await operator.change(-0.3)
    assert operator.true == pytest.approx(19.7)
    await operator.change(-0.7)  # the fourth and the eighth press are lost
    assert operator.true == pytest.approx(19.2)
    assert faults.struck() == {"lose_key_press": 2}
    faults.switch_off("lose_key_press")
    await operator.change(-1)
    assert operator.true == pytest.approx(18.2)


async def test_what_does_nothing(operator: Operator) -> None:
    await operator.press(UP, 0.1)  # outside set mode
    await operator.enter_set_mode(hold_s=2.9)  # not long enough
    await operator.press(UP, 0.1)
    await operator.press(SET, 0.2)
    assert operator.true == 20

    await operator.enter_set_mode()
    await operator.press(UP, 0.04)  # too short
    await operator.press(UP, 0.1, then_s=0.02)
    await operator.press(UP, 0.1)  # not let go of between
    await operator.press(SET, 0.04)  # too short to confirm
    assert operator.true == 20
    await operator.press(SET, 0.2)
    assert operator.true == pytest.approx(20.1)


async def test_set_mode_ends_by_itself_and_changes_nothing(operator: Operator) -> None:
    await operator.enter_set_mode()
    await operator.press(UP, 0.1)
    await operator.lab.pass_s(61)
    await operator.press(UP, 0.1)
    await operator.press(SET, 0.2)
    assert operator.true == 20


async def test_the_set_point_stays_within_what_the_freezer_can(operator: Operator) -> None:
    operator.lab.world.cold.set_freezer(operator.lab.clock.now, -56.9)
    await operator.enter_set_mode()
    for key in (DOWN, DOWN, DOWN, UP):
        await operator.press(key, 0.1)
    await operator.press(SET, 0.2)
    assert operator.true == -56.9  # the display had stopped at -57.0


async def test_lines_without_time_between_press_nothing(operator: Operator) -> None:
    await operator.enter_set_mode()
    for answer_to in [b"C2 1\nC2 0\nC2 1\nC2 0\n"]:
        operator.pins.tell(answer_to)
    answers = [await operator.pins.ask(b"") for _ in range(4)]
    assert answers == [b"OK\n"] * 4
    await operator.press(SET, 0.2)
    assert operator.true == 20


async def test_golden_lines(operator: Operator) -> None:
    for line, answer in [
        (b"C0?\n", b"C0 1\n"),
        (b"C0 0\n", b"OK\n"),
        (b"c0?\r\n", b"C0 0\n"),
        (b"C1?\n", b"C1 0\n"),
        (b"C3   1\n", b"OK\n"),
        (b"C3?\n", b"C3 1\n"),
    ]:
        assert await operator.pins.ask(line) == answer
    for line in (b"C4 1\n", b"C1 2\n", b"C1\n", b"C1 1 1\n", b"\xff\n", b"C1 1" + b" " * 300 + b"\n"):
        assert (await operator.pins.ask(line)).startswith(b"ERR ")


async def test_c0_switches_the_mains_of_the_field_hub(operator: Operator) -> None:
    switched: list[tuple[int, bool]] = []
    operator.lab.world.power.watch(lambda port, on, _: switched.append((port, on)))
    await operator.put("C0", 0, 8 * 3600)
    assert switched == [(port, False) for port in range(5000, 5016)]
    await operator.put("C0", 1, 0)
    assert operator.lab.world.power.powered_since(5003) == operator.lab.clock.now


async def test_the_log_has_every_change_and_its_time(operator: Operator) -> None:
    await operator.press(UP, 0.1)
    await operator.put(UP, 0, 0)  # no change
    await operator.put("C0", 0, 0)
    log = (operator.lab.site.folder / "freezer_pins.log").read_text()
    assert log == "0.000000000 C2 1\n0.100000000 C2 0\n0.400000000 C0 0\n"


async def test_the_log_has_an_end(freezer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.lab.freezer.pins.MAX_LOGGED", 3)
    async with freezer.freezer_lab(freezer.make_site(tmp_path)) as lab:
        pins = await lab.client("freezer_pins")
        for _ in range(4):
            await pins.ask(b"C2 1\n")
            await pins.ask(b"C2 0\n")
        await pins.close()
    assert len((tmp_path / "freezer_pins.log").read_text().splitlines()) == 4


async def test_on_a_wall_clock_keys_are_held_by_waiting(freezer: Any, tmp_path: Path) -> None:
    """With figures so short that a test can wait for them by exchanging lines."""
    from sim.lab.figures import FreezerFigures, LabFigures

    figures = LabFigures(freezer=FreezerFigures(long_press_s=0.01, min_press_s=0.0, min_gap_s=0.0))
    clock = wall_clock()
    await clock.start()
    async with freezer.freezer_lab(freezer.make_site(tmp_path, clock, figures)) as lab:
        pins = await lab.client("freezer_pins")
        began = await clock.read()
        await pins.ask(b"C1 1\n")
        while await clock.read() - began < 30_000_000:
            await pins.ask(b"C1?\n")
        for line in (b"C1 0\n", b"C3 1\n", b"C3 0\n", b"C1 1\n", b"C1 0\n"):
            await pins.ask(line)
        assert lab.world.cold.set_point == pytest.approx(19.9)
        await pins.close()
    await clock.stop()


async def test_the_door_and_the_compressor(operator: Operator) -> None:
    lab = operator.lab
    cold, clock = lab.world.cold, lab.clock
    await operator.change(-60)
    await lab.pass_s(36_000)
    dry = cold.humidity(clock.now)
    await lab.switch("freezer", "open_freezer")
    await lab.pass_s(3600)
    # By hand: 22 - 59.86 exp(-1 h / 0.2 h) = 21.6; humidity back to the laboratory's 45 %
    assert cold.air(clock.now) == pytest.approx(21.6, abs=0.05)
    assert dry < 10
    assert cold.humidity(clock.now) == pytest.approx(45, abs=0.1)
    await lab.switch("freezer", "open_freezer", on=False)
    await lab.pass_s(36_000)
    assert cold.air(clock.now) == pytest.approx(-37.8, abs=0.1)

    await lab.switch("freezer", "stop_compressor")
    await lab.pass_s(36_000)
    assert cold.air(clock.now) == pytest.approx(19.9, abs=0.1)
    chamber = await lab.client("chamber")
    assert await chamber.ask(b"MODE?\n") == b"16\n"  # it believes that it runs
    await chamber.ask(b"RUNM\nSETP1?\n")
    assert cold.air(clock.now) == pytest.approx(19.9, abs=0.1)
    await lab.switch("freezer", "stop_compressor", on=False)
    await lab.pass_s(36_000)
    assert cold.air(clock.now) == pytest.approx(-37.9, abs=0.1)
    await chamber.close()
    assert lab.faults("freezer").struck() == {"open_freezer": 1, "stop_compressor": 1}


async def test_a_fault_that_is_on_before_the_bench_is_up(freezer: Any, tmp_path: Path) -> None:
    site = freezer.make_site(tmp_path)
    site.faults("freezer").switch_on("open_freezer")
    async with freezer.freezer_lab(site) as lab:
        assert lab.world.cold.open
