"""The data acquisition as the control system sees it: one device for all, and one for each aggregator."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.constants import Conditions
from pipeline.control.device import Device, Property, Slot, State
from pipeline.daq.acquisition import Acquisition, Aggregator
from pipeline.daq.link_counters import by_module

STATES = {Aggregator.IGNORE: State.PASSIVE, Aggregator.ERROR: State.ERROR}
"""States of devices; what monitors or records is ACTIVE."""


def daq_devices(
    daq: Acquisition,
    conditions: Callable[[Mapping[str, Any]], Conditions],
    idle: Callable[[], dict[str, Any]],
    after_stop: Callable[[], None],
) -> list[Device]:
    """The device `daq` and one for each module's aggregator.

    conditions  operating conditions from those that a request names
    idle        whether all that was sent has been taken in, by all stages
    after_stop  waits until the stages behind have worked off what the end of a run set free
    """
    aggregators = [_aggregator(daq, module) for module in daq.addresses]
    return [_daq(daq, conditions, idle, after_stop), *aggregators, _control_aggregator(daq)]


def _daq(
    daq: Acquisition,
    conditions: Callable[[Mapping[str, Any]], Conditions],
    idle: Callable[[], dict[str, Any]],
    after_stop: Callable[[], None],
) -> Device:
    def record(
        run: int,
        run_type: str = "",
        conditions_given: dict[str, Any] | None = None,
        replace: bool = False,
        sources: list[str] | None = None,
    ) -> dict[str, str]:
        known = conditions(conditions_given or {})
        if sources is not None:
            daq.select(sources)
        return {"folder": str(daq.record(run, run_type, known, replace))}

    def monitor(sources: list[str] | None = None) -> dict[str, str]:
        if sources is not None:
            daq.select(sources)
        daq.monitor()
        return {"aggregator": daq.aggregator.value}

    def stop() -> dict[str, int]:
        trains = daq.end_run()
        after_stop()
        return {"trains": trains}

    def update_aggregators(sources: list[str]) -> dict[str, list[str]]:
        return {"sources": daq.select(sources)}

    def set_stride(value: int) -> None:
        daq.train_stride = value

    return Device(
        "daq",
        lambda: STATES.get(daq.aggregator, State.ACTIVE),
        [
            Property("aggregator", "IGNORE, MONITOR, RECORD or ERROR", lambda: daq.aggregator.value),
            Property("aggregators", "the same of each", lambda: _states(daq), type=dict),
            Property("problem", "why the state is ERROR", lambda: daq.problem),
            Property("problems", "what went wrong since monitor or record", daq.problems, type=dict),
            Property("train_stride", "ids that are taken in", lambda: daq.train_stride, set_stride, int),
            Property("last_train_id", "highest usable train id", lambda: daq.last_train_id, type=int),
            Property("trains_received", "by module", lambda: by_text(daq.trains_received), type=dict),
            Property("flags", "what was wrong with trains, by module", lambda: by_text(daq.flags), type=dict),
            Property("counters", "of all modules together", lambda: dict(daq.counters), type=dict),
            Property("links", "datagrams, by module", lambda: by_text(by_module(daq.links)), type=dict),
            Property("free_slots", "receive slots, by module", lambda: by_text(daq.free_slots()), type=dict),
            Property("record_queue", "between receiver and writer", daq.queue_counters, type=dict),
            Property("recording", "under way, or the last one", lambda: recording(daq), type=dict),
            Property("control_sources", "what they brought", lambda: _slow(daq), type=dict),
        ],
        [
            Slot("monitor", "pass trains on without recording", monitor),
            Slot("record", "record a run", record, renamed={"conditions": "conditions_given"}),
            Slot("stop", "end the recording and ignore what comes", stop),
            Slot("update_aggregators", "choose the data sources, by patterns", update_aggregators),
            Slot("idle", "whether all that was sent has been taken in", idle, exclusive=False),
        ],
    )


def _aggregator(daq: Acquisition, module: int) -> Device:
    def ignore() -> dict[str, str]:
        daq.ignore(module, True)
        return {"state": daq.module_state(module).value}

    def resume() -> dict[str, str]:
        daq.ignore(module, False)
        return {"state": daq.module_state(module).value}

    return Device(
        f"daq.{daq.aggregator_name(module)}",
        lambda: STATES.get(daq.module_state(module), State.ACTIVE),
        [
            Property("source", "data source", lambda: daq.source_name(module)),
            Property(
                "aggregator", "IGNORE, MONITOR, RECORD or ERROR", lambda: daq.module_state(module).value
            ),
            Property("problem", "why the state is ERROR", lambda: daq.module_problem(module)),
            Property("trains_received", "usable", lambda: daq.trains_received[module], type=int),
            Property(
                "last_train_id", "of its latest usable train", lambda: daq.last_train_of[module], type=int
            ),
            Property(
                "trains_per_s", "usable, over five seconds", lambda: daq.rates[module].per_second, type=float
            ),
            Property(
                "seconds_since_data", "−1: none yet", lambda: daq.seconds_since_data(module), type=float
            ),
            Property("flags", "what was wrong with trains", lambda: dict(daq.flags[module]), type=dict),
        ],
        [
            Slot("ignore", "take nothing in from this module", ignore),
            Slot("resume", "take data in again", resume),
        ],
    )


def _control_aggregator(daq: Acquisition) -> Device:
    """The aggregator of the detector's operating conditions and of the control sources."""
    return Device(
        "daq.DA01",
        lambda: STATES.get(daq.control_state, State.ACTIVE),
        [
            Property("aggregator", "IGNORE, MONITOR, RECORD or ERROR", lambda: daq.control_state.value),
            Property("problem", "why the state is ERROR", lambda: daq.control_problem),
            Property(
                "sources", "control sources that came", lambda: _slow(daq).get("sources", []), type=list
            ),
        ],
    )


def recording(daq: Acquisition) -> dict[str, Any]:
    """The recording under way, or the last one: folder, trains written, what was missing."""
    recorder = daq.recorder
    if recorder is None:
        return {}
    writer = recorder.writer
    return {
        "run": writer.run,
        "folder": str(writer.folder),
        "trains": writer.trains_written,
        **recorder.counters,
    }


def by_text(values: Mapping[int, Any]) -> dict[str, Any]:
    """JSON objects have texts as keys."""
    return {str(key): dict(value) if isinstance(value, Mapping) else value for key, value in values.items()}


def _states(daq: Acquisition) -> dict[str, str]:
    return {daq.aggregator_name(module): daq.module_state(module).value for module in daq.addresses}


def _slow(daq: Acquisition) -> dict[str, Any]:
    return {} if daq.slow is None else daq.slow.describe()
