"""A splitter as the control system sees it."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.control.device import Device, Property, Slot, State
from pipeline.online.splitter import Splitter


def splitter_device(
    name: str,
    splitter: Splitter,
    status: Callable[[], str],
    feed: Callable[[], dict[str, int]] | None = None,
) -> Device:
    """The device over one output of the splitter: A goes to the correction, B to the raw output.

    status  one sentence on the data
    feed    counters of trains that come from a bridge instead of datagrams
    """

    def state() -> State:
        return State.ACTIVE if splitter.enabled else State.PASSIVE

    def set_filter(text: str) -> None:
        splitter.pulse_filter = text

    def set_stride(value: int) -> None:
        splitter.every_nth_train = value

    def set_enabled(value: bool) -> None:
        splitter.enabled = value

    def switch(on: bool) -> dict[str, str]:
        splitter.enabled = on
        return {"state": state().value}

    properties = [
        Property("enabled", "whether this output passes trains", lambda: splitter.enabled, set_enabled, bool),
        Property("pulse_filter", "frames that go on", lambda: splitter.pulse_filter, set_filter),
        Property("every_nth_train", "trains that go on", lambda: splitter.every_nth_train, set_stride, int),
        Property("status", "whether the data are good and fit the settings", status),
        Property("images_per_s", "that come, by module", splitter.rates, type=dict),
        Property("counters", "trains passed and not", splitter.describe, type=dict),
    ]
    if feed is not None:
        properties.append(Property("feed", "trains from a bridge", feed, type=dict))
    return Device(
        name,
        state,
        properties,
        [
            Slot("start", "pass trains on", lambda: switch(True)),
            Slot("stop", "pass none on; the other output goes on", lambda: switch(False)),
        ],
    )
