"""Instruments between tasks: those that the next task needs are asked, one that is offline stops the run before it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from fat.degg.master import flow
from fat.degg.schedule import plan
from fat.degg.schedule.build import sections
from fat.degg.station import needed, wheels
from fat.degg.station.needed import LASER, SURROUNDINGS, Instrument, needed_by
from fat.degg.tasks.instruments import instruments_well
from scheduler import Engine, Plan, SchedulerTable, Task, create_run, open_run
from scheduler.calling import resolve
from scheduler.notify.notice import Severity

TASKS = "fat.degg.tasks"
LINEARITY = f"{TASKS}.linearity:measure_linearity"
FREEZER = f"{TASKS}.housekeeping:dummy_wrapper"
DARK = f"{TASKS}.housekeeping:disable_laser"


@contextmanager
def fault(room: Any, part: str, name: str, **parameters: Any) -> Iterator[None]:
    room.control.switch_fault(part, name, **parameters)
    try:
        yield
    finally:
        room.control.switch_fault(part, name, on=False)


@pytest.fixture
def laser_feeds(room: Any) -> Any:
    room.station.supply.switch_on()
    return room


def test_what_the_next_task_needs_is_asked_and_nothing_else(laser_feeds: Any, desk: Any, told: Any) -> None:
    found = instruments_well(desk.context(told, call=LINEARITY))
    assert found.ok, found.text
    assert "TEKTRONIX,AFG3101C" in found.text
    assert "the laser's supply gives 12.00 V" in found.text
    assert found.text.count("THORLABS FW102C") == 2
    with fault(laser_feeds, "lab.function_generator", "refuse_connection"):
        assert instruments_well(desk.context(told, call=FREEZER)).text.startswith(
            "the freezer's key set is not"
        )
        assert instruments_well(desk.context(told, call=f"{TASKS}.gain:measure_gain")).text == ""
    assert told.notices == []


def test_all_that_are_ill_are_named_with_their_addresses_and_what_to_do(
    room: Any, desk: Any, told: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "TIMEOUT_S", 0.2)
    room.station.supply.switch_off()
    with (
        fault(room, "lab.function_generator", "refuse_connection"),
        fault(room, "lab.filter_wheel_1", "stay_silent"),
    ):
        found = instruments_well(desk.context(told, call=LINEARITY))
    room.station.supply.switch_on()
    assert not found.ok
    for name, key, what in (
        ("the function generator", "lab.function_generator", "is it on, and connected"),
        ("the laser's supply", "lab.power_supply", "is off; switch it on, at 11.4 to 12.6 V"),
        ("filter wheel 1", "lab.filter_wheel_1", "is it on, and connected"),
    ):
        assert f"{name} at {room.endpoints[key]} " in found.text
        assert what in found.text
    assert "filter wheel 0" not in found.text
    assert found.text.endswith("See to it, then resume")


def test_a_thermometer_that_is_gone_is_told_and_stops_nothing(
    room: Any, desk: Any, told: Any, tmp_path: Path
) -> None:
    context = desk.context(told, call=FREEZER)
    context.environment["endpoints"] = {**room.endpoints, "lab.thermometer": str(tmp_path / "unplugged")}
    found = instruments_well(context)
    assert found.ok
    (notice,) = told.notices
    assert notice.severity is Severity.WARNING
    assert f"the thermometer at {tmp_path / 'unplugged'} does not open" in notice.text


def test_the_freezer_is_asked_on_the_way_that_the_plan_has_chosen(room: Any, desk: Any, told: Any) -> None:
    with fault(room, "lab.freezer_pins", "refuse_connection"):
        keys = instruments_well(desk.context(told, call=FREEZER))
        chamber = instruments_well(desk.context(told, call=FREEZER, freezer="chamber"))
    assert not keys.ok
    assert "the freezer's key pins at tcp://" in keys.text
    assert chamber.ok
    assert "the freezer's chamber connects" in chamber.text


class Switch:
    """Takes the generator off the network when the first task has ended: between two tasks."""

    def __init__(self, room: Any) -> None:
        self._room = room

    def event(self, record: Any, state: Any) -> None:
        if record.event == "task_finished":
            self._room.control.switch_fault("lab.function_generator", "refuse_connection")

    def progress(self, progress: Any) -> None:
        pass


def test_an_instrument_that_goes_offline_between_tasks_stops_the_run_before_the_task_that_needs_it(
    room: Any, desk: Any, told: Any, tmp_path: Path
) -> None:
    tasks = (
        Task("wait", "Wait", f"{TASKS}.housekeeping:wait_time", {"pause": 1.0}),
        Task("dark", "Dark", DARK),
    )
    run_dir = create_run(
        tmp_path / "runs", Plan("p", tasks, flow.CHECKS[1:], {"run_file": str(desk.run.path)})
    )
    environment, clock = {"endpoints": dict(room.endpoints)}, desk.context(told).clock

    def carry_out(*listeners: Any) -> int:
        preload = (f"{TASKS}.housekeeping", f"{TASKS}.instruments")
        engine = Engine(run_dir, None, clock, environment, SchedulerTable(), listeners, preload)
        return engine.run().exit_code

    try:
        assert carry_out(Switch(room)) == 3
    finally:
        room.control.switch_fault("lab.function_generator", "refuse_connection", on=False)
    state = open_run(run_dir)
    assert [str(task.verdict) for task in state.tasks.values()] == ["PASS", "UNSET"]
    assert state.tasks["dark"].attempt == 0
    assert state.stop is not None
    assert state.stop.text.endswith("See to it, then resume; 2 of 2 modules answer")
    assert (
        f"the function generator at {room.endpoints['lab.function_generator']} does not connect"
        in state.stop.text
    )
    assert carry_out() == 0
    assert (
        open_run(run_dir)
        .tasks["dark"]
        .checks[flow.CHECKS[1]]
        .text.startswith("2 of 2 modules answer; TEKTRONIX")
    )


def test_the_functions_of_the_schedule_say_what_they_need() -> None:
    calls = {
        f"{section.package}:{section.step.task}" for section in sections(no_hv=False, fewer_events=False)
    }
    said = {call.partition(":")[2]: needed_by(resolve(call)) for call in calls}
    laser = {name for name, instruments in said.items() if instruments == LASER}
    assert laser == {"measure_linearity", "measure_pulsed_waveform", "run_timing"}
    assert said["disable_laser"] == said["disable_all_lights"] == (Instrument.GENERATOR,)
    assert set(said["dummy_wrapper"]) == {Instrument.KEYS, Instrument.CHAMBER, *SURROUNDINGS}
    assert all(instrument in needed.QUESTIONS for instrument in Instrument)
    assert "fat.degg.tasks.instruments:laboratory_well" in flow.CHECKS
    assert plan.CHECKS == ("fat.degg.tasks.instruments:bench_well",)
