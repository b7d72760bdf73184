"""What an analysis finds in the papers does not depend on what has begun since it could begin."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fat.degg.tasks.recorded import recorded
from fat.degg.tasks.remote import trigger_remote_wrapper
from fat.testing.task_lab import Told
from scheduler import TaskContext

NAMES = ("AdvancedMonitoring", "DarkrateTemperature", "OnlineMon", "RebootMonitoring")
OF_MODULE = ("OnlineMon", "RebootMonitoring")
ANALYSES = ("detailed_monitoring", "gainscan_monitoring", "quick_monitoring", "reboot_monitoring")
FILLED: dict[str, dict[str, Any]] = {
    "AdvancedMonitoring": {"HV": 1400.0, "HighRate": False, "GoodFit": True, "HVProblem": False},
    "DarkrateTemperature": {},
    "OnlineMon": {"HV": {"LowerPmt": 1400.0}, "HVSpread": {"LowerPmt": 2.0}, "BoxTemperature": -40.0},
    "RebootMonitoring": {"Failures": 1},
}


def entry(name: str, task: str, value: int, state: str) -> dict[str, Any]:
    """An entry of a measurement that has begun, has failed, or is done; of an older run without the task's name."""
    begun = {"Folder": "None"} | ({"Task": task} if task else {})
    if state == "begun" and name != "OnlineMon":  # that one is written when all was read
        return begun
    if state == "failed" and name not in OF_MODULE:
        return begun | {"Problem": "high voltage is off", "Temperature": -40.0}
    rate = {"DarkRate": {"LowerPmt": 1000.0 + value}} if name == "OnlineMon" else {"DarkRate": 1000.0 + value}
    more = {"Temperature": -40.0, "SPEPeak": 1.5 + value / 99, "HV1e7Gain": 1400.0 + value}
    return begun | {"Folder": "/f"} | rate | more | {"SuccessiveFailures": value} | FILLED[name]


def papers(folder: Path, entries: list[tuple[str, str, int, str]]) -> str:
    counts = dict.fromkeys(NAMES, 0)
    body: dict[str, Any] = {"DEggSerialNumber": "D", "Port": 5000, "UpperPmt": {"SerialNumber": "SQ2"}}
    body["LowerPmt"] = {"SerialNumber": "SQ1"}
    for name, task, value, state in entries:
        where = body if name in OF_MODULE else body["LowerPmt"]
        where[f"{name}_{counts[name]:04d}"] = entry(name, task, value, state)
        counts[name] += 1
    (folder / "device.json").write_text(json.dumps(body))
    (folder / "run").mkdir(exist_ok=True)
    run = folder / "run" / "run_00001.json"
    run.write_text(json.dumps({"D": str(folder / "device.json")}))
    return str(run)


def found(folder: Path, entries: list[tuple[str, str, int, str]], unsure: frozenset[str]) -> Any:
    """Everything that analyses tell and leave, without the time."""
    run_file, told = papers(folder, entries), Told()
    seen: list[Any] = []
    for number, analysis in enumerate(ANALYSES):
        context = TaskContext(
            folder, f"a{number}", "a", 1, {}, {"run_file": run_file}, {}, {}, None, told, unsure=unsure,  # type: ignore[arg-type]
        )  # fmt: skip
        result = trigger_remote_wrapper(context, analysis)
        left = json.loads((folder / "results/found" / f"a{number}.json").read_text())
        for one in left["found"]:
            one["document"].pop("meas_time", None)
        latest = [(one.key, one.entry) for name in NAMES[:2] for one in recorded(context, name)]
        seen.append([str(result.verdict), result.outputs, left, latest])
    return json.loads(json.dumps([seen, [notice.text for notice in told.notices]]))


ENTRIES = st.lists(
    st.tuples(st.sampled_from(NAMES), st.integers(0, 9), st.sampled_from(["done", "failed", "begun"])),
    max_size=8,
)


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fat.degg.tasks.monitored.PICTURE_EVERY", 100)


@settings(max_examples=25)  # each writes papers and eight results
@given(ENTRIES, ENTRIES, ENTRIES)
def test_an_analysis_finds_what_came_before_it_whatever_has_begun_since(older, before, since):
    certain = [(name, "", value, "done") for name, value, _ in older]
    certain += [(name, f"before_{n}", value, state) for n, (name, value, state) in enumerate(before)]
    certain = [one for one in certain if one[3] != "begun"]
    uncertain = [(name, f"since_{n}", value, state) for n, (name, value, state) in enumerate(since)]
    unsure = frozenset(task for _, task, *_ in uncertain)
    with TemporaryDirectory() as folder:
        alone = found(Path(folder), certain, unsure)
        assert found(Path(folder), certain + uncertain, unsure) == alone
