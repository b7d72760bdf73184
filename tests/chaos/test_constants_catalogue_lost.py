"""Constants against a catalogue in a process of its own: killed, silent, asked for the past, and with damaged files."""

from __future__ import annotations

import contextlib
import json
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from pipeline.config import ConstantsTable, PipelineTable
from pipeline.constants import (
    AgipdConditions,
    Catalogue,
    CatalogueRest,
    Conditions,
    DsscConditions,
    LpdConditions,
    Origin,
    Question,
    explain,
    inject,
    open_catalogue,
)
from pipeline.constants.model import ConstantVersion
from pipeline.constants_commands import app
from pipeline.control.device import Device
from pipeline.errors import CatalogueUnreachable, ConstantMissing, ConstantUnreadable, SettingRejected
from pipeline.model import TrainClock
from pipeline.online.corrected import CorrectedBranch
from pipeline.online.corrected_devices import corrected_devices
from pipeline.online.splitter import Splitter

AGIPD, LPD, DSSC = "SPB_DET_AGIPD1M-1", "FXE_DET_LPD1M-1", "SCS_DET_DSSC1M-1"
BEGIN = datetime(2026, 1, 15, 8, tzinfo=UTC)
NOW = BEGIN + timedelta(hours=5)
CONDITIONS = AgipdConditions(memory_cells=1, acquisition_rate_mhz=1.1)
TABLE = ConstantsTable(give_up_after_s=0.5)
COUNTER = count(1)


class CatalogueProcess:
    """The simulated catalogue with one module of each detector's type."""

    def __init__(self, data_dir: Path) -> None:
        detectors = [
            {"identifier": name, "type": f"{kind}-Type", "modules": 2}
            for name, kind in ((AGIPD, "AGIPD"), (LPD, "LPD"), (DSSC, "DSSC"))
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sim.kernel.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        order = {
            "devices": [{"name": "caldb", "kind": "caldb", "table": {"detectors": detectors}}],
            "seed": 1,
            "data_dir": str(data_dir),
            "clock": None,
            "epoch_unix_ns": None,
            "endpoints": {},
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        assert select.select([self._process.stdout], [], [], 60)[0], "the catalogue does not start"
        ready = json.loads(self._process.stdout.readline())["ready"]
        self.rest, self.store = str(ready["caldb.rest"]), Path(ready["caldb.store"])

    def kill(self) -> None:
        """SIGKILL: nothing is said to anybody."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def open(self, folder: Path | None, detector: str = AGIPD, table: ConstantsTable = TABLE) -> Any:
        return open_catalogue(self.rest, self.store, detector, table, folder)

    def put(
        self,
        hours: float,
        value: float,
        conditions: Conditions = CONDITIONS,
        detector: str = AGIPD,
        calibration: str = "Offset",
    ) -> ConstantVersion:
        """Inject one constant of module 0."""
        rest = CatalogueRest(self.rest)
        try:
            data = np.full(conditions.shape_of(calibration), value, np.float32)
            origin = Origin(BEGIN + timedelta(hours=hours), "proposal:900001 runs:1")
            (version,) = inject(
                Catalogue(rest, self.store, detector), 0, {calibration: data}, conditions, origin
            )
            return version
        finally:
            rest.close()

    def change(self, version: ConstantVersion, **flags: Any) -> None:
        answer = httpx.put(
            f"{self.rest}/api/calibration_constant_versions/{version.id}",
            json={"calibration_constant_version": flags},
            trust_env=False,
        )
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CatalogueProcess]:
    """For tests that leave it alive; each takes conditions of its own."""
    process = CatalogueProcess(tmp_path_factory.mktemp("shared"))
    yield process
    process.kill()


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[CatalogueProcess]:
    """For tests that kill it."""
    process = CatalogueProcess(tmp_path / "data")
    yield process
    process.kill()


def own_conditions() -> AgipdConditions:
    return replace(CONDITIONS, sensor_bias_voltage_v=100.0 + next(COUNTER))


def value_of(
    catalogue: Catalogue, conditions: Conditions = CONDITIONS, at: datetime = NOW, **more: Any
) -> float:
    data = catalogue.fetch(conditions, ["Offset"], [0], at, **more).get(0, "Offset")
    assert data is not None
    return float(data.flat[0])


def test_a_dead_catalogue_is_answered_for_by_the_cache_and_only_for_the_same_question(
    doomed: CatalogueProcess, tmp_path: Path
) -> None:
    doomed.put(0, 7.0)
    folder = tmp_path / "cache"
    with doomed.open(folder) as catalogue:
        assert value_of(catalogue) == 7.0
        assert catalogue.kept_since is None
        assert catalogue.remarks == []
    doomed.kill()
    with doomed.open(folder) as catalogue:
        assert value_of(catalogue) == 7.0
        assert abs((catalogue.kept_since - datetime.now(UTC)).total_seconds()) < 60
        assert "does not answer" in catalogue.remarks[0]
        # The same moment in another zone is the same question; another moment is not.
        assert value_of(catalogue, at=NOW.astimezone()) == 7.0
        for question in (
            {"at": NOW + timedelta(seconds=1)},
            {"strategy": "closest"},
            {"snapshot_at": NOW},
            {"conditions": replace(CONDITIONS, gain_setting=1)},
        ):
            with pytest.raises(CatalogueUnreachable, match="no answer to this question either"):
                value_of(catalogue, **question)
    doomed.store.rename(doomed.store.with_name("gone"))
    with doomed.open(folder) as catalogue:
        assert value_of(catalogue) == 7.0
        assert any("the copy in the cache is used" in remark for remark in catalogue.remarks)
    with (
        doomed.open(folder, table=TABLE.model_copy(update={"cache_max_age_h": 1e-9})) as catalogue,
        pytest.raises(CatalogueUnreachable, match="cache_max_age_h"),
    ):
        value_of(catalogue)
    with doomed.open(None) as catalogue, pytest.raises(CatalogueUnreachable, match="is it running"):
        value_of(catalogue)


def test_a_damaged_copy_is_dropped_said_and_not_used(doomed: CatalogueProcess, tmp_path: Path) -> None:
    doomed.put(0, 7.0)
    folder = tmp_path / "cache"
    with doomed.open(folder) as catalogue:
        value_of(catalogue)
    doomed.kill()
    doomed.store.rename(doomed.store.with_name("gone"))
    (copy,) = [path for path in (folder / "objects").glob("*/*") if path.stat().st_size > 100_000]
    raw = bytearray(copy.read_bytes())
    raw[len(raw) // 2] ^= 1
    copy.write_bytes(raw)
    with doomed.open(folder) as catalogue:
        with pytest.raises(ConstantUnreadable, match="is not there"):
            value_of(catalogue)
        assert any("dropped from the cache" in remark and "cal." in remark for remark in catalogue.remarks)
    assert not copy.exists()


class KilledAt(CatalogueRest):
    """Kills the catalogue after so many requests."""

    def __init__(self, process: CatalogueProcess, after: int) -> None:
        super().__init__(process.rest, retry_for_s=0.3)
        self._process, self._left = process, after

    def _ask(self, *arguments: Any) -> Any:
        answer = super()._ask(*arguments)
        self._left -= 1
        if self._left == 0:
            self._process.kill()
        return answer


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_catalogue_that_dies_in_the_middle(
    doomed: CatalogueProcess, tmp_path: Path, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed.put(0, 7.0)
    doomed.put(0, 3.0, calibration="SlopesFF")
    ask = (CONDITIONS, ["Offset", "SlopesFF"], [0], NOW)
    folder = tmp_path / "cache"
    with doomed.open(folder) as catalogue:
        before = [version.id for version in catalogue.fetch(*ask).versions()]
    monkeypatch.setattr("pipeline.constants.opening.CatalogueRest", lambda *_, **__: KilledAt(doomed, after))
    with doomed.open(folder) as catalogue:
        assert [version.id for version in catalogue.fetch(*ask).versions()] == before
        assert catalogue.kept_since is not None
        assert catalogue.remarks


def test_without_a_cache_a_catalogue_that_dies_in_the_middle_is_a_sentence(
    doomed: CatalogueProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    doomed.put(0, 7.0)
    monkeypatch.setattr("pipeline.constants.opening.CatalogueRest", lambda *_, **__: KilledAt(doomed, 1))
    with doomed.open(None) as catalogue, pytest.raises(CatalogueUnreachable, match="is it running"):
        value_of(catalogue)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-5000]),
        lambda path: path.write_bytes(path.read_bytes()[:200_000] + b"broken" + path.read_bytes()[200_006:]),
        lambda path: path.write_bytes(b""),
    ],
    ids=["truncated", "changed", "empty"],
)
def test_a_damaged_file_is_refused_although_there_is_a_good_copy(
    shared: CatalogueProcess, tmp_path: Path, damage: Any
) -> None:
    conditions = own_conditions()
    version = shared.put(0, 7.0, conditions)
    path = shared.store / version.file
    with shared.open(tmp_path / "cache") as catalogue:
        assert value_of(catalogue, conditions) == 7.0
        damage(path)
        with pytest.raises(ConstantUnreadable) as caught:
            value_of(catalogue, conditions)
    for words in (path.name, "/AGIPD_SIM_M100/Offset/0/data", "inject the constant again"):
        assert words in str(caught.value)


def test_a_disabled_version_is_gone_at_the_next_lookup(shared: CatalogueProcess, tmp_path: Path) -> None:
    conditions = own_conditions()
    first, second = shared.put(0, 1.0, conditions), shared.put(2, 2.0, conditions)
    with shared.open(tmp_path / "cache") as catalogue:
        assert value_of(catalogue, conditions) == 2.0
        shared.change(second, flg_deployed=False)
        assert value_of(catalogue, conditions) == 1.0
        (row,) = explain(catalogue, Question(conditions, NOW), ["Offset"], [0]).rows
        assert row.answered == first.id
        reasons = {other.version.id: other.reasons for other in row.judgement.others}
        assert reasons[second.id] == ("it is not deployed",)
        shared.change(second, flg_deployed=True, flg_good_quality=False)
        assert value_of(catalogue, conditions) == 1.0
        shared.change(second, flg_good_quality=True)
        assert value_of(catalogue, conditions) == 2.0


def test_a_snapshot_shows_the_catalogue_as_it_was(shared: CatalogueProcess) -> None:
    conditions = own_conditions()
    snapshot = shared.put(0, 1.0, conditions).created_at
    late = shared.put(2, 2.0, conditions)
    assert late.created_at > snapshot, "an injection is several requests: longer than a millisecond"
    with shared.open(None) as catalogue:
        assert value_of(catalogue, conditions) == 2.0
        assert value_of(catalogue, conditions, snapshot_at=snapshot) == 1.0
        report = explain(catalogue, Question(conditions, NOW, "prior", snapshot), ["Offset"], [0])
        (other,) = [o for o in report.rows[0].judgement.others if o.version.id == late.id]
        assert "after the snapshot" in other.reasons[0]
        assert report.remarks == ()


def test_exact_takes_only_what_begins_then(shared: CatalogueProcess) -> None:
    conditions = own_conditions()
    shared.put(0, 1.0, conditions)
    shared.put(2, 2.0, conditions)
    with shared.open(None) as catalogue:
        assert value_of(catalogue, conditions, BEGIN + timedelta(hours=2), strategy="exact") == 2.0
        with pytest.raises(ConstantMissing, match="exact takes only what begins at it"):
            value_of(catalogue, conditions, BEGIN + timedelta(hours=2, seconds=1), strategy="exact")


def test_lpd_falls_back_to_the_generic_cell_order(shared: CatalogueProcess) -> None:
    generic = LpdConditions(memory_cells=1, sensor_bias_voltage_v=100.0 + next(COUNTER))
    ordered = replace(generic, memory_cell_order="8,24,40,")
    shared.put(2, 1.0, generic, LPD)
    with shared.open(None, LPD) as catalogue:
        assert value_of(catalogue, ordered) == 1.0
        shared.put(0, 2.0, ordered, LPD)
        assert value_of(catalogue, ordered) == 2.0, "farther away, but for this order"
        assert value_of(catalogue, replace(ordered, memory_cell_order="8,32,")) == 1.0
        report = explain(catalogue, Question(ordered, NOW), ["Offset"], [0])
        assert report.remarks == ()
        (other,) = report.rows[0].judgement.others[:1]
        assert "generic memory-cell order" in other.reasons[0]


@pytest.mark.parametrize(
    ("stored", "asked", "detector", "words"),
    [
        (
            AgipdConditions(1, 1.1, sensor_bias_voltage_v=71.0),
            AgipdConditions(1, 1.1, sensor_bias_voltage_v=72.0),
            AGIPD,
            "Sensor Bias Voltage is 71, asked 72",
        ),
        (
            AgipdConditions(1, 1.1, sensor_bias_voltage_v=73.0, gain_mode=1),
            AgipdConditions(1, 1.1, sensor_bias_voltage_v=73.0),
            AGIPD,
            "Gain mode is 1, asked without it, which means 0",
        ),
        (
            LpdConditions(1, sensor_bias_voltage_v=74.0),
            LpdConditions(1, sensor_bias_voltage_v=74.0, parallel_gain=True),
            LPD,
            "it has no Parallel gain and so holds for 0, asked 1",
        ),
        (
            DsscConditions(1, 4.5, sensor_bias_voltage_v=75.0, target_gain=3),
            DsscConditions(1, 4.5, sensor_bias_voltage_v=75.0),
            DSSC,
            "Target gain is 3, asked without it",
        ),
    ],
    ids=["bias", "gain-mode", "parallel", "target-gain"],
)
def test_what_is_missing_names_the_parameter_that_differs(
    shared: CatalogueProcess, stored: Conditions, asked: Conditions, detector: str, words: str
) -> None:
    shared.put(4.9 + next(COUNTER) / 10_000, 1.0, stored, detector)
    with shared.open(None, detector) as catalogue:
        with pytest.raises(ConstantMissing, match=words):
            value_of(catalogue, asked)
        with pytest.raises(ConstantMissing, match="holds none for this module, whatever the conditions"):
            catalogue.fetch(asked, ["Offset"], [1], NOW)


versions = st.lists(
    st.tuples(st.integers(0, 6), st.booleans(), st.booleans()),
    min_size=1,
    max_size=4,
    unique_by=lambda v: v[0],
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(versions, st.integers(0, 6), st.sampled_from(["prior", "closest", "exact"]))
def test_the_catalogue_the_client_and_the_rules_agree(
    shared: CatalogueProcess, wanted: list[tuple[int, bool, bool]], event: int, strategy: Any
) -> None:
    conditions = own_conditions()
    usable = {}
    for hours, deployed, good in wanted:
        version = shared.put(hours, 1.0 + hours, conditions)
        if not (deployed and good):
            shared.change(version, flg_deployed=deployed, flg_good_quality=good)
        else:
            usable[hours] = version.id
    allowed = [
        h for h in usable if strategy == "closest" or (h <= event if strategy == "prior" else h == event)
    ]
    expected = min(allowed, key=lambda h: (abs(h - event), h), default=None)
    at = BEGIN + timedelta(hours=event)
    with shared.open(None) as catalogue:
        found = [v.id for v in catalogue.find(conditions, ["Offset"], at, strategy) if v.module == 0]
        assert found == ([] if expected is None else [usable[expected]])
        report = explain(catalogue, Question(conditions, at, strategy), ["Offset"], [0])
        assert report.remarks == (), "what is answered and what is judged are the same"
        assert len(report.rows[0].judgement.others) >= len(wanted) - 1


LOADER = """
import sys
from datetime import datetime
from pathlib import Path
from pipeline.config import ConstantsTable
from pipeline.constants import AgipdConditions, open_catalogue
rest, store, folder, volts = sys.argv[1:]
table = ConstantsTable(cache_gb=0.002, give_up_after_s=0.5)
for turn in range(12):
    with open_catalogue(rest, Path(store), "SPB_DET_AGIPD1M-1", table, Path(folder)) as catalogue:
        for hours in (1, 2, 3, 4):
            at = datetime.fromisoformat(f"2026-01-15T{8 + hours:02d}:00:00+00:00")
            conditions = AgipdConditions(1, 1.1, float(volts))
            found = catalogue.fetch(conditions, ["Offset"], [0], at)
            assert found.get(0, "Offset").flat[0] == hours, (found, hours)
        assert not catalogue.remarks, catalogue.remarks
"""


def test_two_processes_load_with_one_cache_that_is_too_small_for_all(
    shared: CatalogueProcess, tmp_path: Path
) -> None:
    conditions = own_conditions()
    for hours in (1, 2, 3, 4):
        shared.put(hours, float(hours), conditions)
    folder = tmp_path / "cache"
    arguments = [shared.rest, str(shared.store), str(folder), str(conditions.sensor_bias_voltage_v)]
    both = [
        subprocess.Popen(
            [sys.executable, "-c", LOADER, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    told = [process.communicate(timeout=100)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert sum(path.stat().st_size for path in (folder / "objects").glob("*/*")) <= 2_000_000
    assert list((folder / "unfinished").iterdir()) == []


@contextlib.contextmanager
def correction_of(process: CatalogueProcess, data_dir: Path) -> Iterator[Device]:
    """The device of a pipeline's correction."""
    table = PipelineTable.model_validate(
        {
            "modules": 1,
            "memory_cells": 1,
            "correction": {"steps": ["offset"]},
            "constants": {"give_up_after_s": 0.5, "selection": "closest"},
            "preview": {"enabled": False},
        }
    )
    endpoints = {"caldb.rest": process.rest, "caldb.store": str(process.store)}
    clock = TrainClock(0, 0)
    branch = CorrectedBranch(table, endpoints, clock, data_dir / "proc", Splitter(1, "", 1, 1.1), data_dir)
    branch.start()
    yield corrected_devices(branch)[0]
    branch.stop()


def test_the_correction_goes_on_with_a_dead_catalogue_and_says_so(
    doomed: CatalogueProcess, tmp_path: Path
) -> None:
    doomed.put(0, 1.0)
    doomed.put(6, 2.0)
    with correction_of(doomed, tmp_path / "data") as device:
        stated = {"memory_cells": 1, "acquisition_rate_mhz": 1.1}
        ask = {"event_at": NOW.isoformat(), "conditions": stated}
        loaded = device.call("load_constants", ask)
        assert loaded["source"]["from"] == "catalogue"
        assert loaded["constants"]["Offset"][0].startswith("2026-01-15T15:00"), "closest, as the table says"
        assert device.call("load_constants", {**ask, "selection": "prior"})["source"]["selection"] == "prior"
        with pytest.raises(SettingRejected, match="one of prior, closest, exact"):
            device.call("load_constants", {**ask, "selection": "newest"})
        told = device.call("explain_constants", {})
        assert "prior takes none that does" in told["text"]
        assert device.describe()["properties"]["constants_report"] == told["text"]
        doomed.kill()
        loaded = device.call("load_constants", ask)
        assert loaded["source"]["from"] == "cache"
        properties = device.describe()["properties"]
        assert properties["constants_source"]["from"] == "cache"
        assert "does not answer" in properties["constants_source"]["remarks"][0]
        assert properties["constants"]["Offset"]["0"].startswith("2026-01-15T15:00")
        with pytest.raises(CatalogueUnreachable):
            device.call("load_constants", {**ask, "snapshot_at": NOW.isoformat()})
        assert device.describe()["properties"]["constants_source"]["from"] == "cache", "those in use stay"
        log = (tmp_path / "data" / "log" / "constants.txt").read_text()
        assert "does not answer" in log
        assert "prior takes none that does" in log


def test_the_report_and_the_cache_on_the_command_line(shared: CatalogueProcess, tmp_path: Path) -> None:
    conditions = own_conditions()
    version = shared.put(0, 1.0, conditions)
    folder = tmp_path / "cache"
    with shared.open(folder) as catalogue:
        value_of(catalogue, conditions)
    run = CliRunner().invoke
    stated = json.dumps({"memory_cells": 1, "sensor_bias_voltage_v": conditions.sensor_bias_voltage_v})
    asked = ["report", "--catalogue", shared.rest, "--at", NOW.isoformat(), "--conditions", stated]
    answer = run(app, [*asked, "--module", "0", "--json"])
    assert answer.exit_code == 1, "the other constants lack"
    rows = {row["calibration"]: row for row in json.loads(answer.stdout)["modules"]}
    assert rows["Offset"]["chosen"]["ccv_id"] == version.id
    assert rows["SlopesPC"]["chosen"] is None
    text = run(app, [*asked, "--log", str(tmp_path / "report.txt")]).stdout
    assert "AGIPD_SIM_M100" in text
    assert (tmp_path / "report.txt").read_text().strip() == text.strip()
    assert run(app, ["report", "--catalogue", shared.rest, "--at", "yesterday"]).exit_code == 2
    listed = json.loads(run(app, ["cache", "list", "--folder", str(folder), "--json"]).stdout)["entries"]
    assert any(entry["question"].get("file") == str(version.file) for entry in listed)
    assert str(version.file) in run(app, ["cache", "list", "--folder", str(folder)]).stdout
    assert run(app, ["cache", "clear", "--folder", str(folder)]).exit_code == 0
    assert json.loads(run(app, ["cache", "list", "--folder", str(folder), "--json"]).stdout)["entries"] == []


def test_many_loads_at_once_share_one_cache_object(shared: CatalogueProcess, tmp_path: Path) -> None:
    conditions = own_conditions()
    shared.put(0, 1.0, conditions)
    values: list[float] = []

    def load() -> None:
        with shared.open(tmp_path / "cache") as catalogue:
            values.extend(value_of(catalogue, conditions) for _ in range(5))

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [1.0] * 20
