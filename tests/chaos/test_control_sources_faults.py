"""Every fault of the control sources, and the counter of the data acquisition that shows it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipeline.daq.bridge_messages import parse_message
from pipeline.daq.control_sources import ControlSources
from pipeline.errors import BridgeMessageMalformed
from sim.control_sources.config import ControlSourcesTable
from sim.control_sources.device import ControlSourcesDevice
from sim.control_sources.fault_specs import FAULTS
from sim.kernel.faults import FaultBoard
from sim.kernel.time import SimTime

TRAINS = 8
FIRST = 1_000_000_001
SHOWN_BY: dict[str, dict[str, int]] = {
    "late_message": {"trains_missing": 1},
    "train_gap": {"train_id_gaps": 1, "trains_missing": 1},
    "repeated_train": {"trains_repeated": 1},
    "truncated_message": {"messages_malformed": 1, "trains_missing": 1},
    "wrong_dtype": {"forms_changed": 2},
    "silent_source": {"sources_missing": 1},
}
"""An array that changes its form changes it back, too."""


class Received:
    """What the data acquisition makes of the messages, looked at after each tick as the recorder does."""

    def __init__(self) -> None:
        self.sources = ControlSources("tcp://127.0.0.1:1", "SUB")
        self.malformed = 0
        self.values: dict[int, float] = {}

    def take(self, parts: list[bytes]) -> None:
        try:
            self.sources._take(parse_message(parts))
        except BridgeMessageMalformed:
            self.malformed += 1


def run(fault: str | None, **parameters: Any) -> Received:
    board = FaultBoard("sources", FAULTS)
    received = Received()
    device = ControlSourcesDevice(ControlSourcesTable(), 3, board, lambda at: int(at), received.take)
    now = SimTime(0)
    for tick in range(TRAINS + 1):
        if tick == 4 and fault is not None:
            board.switch_on(fault, times=1, **parameters)
        wake = device.advance(now)
        assert wake is not None
        if tick:
            slow = received.sources.at(FIRST - 1 + tick)
            flux = slow.control.get("SA1_XTD2_XGM/XGM/DOOCS", {}).get("pulseEnergy.photonFlux")
            received.values[tick] = float("nan") if flux is None else float(flux)
        now = wake
    received.sources.stop()
    return received


def counted(received: Received) -> dict[str, int]:
    found = {**received.sources.counters, "messages_malformed": received.malformed}
    return {name: count for name, count in found.items() if count}


def test_without_a_fault_nothing_is_counted_and_every_train_has_its_value() -> None:
    received = run(None)
    assert counted(received) == {}
    assert len({*received.values.values()}) == TRAINS
    assert np.isfinite(list(received.values.values())).all()


def test_the_matrix_names_every_fault() -> None:
    assert set(SHOWN_BY) == {fault.name for fault in FAULTS}


@pytest.mark.parametrize("fault", SHOWN_BY)
def test_every_fault_is_shown(fault: str) -> None:
    received = run(fault)
    found = counted(received)
    expected = SHOWN_BY[fault]
    assert {name: found.get(name, 0) for name in expected} == expected
    assert set(found) <= set(expected) | {"train_id_gaps"}


def test_the_same_seed_gives_the_same_values() -> None:
    assert run(None).values == run(None).values


def test_bytes_that_are_no_message_are_refused_with_a_sentence() -> None:
    for parts in ([b""], [b"\xc1"], [b"\x80"] * 3, [b"\x81\xa1a\x01", b"\x80"], [b"\x90"] * 2):
        with pytest.raises(BridgeMessageMalformed, match="the bridge sent"):
            parse_message(parts)
