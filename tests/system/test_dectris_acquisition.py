"""Acquisitions from a simulated control unit over real sockets: active, passive, aborted, timed out, in a row."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import hdf5plugin
import numpy as np
import pytest

from fat.bench.client import ControlClient
from fat.bench.owned import OwnedBench
from fat.testing.handles import Faults
from fat.testing.small_bench import write_bench_file
from pipeline.dectris.acquisition import Acquisition, Partial
from pipeline.dectris.client import DcuClient
from pipeline.dectris.connection import Connection, connect
from pipeline.dectris.corrections import Corrections, from_unit
from pipeline.dectris.reduce import CentreOfMass, FrameSums, Sum, VirtualDetectors, disk
from pipeline.dectris.stack import ChunkStack, ImageStack
from pipeline.dectris.stackfile import DATA
from pipeline.errors import CommandRefused, ControlUnitError, NothingCame, SettingRejected

assert hdf5plugin.get_filters()


class Unit(NamedTuple):
    """Where the control unit is."""

    api: str
    stream: str


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnedBench]:
    """One control unit for all tests of this file: each of them leaves it idle."""
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
def connection(dcu: Unit) -> Iterator[Connection]:
    with connect(dcu.api, dcu.stream) as connected:
        yield connected


class Kept:
    """Keeps all images: what the reductions are compared with."""

    channel: str | None = None

    def __init__(self) -> None:
        self.images: dict[int, np.ndarray] = {}

    def begin(self, start: Any) -> None:
        self.images = {}

    def take(self, frames: np.ndarray, stack: np.ndarray) -> None:
        self.images |= {int(number): image.copy() for number, image in zip(frames, stack, strict=True)}

    def all(self) -> np.ndarray:
        return np.stack([self.images[number] for number in sorted(self.images)])


def software(connection: Connection, mode: str = "ints", frame_time: float = 0.001, **settings: Any) -> Any:
    return connection.get_active_controller(mode, count_time=frame_time, frame_time=frame_time, **settings)


def test_everything_that_is_reduced_fits_the_images(connection: Connection, tmp_path: Path) -> None:
    shape = (
        int(connection.client.get("y_pixels_in_detector")),
        int(connection.client.get("x_pixels_in_detector")),
    )
    corrections = from_unit(connection.client, mask=True)
    bad = corrections.excluded
    weights = disk(*shape, shape[0] / 2, shape[1] / 2, 20)[np.newaxis]
    kept, partials = Kept(), list[Partial]()
    stack = ImageStack(tmp_path / "series-$id.h5", corrections)
    untouched = ChunkStack(tmp_path / "untouched.h5")
    outcome = connection.prepare((2, 6), controller=software(connection), frames_per_partition=4).run(
        [
            Sum(excluded=bad),
            FrameSums(),
            VirtualDetectors(weights, excluded=bad),
            CentreOfMass(excluded=bad),
            kept,
            stack,
            untouched,
        ],
        on_partition=partials.append,
    )
    assert outcome.complete, outcome.sentences()
    images = kept.all().astype(np.uint64)
    good = np.where(bad, 0, images)
    total, frame_sums, detectors, com, *_ = outcome.results
    assert np.array_equal(total, good.sum(axis=0))
    assert np.array_equal(frame_sums, images.sum(axis=(1, 2)).reshape(2, 6))
    assert detectors.shape == (1, 2, 6)
    assert np.allclose(detectors.reshape(-1), (good * weights).sum(axis=(1, 2)))
    assert com.shape == (2, 6, 2)
    rows = np.arange(shape[0])[:, np.newaxis]
    assert np.allclose(com[..., 0].reshape(-1), (good * rows).sum(axis=(1, 2)) / good.sum(axis=(1, 2)))
    assert partials
    assert partials[-1].progress.frames <= 12
    with h5py.File(stack.path) as file:
        assert stack.path.name == f"series-{outcome.report.series}.h5"
        assert np.array_equal(file[DATA][:], np.where(bad, np.iinfo(kept.all().dtype).max, kept.all()))
    with h5py.File(untouched.path) as file:
        assert np.array_equal(file[DATA][:], kept.all())


@pytest.mark.parametrize("mode", ["ints", "inte"])
def test_an_acquisition_runs_again_and_again(connection: Connection, mode: str) -> None:
    acquisition = connection.prepare((3, 2), controller=software(connection, mode))
    series = [acquisition.run([Sum()]) for _ in range(3)]
    assert all(outcome.complete for outcome in series), [outcome.sentences() for outcome in series]
    numbers = [outcome.report.series for outcome in series]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert connection.client.state() == "idle"


def test_a_trigger_hook_is_called_once_the_series_is_armed(connection: Connection) -> None:
    seen: list[str] = []

    def trigger(acquisition: Acquisition) -> None:
        seen.append(acquisition.client.state())
        acquisition.client.trigger(timeout_s=10)

    outcome = connection.prepare(5, controller=software(connection), trigger=trigger).run([Sum()])
    assert outcome.complete
    assert seen == ["ready"]


def test_a_trigger_hook_that_fails_ends_the_run_and_the_next_one_is_whole(connection: Connection) -> None:
    def trigger(_: Acquisition) -> None:
        raise ZeroDivisionError("of the scan engine")

    with pytest.raises(ZeroDivisionError, match="scan engine"):
        connection.prepare(5, controller=software(connection), trigger=trigger).run([Sum()])
    assert connection.client.state() == "idle"
    assert connection.prepare(5, controller=software(connection)).run([Sum()]).complete


def test_an_aborted_run_tells_what_came_and_the_next_one_is_whole(
    connection: Connection, tmp_path: Path
) -> None:
    acquisition = connection.prepare(10_000, controller=software(connection, frame_time=0.005))
    stack, first = ImageStack(tmp_path / "cut.h5"), threading.Event()

    class First(Kept):
        def take(self, frames: np.ndarray, stack: np.ndarray) -> None:
            super().take(frames, stack)
            first.set()

    kept = First()
    killer = threading.Thread(target=lambda: first.wait(20) and acquisition.abort())
    killer.start()
    outcome = acquisition.run([kept, stack])
    killer.join()
    assert outcome.report.stopped
    assert not outcome.complete
    assert 0 < outcome.report.frames < 10_000
    assert connection.client.state() == "idle"
    with h5py.File(tmp_path / "cut.h5") as file:
        assert file[DATA].shape[0] == max(kept.images) + 1
    assert not acquisition.abort()
    assert connection.prepare(5, controller=software(connection)).run([Sum()]).complete


def test_a_passive_receiver_takes_what_somebody_else_arms(dcu: Unit, connection: Connection) -> None:
    assert connection.wait_for_acquisition(timeout=0.1) is None
    with DcuClient(dcu.api) as somebody:
        for _ in range(2):
            for key, value in {
                "trigger_mode": "ints",
                "ntrigger": 1,
                "nimages": 6,
                "frame_time": 0.001,
            }.items():
                somebody.set(key, value)
            series = somebody.arm()
            pending = connection.wait_for_acquisition(timeout=10)
            assert pending is not None
            assert (pending.series, pending.nimages) == (series, 6)
            acquisition = connection.prepare_from_pending(pending, (2, 3))
            trigger = threading.Thread(target=somebody.trigger, kwargs={"timeout_s": 10})
            trigger.start()
            outcome = acquisition.run([FrameSums()])
            trigger.join()
            assert outcome.complete, outcome.sentences()
            assert outcome.results[0].shape == (2, 3)
            with pytest.raises(ControlUnitError, match="can be taken once"):
                acquisition.run([Sum()])


def test_a_series_that_does_not_fit_the_scan_is_said(dcu: Unit, connection: Connection) -> None:
    with DcuClient(dcu.api) as somebody:
        for key, value in {"trigger_mode": "ints", "nimages": 5, "frame_time": 0.001}.items():
            somebody.set(key, value)
        for shape, words in (
            ((2, 3), "its last 1 positions stay empty"),
            ((2, 2), "1 more than a scan of 2 × 2"),
        ):
            somebody.arm()
            pending = connection.wait_for_acquisition(timeout=10)
            assert pending is not None
            trigger = threading.Thread(target=somebody.trigger, kwargs={"timeout_s": 10})
            trigger.start()
            outcome = connection.prepare(shape, pending=pending).run([FrameSums()])
            trigger.join()
            assert outcome.report.complete
            assert not outcome.complete
            assert any(words in remark for remark in outcome.remarks)
            assert outcome.results[0].shape == shape


def test_a_silent_series_ends_with_its_time_out_and_the_next_one_is_whole(connection: Connection) -> None:
    # The hook stands for a trigger that never comes.
    silent = connection.prepare(
        5, controller=software(connection), trigger=lambda _: None, idle_timeout_s=0.3
    )
    outcome = silent.run([Sum()])
    assert not outcome.report.ended
    assert outcome.report.missing == 5
    assert connection.client.state() == "idle"
    assert connection.prepare(5, controller=software(connection)).run([Sum()]).complete


def test_a_start_that_does_not_come_is_one_sentence(dcu: Unit) -> None:
    with connect(dcu.api, "tcp://127.0.0.1:9") as elsewhere:
        acquisition = elsewhere.prepare(5, controller=software(elsewhere), start_timeout_s=0.2)
        with pytest.raises(
            NothingCame, match=r"is armed, but its start did not come on tcp://127.0.0.1:9 for 0.2 s"
        ):
            acquisition.run([Sum()])
        assert elsewhere.client.state() == "idle"


def test_a_detector_that_somebody_else_armed_is_left_alone(dcu: Unit, connection: Connection) -> None:
    with DcuClient(dcu.api) as somebody:
        somebody.arm()
        with pytest.raises(ControlUnitError, match="is armed already"):
            connection.prepare(5, controller=software(connection)).run([Sum()])
        assert somebody.state() == "ready"
        somebody.disarm()


def test_a_refused_setting_leaves_the_detector_idle(connection: Connection) -> None:
    controller = software(connection, compression="gzip")
    with pytest.raises(CommandRefused, match="compression"):
        connection.prepare(5, controller=controller).run([Sum()])
    assert connection.client.state() == "idle"


def test_a_lost_image_is_in_the_report_and_the_next_series_is_whole(
    connection: Connection, faults: Faults
) -> None:
    faults.on("dcu", "drop_frame", times=1)
    acquisition = connection.prepare(6, controller=software(connection))
    lossy = acquisition.run([FrameSums()])
    assert lossy.report.missing == 1
    assert len(lossy.report.gaps) == 1
    assert any(f"series {lossy.report.series}" in sentence for sentence in lossy.sentences())
    assert acquisition.run([FrameSums()]).complete


def test_what_cannot_be_is_one_sentence(dcu: Unit, connection: Connection) -> None:
    with pytest.raises(SettingRejected, match="trigger_mode"):
        connection.get_active_controller("often")
    with pytest.raises(SettingRejected, match="a setting cannot be 'gain'"):
        connection.get_active_controller("ints", gain=1)
    with pytest.raises(SettingRejected, match="nav_shape"):
        connection.prepare((0, 5), controller=software(connection))
    with pytest.raises(SettingRejected, match="either a controller"):
        connection.prepare(5)
    with pytest.raises(SettingRejected, match="a divisor of the 7 images"):
        connection.prepare(7, controller=software(connection, images_per_trigger=2))
    with pytest.raises(SettingRejected, match="stream_format"):
        connect(dcu.api, dcu.stream, stream_format="xml")
    with pytest.raises(SettingRejected, match="the pixel mask"):
        Corrections(np.zeros((2, 2), np.bool_)).fitting((3, 3))
