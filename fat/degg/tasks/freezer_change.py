"""Another temperature of the freezer, by keys or by its chamber; nobody presses the keys twice after a crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, Literal

from fat.degg.station.errors import InstrumentSilent
from fat.degg.station.freezer import goal_of
from fat.degg.station.needed import SURROUNDINGS, Instrument, needs_instruments
from fat.degg.station.station import Station
from fat.degg.tasks.surroundings_log import log_surroundings
from fat.files import write_json_atomically
from scheduler import TaskContext, TaskResult
from scheduler.notify.notice import Severity

STATE: Final = "freezer.json"
"""Below the run folder: how far the change of a task is."""
SET_MODE_ENDS_S: Final = 65.0
"""Set mode ends by itself after a minute without a key, and changes nothing."""

Stage = Literal["new", "pressing", "confirming", "done"]


@needs_instruments(Instrument.KEYS, Instrument.CHAMBER, *SURROUNDINGS)
def dummy_wrapper(context: TaskContext, fcurrent: float, fdelta: float) -> TaskResult:
    """Change the freezer's set-point, and send a photograph of its display.

    fcurrent  set-point that it is believed to have, C: keys count from it, and nothing reads it back
    fdelta    by how much, C

    The plan's parameter `freezer` says how: `keys` (default), or `chamber`, which reads back what it set.
    """
    goal = goal_of(fcurrent, fdelta)
    with Station.of(context) as station:
        log_surroundings(context, station)
        if by_chamber(context):
            station.freezer_chamber.change(fcurrent, fdelta)
        else:
            _by_keys(context, station, fcurrent, fdelta)
        text = f"Freezer: set-point {fcurrent:g} C -> {goal:g} C"
        try:
            picture = station.freezer_camera.photograph(
                context.run_dir / "artefacts" / f"{context.task_id}.png"
            )
        except InstrumentSilent as error:
            context.notify(f"{text}; no photograph of its display: {error}", severity=Severity.WARNING)
        else:
            context.notify(
                text, severity=Severity.MONITORING, picture=picture, title="display of the freezer"
            )
    return TaskResult(outputs={"set_point_c": goal})


def by_chamber(context: TaskContext) -> bool:
    """Whether the plan wants the freezer's set-point changed by the chamber's protocol."""
    return str(context.parameters.get("freezer", "keys")) == "chamber"


def _by_keys(context: TaskContext, station: Station, current_c: float, delta_c: float) -> None:
    """Press the keys, keeping how far it is: they count from what is shown, so pressing twice goes twice as far."""
    stage = _stage(context)
    if stage == "confirming":
        context.ask(
            f"The change of the freezer from {current_c:g} C to {goal_of(current_c, delta_c):g} C was cut short. "
            "Look at its display, set it by hand if need be; does it show the new set-point?",
            severity=Severity.WARNING,
        )
        stage = "done"
    if stage == "done":
        return
    if stage == "pressing":
        station.wait(SET_MODE_ENDS_S)
    _keep(context, "pressing")
    station.freezer_keys.change(
        current_c,
        delta_c,
        lambda done, total: context.progress(done, total, "presses"),
        lambda: _keep(context, "confirming"),
    )
    _keep(context, "done")


def _stage(context: TaskContext) -> Stage:
    path: Path = context.run_dir / STATE
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return "new"
    stage: Stage = kept["stage"] if kept.get("task") == context.task_id else "new"
    return stage


def _keep(context: TaskContext, stage: Stage) -> None:
    write_json_atomically(context.run_dir / STATE, {"task": context.task_id, "stage": stage})
