"""An appender as the control system sees it: matching, rates, time of flight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.control.device import Device, Property, Slot, State
from pipeline.errors import SettingRejected
from pipeline.model import PartT
from pipeline.online.output import OutputStage


def output_device(
    name: str, stage: OutputStage[PartT], modules: Sequence[int], more: Sequence[Property] = ()
) -> Device:
    """The device over a matching stage; *more* properties come after the common ones."""
    matcher = stage.matcher

    def state() -> State:
        if stage.problem:
            return State.ERROR
        return State.ACTIVE if stage.running else State.PASSIVE

    def set_min(value: int) -> None:
        if not 1 <= value <= matcher.modules:
            raise SettingRejected("min_modules", value, f"from 1 to {matcher.modules}")
        matcher.min_modules = value

    def set_mandatory(value: list[int]) -> None:
        if not all(isinstance(module, int) and module in modules for module in value):
            raise SettingRejected("mandatory_modules", value, f"among {list(modules)}")
        matcher.mandatory = frozenset(value)

    def set_deadline(value: float) -> None:
        if not value > 0:
            raise SettingRejected("deadline_s", value, "more than 0")
        matcher.deadline_s = value

    def answer(call: Any) -> Any:
        def slot() -> dict[str, str]:
            call()
            return {"state": state().value}

        return slot

    return Device(
        name,
        state,
        [
            Property("min_modules", "least number of modules", lambda: matcher.min_modules, set_min, int),
            Property(
                "mandatory_modules",
                "modules without which no train goes on",
                lambda: sorted(matcher.mandatory),
                set_mandatory,
                list,
            ),
            Property(
                "deadline_s", "wait for the last modules, s", lambda: matcher.deadline_s, set_deadline, float
            ),
            Property("waiting", "trains that wait for modules", lambda: len(matcher), type=int),
            Property(
                "counters",
                "trains and dropped modules",
                lambda: {**stage.counters, **matcher.counters},
                type=dict,
            ),
            Property("trains_per_s", "over five seconds", lambda: stage.trains.per_second, type=float),
            Property("images_per_s", "over five seconds", lambda: stage.images.per_second, type=float),
            Property(
                "time_of_flight_s",
                "first module to output, latest train, s",
                lambda: stage.time_of_flight_s,
                type=float,
            ),
            Property(
                "latency_ms",
                "the train's own time to output, last 600 trains, ms",
                stage.latency.describe,
                type=dict,
            ),
            Property("latency_s", "the same since the start, s", stage.latency.buckets, type=dict),
            Property("problem", "why the state is ERROR", lambda: stage.problem),
            *more,
        ],
        [
            Slot("start", "take trains in", answer(stage.resume)),
            Slot("stop", "take nothing in any more; what is under way comes out", answer(stage.pause)),
            Slot("reset", "forget the problem and what waits", answer(stage.reset)),
        ],
    )
