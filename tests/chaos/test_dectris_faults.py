"""Every fault of the control unit is noticed, by the report of its series or by an error; and what follows is whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from fat.bench.client import ControlClient
from fat.bench.owned import OwnedBench
from fat.testing.handles import Faults
from fat.testing.small_bench import write_bench_file
from pipeline.dectris.acquisition import Acquisition
from pipeline.dectris.client import DcuClient
from pipeline.dectris.connection import connect
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
    # A part more is an appendix to whoever does not know that none was asked for.
    "extra_part": lambda seen: seen.complete,
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
HARMLESS = {"late_end", "silent_stream", "stale_end", "extra_part"}
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
    "restart": "tests of the unit",
    "file_missing": "tests of the file writer",
    "file_truncated": "tests of the file writer",
    "file_late": "tests of the file writer",
    "file_wrong_link": "tests of the file writer",
    "file_corrupt_chunk": "tests of the file writer",
    "file_disk_full": "tests of the file writer",
    "detector_error": "tests of the unit",
}
KNOWN = {fault.name for fault in FAULTS}


class Unit(NamedTuple):
    """Where the control unit is."""

    api: str
    stream: str


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnedBench]:
    """One control unit for all faults: each leaves it usable, which is half of what is tested."""
    folder = tmp_path_factory.mktemp("dcu")
    path = write_bench_file(folder, ["dcu"], mode="wall", receiver_port=None)
    with OwnedBench(path, data_dir=folder / "data", log=folder / "bench.log") as bench:
        yield bench


@pytest.fixture
def dcu(up: OwnedBench) -> Unit:
    return Unit(up.endpoints["dcu.api"], up.endpoints["dcu.stream"])


@pytest.fixture
def faults(up: OwnedBench) -> Iterator[Faults]:
    control = ControlClient(up.endpoints["control"], up.token)
    yield Faults(control)
    control.close()


@pytest.fixture
def acquisition(dcu: Unit) -> Iterator[Acquisition]:
    with connect(dcu.api, dcu.stream) as connection:
        controller = connection.get_active_controller("ints", count_time=0.005, frame_time=0.005)
        yield connection.prepare(IMAGES, controller=controller, idle_timeout_s=1.5, start_timeout_s=1.5)


def take(acquisition: Acquisition) -> AcquisitionResult:
    return acquisition.run([FrameSums()])


def test_each_fault_of_the_kind_has_its_row() -> None:
    assert set(NOTICED) | set(OF_REQUESTS) | set(ELSEWHERE) >= KNOWN


def test_without_a_fault_nothing_is_noticed(acquisition: Acquisition) -> None:
    outcome = take(acquisition)
    assert outcome.complete, outcome.sentences()


@pytest.mark.parametrize("fault", sorted(KNOWN & set(NOTICED)))
def test_a_fault_of_the_stream_is_noticed_and_the_next_series_is_whole(
    acquisition: Acquisition, faults: Faults, fault: str
) -> None:
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


@pytest.mark.skipif("missing_header" not in KNOWN, reason="this unit always sends a start message")
def test_a_start_message_that_is_missing_is_noticed_and_the_next_series_is_whole(
    acquisition: Acquisition, faults: Faults
) -> None:
    faults.on("dcu", "missing_header", times=1)
    with pytest.raises(NothingCame, match="its start did not come"):
        take(acquisition)
    assert take(acquisition).complete


@pytest.mark.parametrize("fault", sorted(KNOWN & set(OF_REQUESTS)))
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
