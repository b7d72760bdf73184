"""Every fault of the control unit is noticed, by the report of its series or by an error; and what follows is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from fat.bench.client import ControlClient
from fat.bench.owned import OwnedBench
from fat.testing.handles import Faults
from fat.testing.small_bench import write_bench_file
from pipeline.dectris.acquisition import Acquisition
from pipeline.dectris.client import DcuClient
from pipeline.dectris.connection import Connection, connect
from pipeline.dectris.outcome import AcquisitionResult
from pipeline.dectris.reduce import FrameSums
from pipeline.dectris.values import SeriesReport
from pipeline.errors import CommandRefused, ControlUnitError, ControlUnitUnreachable, NothingCame
from sim.dectris.kind import FAULTS

IMAGES = 6

NOTICED: dict[str, Callable[[SeriesReport], bool]] = {
    "drop_frame": lambda seen: seen.missing == 1 and len(seen.gaps) == 1,
    "duplicate_frame": lambda seen: seen.duplicates == 1 and seen.missing == 0,
    "reorder_frames": lambda seen: seen.reordered == 1 and seen.missing == 0,
    "wrong_series": lambda seen: seen.wrong_series == 1 and seen.missing == 1,
    "corrupt_blob": lambda seen: seen.corrupt == 1 and len(seen.corrupt_frames) == 1,
    "wrong_hash": lambda seen: seen.corrupt == 1,
    "wrong_size": lambda seen: seen.broken + seen.truncated == 1 and seen.missing == 1,
    "truncated_blob": lambda seen: seen.broken + seen.truncated + seen.corrupt == 1 and seen.missing == 1,
    "missing_part": lambda seen: seen.broken == 1 and seen.missing == 1,
    "extra_part": lambda seen: seen.broken == 1 and seen.missing == 1,
    "garbage": lambda seen: seen.broken == 1,
    "silent_stream": lambda seen: seen.silence_s > 0.4,
    "stale_end": lambda seen: seen.stale == 1,
    "missing_end": lambda seen: not seen.ended and seen.missing == 0,
    "late_end": lambda seen: seen.ended and (seen.end_delay_s or 0) > 0.4,
    "early_end": lambda seen: seen.missing > 0,
}
"""Faults that one series' report shows."""
PARAMETERS = {
    "late_end": {"delay_s": 1.2},
    "silent_stream": {"delay_s": 0.6},
    "slow_http": {"delay_s": 1.0},
}
HARMLESS = {"late_end", "silent_stream", "stale_end"}
"""The series is whole all the same."""
OF_REQUESTS: dict[str, tuple[type[ControlUnitError], str]] = {
    "http_error": (CommandRefused, "503"),
    "slow_http": (ControlUnitUnreachable, "no control unit answers"),
    "hang_http": (ControlUnitUnreachable, "no control unit answers"),
    "close_http": (ControlUnitUnreachable, "no control unit answers"),
    "garbage_http": (ControlUnitError, "not JSON"),
}
ELSEWHERE = {
    "missing_header": "below",
    "wrong_type_http": "tests of the REST interface",
    "restart": "below",
    "detector_error": "below",
    "file_missing": "tests of the file writer",
    "file_truncated": "tests of the file writer",
    "file_late": "tests of the file writer",
    "file_wrong_link": "tests of the file writer",
    "file_corrupt_chunk": "tests of the file writer",
    "file_disk_full": "tests of the file writer",
}
OTHERWISE_IN_STREAM_2 = {
    "drop_frame",
    "wrong_series",
    "corrupt_blob",
    "wrong_size",
    "truncated_blob",
    "missing_part",
    "garbage",
    "missing_end",
}
"""Faults whose messages differ between the streams."""


class Unit(NamedTuple):
    """Where the control unit is."""

    api: str
    stream: str
    stream2: str


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnedBench]:
    """One control unit for all faults: each leaves it usable, which is half of what is tested."""
    folder = tmp_path_factory.mktemp("dcu")
    path = write_bench_file(folder, ["dcu"], mode="wall", receiver_port=None)
    with OwnedBench(path, data_dir=folder / "data", log=folder / "bench.log") as bench:
        yield bench


@pytest.fixture
def dcu(up: OwnedBench) -> Unit:
    return Unit(up.endpoints["dcu.api"], up.endpoints["dcu.stream"], up.endpoints["dcu.stream2"])


@pytest.fixture
def faults(up: OwnedBench) -> Iterator[Faults]:
    control = ControlClient(up.endpoints["control"], up.token)
    yield Faults(control)
    control.close()


def prepared(connection: Connection, **more: Any) -> Acquisition:
    controller = connection.get_active_controller("ints", count_time=0.005, frame_time=0.005)
    return connection.prepare(IMAGES, controller=controller, idle_timeout_s=1.5, start_timeout_s=1.5, **more)


@pytest.fixture
def connection(dcu: Unit) -> Iterator[Connection]:
    with connect(dcu.api, dcu.stream, stream_format="legacy") as connected:
        yield connected


@pytest.fixture
def acquisition(connection: Connection) -> Acquisition:
    return prepared(connection)


def take(acquisition: Acquisition) -> AcquisitionResult:
    return acquisition.run([FrameSums()])


def test_each_fault_of_the_kind_has_its_row() -> None:
    assert set(NOTICED) | set(OF_REQUESTS) | set(ELSEWHERE) == {fault.name for fault in FAULTS}


def test_without_a_fault_nothing_is_noticed(acquisition: Acquisition) -> None:
    outcome = take(acquisition)
    assert outcome.complete, outcome.sentences()


@pytest.mark.parametrize("fault", sorted(NOTICED))
def test_a_fault_of_the_stream_is_noticed_and_the_next_series_is_whole(
    acquisition: Acquisition, faults: Faults, fault: str
) -> None:
    struck_and_noticed(acquisition, faults, fault)


@pytest.mark.parametrize("fault", sorted(OTHERWISE_IN_STREAM_2))
def test_a_fault_of_stream_2_is_noticed_as_well(dcu: Unit, faults: Faults, fault: str) -> None:
    with connect(dcu.api, dcu.stream2, stream_format="cbor") as connection:
        struck_and_noticed(prepared(connection), faults, fault)


def struck_and_noticed(acquisition: Acquisition, faults: Faults, fault: str) -> None:
    before = faults.struck("dcu").get(fault, 0)
    faults.on("dcu", fault, times=1, **PARAMETERS.get(fault, {}))
    outcome = take(acquisition)
    assert faults.struck("dcu")[fault] == before + 1
    assert NOTICED[fault](outcome.report), outcome.report
    assert outcome.complete == (fault in HARMLESS)
    if fault not in HARMLESS:
        assert f"series {outcome.report.series}" in " ".join(outcome.sentences())
    following = take(acquisition)
    assert following.complete, following.sentences()
    assert following.report.series == outcome.report.series + 1


def test_a_restart_in_the_middle_is_noticed_and_the_next_series_is_whole(
    connection: Connection, faults: Faults
) -> None:
    restarted = prepared(connection, trigger=lambda _: faults.on("dcu", "restart", times=1))
    outcome = take(restarted)
    assert not outcome.report.ended
    assert outcome.report.missing == IMAGES
    following = take(prepared(connection))
    assert following.complete, following.sentences()
    assert any("it was now" in remark for remark in following.remarks)


def test_hardware_that_fails_in_the_middle_is_noticed_and_wants_to_be_initialized(
    connection: Connection, faults: Faults
) -> None:
    failed = prepared(connection, trigger=lambda _: faults.on("dcu", "detector_error", times=1))
    assert take(failed).report.missing == IMAGES
    with pytest.raises(ControlUnitError, match="state error"):
        take(failed)
    connection.client.initialize()
    assert take(prepared(connection)).complete


def test_a_start_message_that_is_missing_is_noticed_and_the_next_series_is_whole(
    acquisition: Acquisition, faults: Faults
) -> None:
    faults.on("dcu", "missing_header", times=1)
    with pytest.raises(NothingCame, match="its start did not come"):
        take(acquisition)
    assert take(acquisition).complete


@pytest.mark.parametrize("fault", sorted(OF_REQUESTS))
def test_a_fault_of_a_request_is_an_error_of_the_client(dcu: Unit, faults: Faults, fault: str) -> None:
    kind, words = OF_REQUESTS[fault]
    with DcuClient(dcu.api, timeout_s=0.5) as client:
        faults.on("dcu", fault, times=1, **PARAMETERS.get(fault, {}))
        with pytest.raises(kind, match=words):
            client.state()
        assert client.state() == "idle"


def test_a_request_that_fails_while_a_series_is_set_up_leaves_the_next_one_whole(
    acquisition: Acquisition, faults: Faults
) -> None:
    faults.on("dcu", "http_error", times=1)
    with pytest.raises(CommandRefused, match="503"):
        take(acquisition)
    assert take(acquisition).complete
