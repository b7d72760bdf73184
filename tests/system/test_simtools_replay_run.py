"""A recorded run, sent again as datagrams, arrives as it was recorded; aggregators, sources and stride on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.config import DaqTable
from pipeline.constants import conditions_of
from pipeline.daq.acquisition import Acquisition, Aggregator
from pipeline.daq.recording import RecordingPlan, RunWriter
from pipeline.daq.xtdf import FORMATS, decode
from pipeline.errors import SettingRejected
from pipeline.gathering import Gathered
from pipeline.model import ModuleTrain, TrainClock
from sim.errors import SimError
from sim.xtdf.build import make_module
from sim.xtdf.codec import encode_block, good_fields
from sim.xtdf.config import AgipdTable, DsscTable, LpdTable
from sim.xtdf.run_replay import modules_of, replay_run

TABLES = {
    "AGIPD": AgipdTable(memory_cells=2, modules=2),
    "LPD": LpdTable(memory_cells=2, modules=2),
    "DSSC": DsscTable(memory_cells=2, modules=2),
}
TRAINS = 5
FIRST = 1_000_000_010


def train(kind: str, module: int, train_id: int) -> ModuleTrain:
    table = TABLES[kind]
    model = make_module(table, 3, module)
    images = np.zeros((2, model.wire.bytes_per_pulse // 2), np.uint16)
    model.make_images(images, train_id, "adaptive", "flat")
    fields = good_fields(model.wire, train_id=train_id, link=module, pulse_id=table.pulse_ids)
    return decode(np.frombuffer(encode_block(model.wire, images, fields), np.uint8), module, FORMATS[kind])


def plan(kind: str, modules: tuple[int, ...] = (0, 1)) -> RecordingPlan:
    return RecordingPlan(TABLES[kind].detector, FORMATS[kind], modules, "A_B_C1", 1, 3, TrainClock(FIRST, 0))


def recorded(folder: Path, kind: str) -> Path:
    rate = {} if kind == "LPD" else {"acquisition_rate_mhz": 1.1}
    writer = RunWriter(folder / "r0001", plan(kind), 1, "", conditions_of(kind, {"memory_cells": 2, **rate}))
    for train_id in range(FIRST, FIRST + TRAINS):
        writer.write(Gathered(train_id, 0.0, {m: train(kind, m, train_id) for m in (0, 1)}))
    writer.close()
    return writer.folder


class Receiving:
    """A data acquisition, and copies of the trains that came."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.trains: dict[tuple[int, int], ModuleTrain] = {}
        self.daq = Acquisition(
            plan(kind), 2, DaqTable(frame_timeout_s=0.3), lambda run: folder / f"r{run:04d}", self._take
        )
        self.daq.start()

    def _take(self, came: ModuleTrain) -> None:
        kept = ModuleTrain(
            came.module, came.train_id, came.data.copy(), came.cell_id.copy(), came.pulse_id.copy(),
            came.status.copy(), came.length.copy(), came.header, came.detector.copy(), came.trailer, came.flags,
        )  # fmt: skip
        self.trains[came.train_id, came.module] = kept
        came.release()

    def send(self, run: Path, **options: object) -> int:
        sent = replay_run(run, self.daq.addresses, rate_hz=None, **options)  # type: ignore[arg-type]
        pause = threading.Event()
        for _ in range(500):
            if self.daq.quiet():
                break
            pause.wait(0.01)
        self.daq.end_run()
        return sent


@pytest.fixture
def receiving(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Receiving]:
    made = Receiving(tmp_path / "again", getattr(request, "param", "AGIPD"))
    yield made
    made.daq.stop()


@pytest.mark.parametrize(("receiving", "kind"), [(kind, kind) for kind in TABLES], indirect=["receiving"])
def test_the_replayed_run_is_the_recorded_one(receiving: Receiving, kind: str, tmp_path: Path) -> None:
    run = recorded(tmp_path, kind)
    assert modules_of(run) == [0, 1]
    receiving.daq.monitor()
    assert receiving.send(run) == TRAINS
    assert len(receiving.trains) == 2 * TRAINS
    for (train_id, module), came in receiving.trains.items():
        original = train(kind, module, train_id)
        assert came.flags == original.flags
        for field in ("data", "cell_id", "pulse_id", "status", "length", "detector"):
            assert np.array_equal(getattr(came, field), getattr(original, field)), field
        assert (came.header, came.trailer) == (original.header, original.trailer)


def test_a_part_of_a_run(receiving: Receiving, tmp_path: Path) -> None:
    run = recorded(tmp_path, "AGIPD")
    receiving.daq.monitor()
    assert receiving.send(run, trains=slice(1, 3)) == 2
    assert {train_id for train_id, _ in receiving.trains} == {FIRST + 1, FIRST + 2}


def test_a_deselected_source_is_ignored_and_the_others_are_taken_in(
    receiving: Receiving, tmp_path: Path
) -> None:
    run = recorded(tmp_path, "AGIPD")
    chosen = receiving.daq.select(["*/DET/1CH0:xtdf", "SA1_*"])
    assert chosen == ["SPB_DET_AGIPD1M-1/DET/1CH0:xtdf"]
    receiving.daq.monitor()
    assert receiving.daq.module_state(0) is Aggregator.IGNORE
    assert receiving.daq.module_state(1) is Aggregator.MONITOR
    receiving.send(run)
    assert {module for _, module in receiving.trains} == {1}
    assert receiving.daq.counters["trains_ignored"] == TRAINS
    with pytest.raises(SettingRejected, match="match at least one of SPB_DET_AGIPD1M-1"):
        receiving.daq.select(["LPD*"])


def test_a_stride_takes_every_other_train(receiving: Receiving, tmp_path: Path) -> None:
    run = recorded(tmp_path, "AGIPD")
    receiving.daq.train_stride = 2
    receiving.daq.monitor()
    receiving.send(run)
    assert {train_id for train_id, _ in receiving.trains} == {FIRST, FIRST + 2, FIRST + 4}
    assert receiving.daq.counters["trains_off_stride"] == 4
    assert receiving.daq.problems() == {}


def test_one_file_that_cannot_be_written_stops_one_aggregator(
    receiving: Receiving, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.daq.rawfile import ModuleFile

    run, real = recorded(tmp_path, "AGIPD"), ModuleFile.append

    def append(self: ModuleFile, train_id: int, timestamp_ns: int, part: ModuleTrain | None) -> None:
        if part is not None and part.module == 0:
            raise OSError(28, "No space left on device")
        real(self, train_id, timestamp_ns, part)

    conditions = conditions_of("AGIPD", {"memory_cells": 2, "acquisition_rate_mhz": 1.1})
    receiving.daq.record(7, "", conditions, False)
    monkeypatch.setattr(ModuleFile, "append", append)
    receiving.send(run)
    assert receiving.daq.module_state(0) is Aggregator.ERROR
    assert "No space left" in receiving.daq.module_problem(0)
    assert receiving.daq.module_state(1) is not Aggregator.ERROR
    assert receiving.daq.recorder is not None
    assert receiving.daq.recorder.writer.trains_written == TRAINS


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimError, match="is it a raw run"):
        modules_of(tmp_path)
