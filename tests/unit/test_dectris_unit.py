"""The control unit against fake ways out: states, commands, what holds a series back, what ends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sim.dectris.api.ports import Answer
from sim.dectris.images.frames import Channel, Layout, Ring
from sim.dectris.keys import Value
from sim.dectris.refusal import Refused
from sim.dectris.sinks import ArmedSeries, ImageRun
from sim.dectris.unit.control import ControlUnit
from sim.dectris.unit.delivery import Delivery
from sim.dectris.unit.pulses import ExternalLine, PulseTrain
from sim.dectris.unit.surroundings import Behaviour, Pictures, Rendered
from sim.kernel import NS_PER_MS, NS_PER_S, FaultBoard, FaultSpec, SimTime

FAULTS = (FaultSpec("early_end", "", ""), FaultSpec("detector_error", "", ""))
DEFAULTS: dict[str, Value] = {
    "trigger_mode": "ints",
    "nimages": 3,
    "ntrigger": 1,
    "count_time": 0.01,
    "frame_time": 0.01,
    "trigger_start_delay": 0.0,
}


class Config:
    def __init__(self) -> None:
        self.present = dict(DEFAULTS)

    @property
    def values(self) -> Mapping[str, Value]:
        return self.present

    def write(self, name: str, value: object) -> list[str]:
        if name not in self.present:
            raise Refused(404, name)
        self.present[name] = value  # type: ignore[assignment]
        return [name]

    def write_array(self, name: str, array: NDArray[Any] | None) -> list[str]:
        return [name]

    def note(self, name: str, value: Value) -> None:
        self.present[name] = value

    def reset(self) -> None:
        self.present = dict(DEFAULTS)


class Sink:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.taken = 0
        self.room: int | None = None
        self.series: ArmedSeries | None = None

    def begin(self, series: ArmedSeries) -> None:
        self.series, self.taken = series, 0
        self.log.append(f"begin {series.number}")

    def images(self, run: ImageRun) -> int:
        assert run.first == self.taken, "images come in order, each once"
        takes = run.count if self.room is None else min(self.room, run.count)
        self.taken += takes
        if self.room is not None:
            self.room -= takes
        return takes

    def end(self) -> None:
        self.log.append(f"end after {self.taken}")

    def abort(self) -> None:
        self.log.append(f"abort after {self.taken}")


RING = Ring(
    Layout(2, 2, 8, "none"),
    (
        Channel(
            "threshold_1",
            np.zeros(4, np.uint8),
            np.zeros(1, np.int64),
            np.array([4]),
            ("",),
            np.zeros(1, np.uint64),
        ),
    ),
)


class Bench:
    """A unit with two ways out, and time in our hands."""

    def __init__(self, *, idle: bool = True, has_high_voltage: bool = False, slow: bool = False) -> None:
        self.sinks = (Sink(), Sink())
        self.line = ExternalLine()
        self.faults = FaultBoard("dcu", FAULTS)
        self.config = Config()
        behaviour = Behaviour(1, "E-1", 0, idle, 0, 0, has_high_voltage)
        pictures = Pictures(RING, (), (), np.zeros((2, 1000), np.float32))
        self.rendered: list[Rendered] = []
        """With `slow`, who waits for pictures."""
        render = self.rendered.append if slow else lambda made: made(pictures)
        self.pictures = pictures
        self.unit = ControlUnit(behaviour, self.config, render, Delivery(self.sinks), self.line, self.faults)
        self.now = 0
        self.wake: SimTime | None = None

    def ask(self, command: str, argument: object = None) -> list[Answer]:
        answers: list[Answer] = []
        self.unit.submit(lambda: self.unit.command(command, argument, answers.append))
        self.wake = self.unit.advance(SimTime(self.now))
        return answers

    def to(self, until: int) -> None:
        while self.wake is not None and self.wake <= until:
            self.now = self.wake
            self.wake = self.unit.advance(self.wake)
        self.now = until
        self.wake = self.unit.advance(SimTime(until))

    def log(self) -> list[str]:
        assert self.sinks[0].log == self.sinks[1].log
        return self.sinks[0].log


MS = NS_PER_MS


def test_a_trigger_answers_when_its_images_are_out_and_the_series_ends_by_itself() -> None:
    bench = Bench()
    assert bench.ask("arm") == [{"sequence id": 1}]
    assert bench.unit.state == "ready"
    answers = bench.ask("trigger")
    assert bench.unit.state == "acquire"
    bench.to(29 * MS)
    assert answers == []
    bench.to(30 * MS)
    assert answers == [{}]
    assert bench.unit.state == "idle"
    assert bench.log() == ["begin 1", "end after 3"]


def test_between_two_triggers_the_unit_is_ready() -> None:
    bench = Bench()
    bench.config.present["ntrigger"] = 2
    bench.ask("arm")
    bench.ask("trigger")
    bench.to(NS_PER_S)
    assert bench.unit.state == "ready"
    bench.ask("trigger")
    bench.to(2 * NS_PER_S)
    assert bench.log() == ["begin 1", "end after 6"]


@pytest.mark.parametrize(("command", "expected"), [("disarm", "end"), ("abort", "abort"), ("cancel", "end")])
def test_what_stops_a_series_tells_its_number_and_frees_the_trigger(command: str, expected: str) -> None:
    bench = Bench()
    bench.ask("arm")
    waiting = bench.ask("trigger")
    bench.to(12 * MS)
    assert bench.ask(command) == [{"sequence id": 1}]
    bench.to(30 * MS)
    assert waiting == [{}]
    assert bench.unit.state == "idle"
    images = 2 if command == "cancel" else 1
    assert bench.log() == ["begin 1", f"{expected} after {images}"]
    assert bench.ask("arm") == [{"sequence id": 2}]


def test_a_full_way_out_holds_the_series_and_loses_nothing() -> None:
    bench = Bench()
    bench.config.present.update(nimages=100_000, count_time=8e-6, frame_time=8e-6)
    bench.sinks[1].room = 1000
    bench.ask("arm")
    waiting = bench.ask("trigger")
    bench.to(500 * MS)
    assert bench.unit.waits_for_room
    assert (bench.unit.state, bench.sinks[1].taken) == ("acquire", 1000)
    bench.to(1000 * MS)
    assert waiting == []
    bench.sinks[1].room = None
    bench.to(1001 * MS)
    assert waiting == [{}]
    assert [sink.taken for sink in bench.sinks] == [100_000, 100_000]
    assert bench.unit.state == "idle"


def test_arm_while_armed_ends_the_first_series() -> None:
    bench = Bench()
    bench.ask("arm")
    assert bench.ask("arm") == [{"sequence id": 2}]
    assert bench.log() == ["begin 1", "end after 0", "begin 2"]


def test_initialize_ends_the_series_first_and_counts_anew() -> None:
    bench = Bench()
    bench.ask("arm")
    assert bench.ask("initialize") == [{}]
    assert bench.log() == ["begin 1", "end after 0"]
    assert bench.ask("arm") == [{"sequence id": 1}]


def test_a_restart_forgets_everything() -> None:
    bench = Bench()
    bench.config.present["nimages"] = 7
    bench.ask("arm")
    waiting = bench.ask("trigger")
    answers: list[Answer] = []
    bench.unit.submit(lambda: bench.unit.restart(answers.append))
    bench.to(1)
    assert (answers, waiting) == ([{}], [{}])
    assert (bench.unit.state, bench.unit.unique_id, bench.unit.high_voltage) == ("na", "", "NA")
    assert bench.config.present["nimages"] == 3
    refused = bench.ask("arm")[0]
    assert isinstance(refused, Refused)
    assert refused.status == 409
    assert bench.ask("initialize") == [{}]
    assert bench.ask("arm") == [{"sequence id": 1}]


def test_an_error_of_the_detector_stops_the_series_until_initialize() -> None:
    bench = Bench()
    bench.ask("arm")
    waiting = bench.ask("trigger")
    bench.faults.switch_on("detector_error", times=1)
    bench.to(15 * MS)
    assert bench.unit.state == "error"
    assert waiting == [{}]
    assert bench.log()[-1].startswith("abort")
    assert bench.ask("initialize") == [{}]
    assert bench.unit.state == "idle"


def test_an_early_end_comes_in_place_of_an_image() -> None:
    bench = Bench()
    bench.ask("arm")
    bench.ask("trigger")
    bench.to(15 * MS)
    bench.faults.switch_on("early_end", times=1)
    bench.to(NS_PER_S)
    assert bench.log() == ["begin 1", "end after 1"]


def test_pulses_before_arm_are_ignored_and_those_during_an_exposure_are_missed() -> None:
    bench = Bench()
    bench.config.present.update(trigger_mode="exts", nimages=1, ntrigger=3)
    bench.line.add(PulseTrain(0, 6 * MS, 100))
    bench.to(50 * MS)
    bench.ask("arm")
    bench.to(200 * MS)
    assert bench.unit.state == "idle"
    assert bench.log() == ["begin 1", "end after 3"]
    assert bench.unit.ignored_triggers == 9
    assert bench.unit.all_missed_triggers == 2
    assert bench.unit.problems == (
        (88 * MS, "series 1: 2 electrical triggers came while an image was exposed"),
    )


def test_the_first_pulses_are_skipped_when_the_configuration_says_so() -> None:
    bench = Bench()
    bench.config.present.update(trigger_mode="exts", nimages=1, ntrigger=1, ntriggers_skipped=2)
    bench.ask("arm")
    bench.line.add(PulseTrain(10 * MS, 20 * MS, 100))
    bench.to(59 * MS)
    assert bench.sinks[0].taken == 0
    bench.to(60 * MS)
    assert bench.sinks[0].taken == 1


def test_a_software_trigger_in_an_electrical_mode_changes_nothing() -> None:
    bench = Bench()
    bench.config.present.update(trigger_mode="exte", nimages=1)
    bench.ask("arm")
    refused = bench.ask("trigger")[0]
    assert isinstance(refused, Refused)
    assert (refused.status, bench.unit.state) == (409, "ready")


def test_inte_exposes_as_long_as_its_trigger_says() -> None:
    bench = Bench()
    bench.config.present.update(trigger_mode="inte", nimages=1)
    bench.ask("arm")
    bench.ask("trigger", 0.5)
    bench.to(499 * MS)
    assert bench.sinks[0].taken == 0
    bench.to(500 * MS)
    assert bench.sinks[0].taken == 1


def test_a_gated_series_waits_for_its_disarm() -> None:
    bench = Bench()
    bench.config.present.update(trigger_mode="extg", nimages=2, nexpi=1)
    bench.ask("arm")
    bench.line.add(PulseTrain(MS, 10 * MS, 10, MS))
    bench.to(NS_PER_S)
    assert bench.unit.state == "ready"
    bench.ask("disarm")
    assert bench.log() == ["begin 1", "end after 2"]


def test_a_series_of_more_than_a_week_is_refused() -> None:
    bench = Bench()
    bench.config.present.update(nimages=2_000_000_000)
    refused = bench.ask("arm")[0]
    assert isinstance(refused, Refused)
    assert "one week" in refused.reason
    assert bench.unit.state == "idle"


def test_a_reset_of_the_voltage_ramps() -> None:
    bench = Bench(has_high_voltage=True)
    assert bench.ask("hv_reset", 5) == [{}]
    assert bench.unit.high_voltage == "RAMPING"
    bench.to(5 * NS_PER_S)
    assert bench.unit.high_voltage == "READY"
    assert bench.ask("hv_enabled", False) == [{}]
    assert bench.unit.high_voltage == "OFF"
    refused = bench.ask("hv_reset", 1e9)[0]
    assert isinstance(refused, Refused)
    assert "600" in refused.reason


def test_while_images_are_made_the_unit_configures_and_answers() -> None:
    bench = Bench(slow=True)
    answers = bench.ask("arm")
    assert (answers, bench.unit.state) == ([], "configure")
    assert isinstance(bench.ask("arm")[0], Refused)
    bench.unit.submit(lambda: bench.rendered[0](bench.pictures))
    bench.to(1)
    assert (answers, bench.unit.state) == ([{"sequence id": 1}], "ready")


@pytest.mark.parametrize("command", ["abort", "disarm", "initialize"])
def test_what_stops_an_arm_is_not_undone_by_images_that_come_late(command: str) -> None:
    bench = Bench(slow=True)
    answers = bench.ask("arm")
    bench.ask(command)
    assert bench.unit.state == "idle"
    bench.unit.submit(lambda: bench.rendered[0](bench.pictures))
    bench.to(1)
    assert (answers, bench.unit.state, bench.log()) == ([{"sequence id": 1}], "idle", [])


def test_images_that_cannot_be_made_refuse_the_arm() -> None:
    bench = Bench(slow=True)
    answers = bench.ask("arm")
    bench.unit.submit(lambda: bench.rendered[0](Refused(400, "no such images")))
    bench.to(1)
    assert isinstance(answers[0], Refused)
    assert bench.unit.state == "idle"
