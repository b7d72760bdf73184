"""Every fault of the control unit is noticed: by a number of the series summary, or by an error of the client."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fat.testing.handles import Dcu, Faults
from pipeline.dectris.acquisition import Acquisition, run_series
from pipeline.dectris.client import DcuClient
from pipeline.dectris.series import SeriesSummary
from pipeline.errors import CommandRefused, ControlUnitUnreachable
from sim.dectris.kind import FAULTS

IMAGES = 6

NOTICED: dict[str, Callable[[SeriesSummary], bool]] = {
    "drop_frame": lambda seen: seen.missing == 1,
    "duplicate_frame": lambda seen: seen.duplicates == 1 and seen.missing == 0,
    "reorder_frames": lambda seen: seen.reordered == 1 and seen.missing == 0,
    "wrong_series": lambda seen: seen.wrong_series == 1 and seen.missing == 1,
    "missing_end": lambda seen: not seen.ended,
    "late_end": lambda seen: seen.ended and (seen.end_delay_s or 0) > 0.4,
    "early_end": lambda seen: seen.missing > 0,
    "corrupt_blob": lambda seen: seen.corrupt == 1,
    "wrong_size": lambda seen: seen.broken == 1,
}
PARAMETERS = {"late_end": {"delay_s": 1.0}}
OF_REQUESTS = {"http_error", "slow_http"}


def take(dcu: Dcu) -> SeriesSummary:
    with DcuClient(dcu.api) as client, Acquisition(dcu.stream) as acquisition:
        return run_series(client, acquisition, nimages=IMAGES, frame_time_s=0.005, timeout_s=1.5)


def test_each_fault_of_the_kind_has_its_row() -> None:
    assert {fault.name for fault in FAULTS} == set(NOTICED) | OF_REQUESTS


def test_without_a_fault_nothing_is_noticed(dcu: Dcu) -> None:
    assert take(dcu).complete


@pytest.mark.parametrize("fault", NOTICED)
def test_a_fault_of_the_stream_is_noticed(dcu: Dcu, faults: Faults, fault: str) -> None:
    faults.on("dcu", fault, times=1, **PARAMETERS.get(fault, {}))
    seen = take(dcu)
    assert faults.struck("dcu")[fault] == 1
    assert NOTICED[fault](seen), seen
    assert fault == "late_end" or not seen.complete


def test_faults_of_requests_are_errors_of_the_client(dcu: Dcu, faults: Faults) -> None:
    with DcuClient(dcu.api, timeout_s=0.5) as client:
        faults.on("dcu", "http_error", times=1)
        with pytest.raises(CommandRefused, match="503"):
            client.state()
        assert client.state() == "idle"
        faults.on("dcu", "slow_http", times=1, delay_s=1.0)
        with pytest.raises(ControlUnitUnreachable):
            client.state()
        assert client.state() == "idle"
