"""The stages behind the splitter as the control system sees them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pydantic import ValidationError

from pipeline.config import CorrectionTable
from pipeline.constants import conditions_of
from pipeline.constants.model import begins_of
from pipeline.control.device import Device, Property, Slot, State
from pipeline.errors import NotInThisState, SettingRejected
from pipeline.online.corrected import CorrectedBranch
from pipeline.online.output_device import output_device

NUMBERS: Final = (
    *("force_medium_below_adu", "force_high_below_adu", "common_mode_fraction", "common_mode_iterations"),
    *("parallel_high_limit_adu", "parallel_medium_limit_adu", "combine_parallel_gain", "eight_bit"),
)
"""Settings of recipes that an operator may change while the pipeline runs."""


def corrected_devices(branch: CorrectedBranch) -> list[Device]:
    """Devices of all stages from the correction on."""
    return [
        _correction(branch),
        output_device("matcher", branch.output, branch.table.modules),
        _appender(branch),
        _bridge(branch),
        _preview(branch),
        _pipeline(branch),
    ]


def _correction(branch: CorrectedBranch) -> Device:
    stage = branch.correction

    def state() -> State:
        if stage.problem:
            return State.ERROR
        return State.ACTIVE if stage.ready else State.PASSIVE

    def load_constants(
        event_at: str, conditions: dict[str, Any], selection: str = "", snapshot_at: str = ""
    ) -> dict[str, Any]:
        stated = conditions_of(branch.table.type, conditions)
        used = branch.load_constants(branch.constants.question(stated, event_at, selection, snapshot_at))
        begins = begins_of(used.versions)
        return {"constants": begins, "versions": len(used.versions), "source": used.as_json()}

    def unload() -> dict[str, Any]:
        stage.unload()
        branch.constants.forget()
        return {}

    return Device(
        "correction",
        state,
        [
            _setting(branch, "steps", "taken in their fixed order; holds from the next load_constants on"),
            *(
                _setting(branch, name, "of the recipe; holds from the next load_constants on")
                for name in NUMBERS
            ),
            *branch.constants.properties(),
            Property("timing", "cost so far", stage.timing, type=dict),
            Property("module_images_per_s", "over five seconds", lambda: stage.images.per_second, type=float),
            Property("counters", "trains", lambda: dict(stage.counters), type=dict),
            Property("queue", "before the workers", stage.queue_counters, type=dict),
            Property("problem", "why the state is ERROR", lambda: stage.problem),
        ],
        [
            Slot("load_constants", "fetch and use the constants in force at a moment", load_constants),
            *branch.constants.slots(),
            Slot("unload", "forget the constants and stop correcting", unload),
            Slot("start", "take trains in", _answering(stage.resume, state)),
            Slot(
                "stop", "take nothing in any more; what is queued comes out", _answering(stage.pause, state)
            ),
            Slot("reset", "forget the problem", _answering(stage.reset, state)),
        ],
    )


def _setting(branch: CorrectedBranch, name: str, about: str) -> Property:
    """A setting of the recipe, checked like the table in the bench file."""

    def read() -> Any:
        if name == "steps":
            return list(branch.settings.steps_of(branch.table.type))
        return getattr(branch.settings, name)

    def write(value: Any) -> None:
        try:
            changed = CorrectionTable.model_validate({**branch.settings.model_dump(), name: value})
            changed.check_steps(branch.table.type)
        except (ValidationError, ValueError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise SettingRejected(f"correction.{name}", value, reason) from None
        branch.settings = changed

    return Property(name, about, read, write, type(read()))


def _appender(branch: CorrectedBranch) -> Device:
    appender = branch.appender

    def state() -> State:
        if appender.problem:
            return State.ERROR
        return State.ACTIVE if appender.writing else State.PASSIVE

    def start_file(run: int, replace: bool = False) -> dict[str, Any]:
        if not branch.correction.loaded:
            raise NotInThisState(
                "correction", "start_file", "without constants", "loaded; call load_constants"
            )
        return {"folder": str(appender.start_file(run, replace))}

    def stop_file() -> dict[str, Any]:
        branch.output.flush()
        return {"trains": appender.stop_file(), "folder": str(appender.folder or "")}

    return Device(
        "appender",
        state,
        [
            Property("folder", "of the run", lambda: str(appender.folder or "")),
            Property("trains", "written", lambda: appender.trains, type=int),
            Property("problem", "why the state is ERROR", lambda: appender.problem),
        ],
        [
            Slot("start_file", "open a corrected run", start_file),
            Slot("stop_file", "settle waiting trains and close the run", stop_file),
            Slot("reset", "close the run and forget the problem", _answering(appender.reset, state)),
        ],
    )


def _bridge(branch: CorrectedBranch) -> Device:
    def state() -> State:
        return State.ACTIVE if branch.serving else State.PASSIVE

    def set_every(value: int) -> None:
        if value < 1:
            raise SettingRejected("every_nth_train", value, "at least 1")
        branch.every_nth_train = value

    def set_axes(value: str) -> None:
        if value not in ("file", "online"):
            raise SettingRejected("axes", value, "file or online")
        branch.axes = "file" if value == "file" else "online"

    def set_keys(value: list[str]) -> None:
        branch.keys = tuple(str(key) for key in value)

    return Device(
        "bridge",
        state,
        [
            Property("every_nth_train", "trains served", lambda: branch.every_nth_train, set_every, int),
            Property("axes", "order of the axes: file or online", lambda: branch.axes, set_axes),
            Property("keys", "that are sent; none: all", lambda: list(branch.keys), set_keys, list),
            Property("protocol", "of the bridge", lambda: branch.table.bridge.protocol),
            Property("counters", "requests and trains", lambda: dict(branch.bridge.counters), type=dict),
        ],
        [
            Slot("start", "serve trains", _switching(branch, "serving", True, state)),
            Slot("stop", "serve none; clients wait", _switching(branch, "serving", False, state)),
        ],
    )


def _preview(branch: CorrectedBranch) -> Device:
    preview = branch.preview

    def state() -> State:
        if preview.problem:
            return State.ERROR
        return State.ACTIVE if branch.showing else State.PASSIVE

    def set_every(value: int) -> None:
        if value < 1:
            raise SettingRejected("every_nth_train", value, "at least 1")
        preview.every_nth_train = value

    def start() -> dict[str, str]:
        preview.prepare()
        branch.showing = True
        return {"state": state().value}

    return Device(
        "preview",
        state,
        [
            Property("every_nth_train", "trains shown", lambda: preview.every_nth_train, set_every, int),
            Property("frame", "that is shown, or mean or max", lambda: str(preview.frame)),
            Property("pictures", "made so far", lambda: preview.pictures, type=int),
            Property("problem", "why the state is ERROR", lambda: preview.problem),
        ],
        [
            Slot("start", "make pictures", start),
            Slot("stop", "make none; the last one stays", _switching(branch, "showing", False, state)),
        ],
    )


def _pipeline(branch: CorrectedBranch) -> Device:
    gate = branch.gate

    def set_policy(value: str) -> None:
        if value not in ("block", "shed"):
            raise SettingRejected("overload", value, "block or shed")
        gate.policy = "shed" if value == "shed" else "block"

    return Device(
        "pipeline",
        lambda: State.ACTIVE,
        [
            Property("status", "coupled, or why not and what to do", branch.status),
            Property("decoupled", "more comes than is worked off", lambda: gate.decoupled, type=bool),
            Property(
                "accounting", "every train that came, by what became of it", branch.accounting, type=dict
            ),
            Property("in_work", "trains", lambda: gate.in_work, type=int),
            Property("parts_in_work", "module parts", lambda: gate.parts_in_work, type=int),
            Property("overload", "block or shed", lambda: gate.policy, set_policy),
        ],
    )


def _answering(call: Callable[[], object], state: Callable[[], State]) -> Callable[[], dict[str, str]]:
    def slot() -> dict[str, str]:
        call()
        return {"state": state().value}

    return slot


def _switching(
    branch: CorrectedBranch, name: str, value: bool, state: Callable[[], State]
) -> Callable[[], dict[str, str]]:
    return _answering(lambda: setattr(branch, name, value), state)
