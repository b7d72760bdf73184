"""What many monitorings say together, from papers that the test writes."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fat.degg.analyses.dark_rate import limits_at
from fat.degg.tasks.remote import trigger_remote_wrapper
from fat.degg.tasks.spe import known_width
from fat.testing.task_lab import Told
from scheduler import TaskContext, TaskResult

SERIAL = "DEgg2021-3-133"


class Clock:
    def now_ns(self) -> int:
        return 0

    def wait_until(self, t_ns: int) -> int:
        return t_ns


@pytest.fixture
def told() -> Told:
    return Told()


def analysed(folder: Path, told: Told, analysis: str, name: str, entries: list[dict[str, Any]]) -> TaskResult:
    """The analysis of a module whose lower photomultiplier has these entries, and its upper one none."""
    measured = {f"{name}_{n:04d}": {"Folder": str(folder), **entry} for n, entry in enumerate(entries)}
    body = {
        "DEggSerialNumber": SERIAL,
        "Port": 5000,
        "LowerPmt": {"SerialNumber": "SQ0657", "HV1e7Gain": 1400, **measured},
        "UpperPmt": {"SerialNumber": "SQ0658", "HV1e7Gain": 1400},
    }
    (folder / "device.json").write_text(json.dumps(body))
    (folder / "run").mkdir()
    run = folder / "run" / "run_00001.json"
    run.write_text(json.dumps({SERIAL: str(folder / "device.json")}))
    context = TaskContext(
        folder, "t", "t", 1, {}, {"run_file": str(run)}, {}, {}, Clock(), told
    )  # fmt: skip
    return trigger_remote_wrapper(context, analysis)


def constant(
    peak: float | None = 1.6, celsius: float = -40.0, hv: float = 1400.0, **more: Any
) -> dict[str, Any]:
    healthy = {"HighRate": False, "GoodFit": peak is not None, "HVProblem": False}
    return {"HV": hv, "SPEPeak": peak, "Temperature": celsius, **healthy, **more}


def verdicts(result: TaskResult) -> dict[str, tuple[float, str]]:
    """Value and verdict by the name of the limit; of several of one quantity the strictest."""
    return {
        told["name"]: (told["value"], told["verdict"]) for told in reversed(result.outputs["measurements"])
    }


def test_peaks_are_compared_at_one_voltage_and_temperature(tmp_path: Path, told: Told) -> None:
    elsewhere = [constant(2.4, celsius=0.0), constant(0.9, hv=1300.0)]
    steady = [constant(peak) for peak in (1.58, 1.6, 1.62, 1.6, 1.6)]
    found = verdicts(
        analysed(tmp_path, told, "detailed_monitoring", "AdvancedMonitoring", elsewhere + steady)
    )
    value, verdict = found["monitoring-spe-peak-pos-std"]
    assert value == pytest.approx(0.01416, rel=0.01)
    assert verdict == "PASS"


def test_a_peak_that_wanders_fails(tmp_path: Path, told: Told) -> None:
    # 4 % of the peak: more than 0.055 pC, though less than 5.5 %.
    entries = [constant(peak) for peak in (1.5, 1.6, 1.65, 1.65, 1.6)]
    found = verdicts(analysed(tmp_path, told, "detailed_monitoring", "AdvancedMonitoring", entries))
    assert found["monitoring-spe-peak-pos-std"] == (pytest.approx(0.0613, rel=0.01), "FAIL")


def test_a_spread_of_few_peaks_is_kept_and_not_judged(tmp_path: Path, told: Told) -> None:
    entries = [constant(peak) for peak in (1.5, 1.6, 1.65, 1.65)]
    result = analysed(tmp_path, told, "detailed_monitoring", "AdvancedMonitoring", entries)
    assert result.verdict == "PASS"
    assert "monitoring-spe-peak-pos-std" not in verdicts(result)
    (file,) = (tmp_path / "results" / "found").glob("*.json")
    names = [one["document"]["meas_name"] for one in json.loads(file.read_text())["found"]]
    assert "monitoring-spe-peak-pos-std" in names


@pytest.mark.parametrize(
    ("limit", "most", "bad"),
    [
        ("allowed-high-dark-rate", 3, {"HighRate": True}),
        ("monitoring-bad-fits", 2, {"peak": None}),
        ("monitoring-high-voltage-problems", 1, {"HVProblem": True}),
    ],
)
@pytest.mark.parametrize("beyond", [0, 1])
def test_so_many_times_may_be_bad(
    tmp_path: Path, told: Told, limit: str, most: int, bad: dict[str, Any], beyond: int
) -> None:
    entries = [constant(), *(constant(**bad) for _ in range(most + beyond)), constant()]
    result = analysed(tmp_path, told, "detailed_monitoring", "AdvancedMonitoring", entries)
    assert verdicts(result)[limit] == (most + beyond, "FAIL" if beyond else "PASS")
    assert result.verdict == ("FAIL" if beyond else "PASS")


def test_a_high_voltage_that_stayed_off_counts_as_a_problem(tmp_path: Path, told: Told) -> None:
    off = {"Folder": "None", "Problem": "high voltage is off (0 V)"}
    result = analysed(tmp_path, told, "detailed_monitoring", "AdvancedMonitoring", [constant(), off, off])
    assert verdicts(result)["monitoring-high-voltage-problems"] == (2, "FAIL")


def scans(n: int) -> list[dict[str, Any]]:
    return [
        {"HV1e7Gain": 1400.0 + t, "DarkRate": 2000.0 + 50 * t, "Temperature": t, "HighRate": False}
        for t in np.linspace(20.0, -40.0, n)
    ]


def test_every_tenth_scan_people_see_a_picture(tmp_path: Path, told: Told) -> None:
    for n, pictures in ((9, 0), (10, 1)):
        folder = tmp_path / str(n)
        folder.mkdir()
        told.notices.clear()
        result = analysed(folder, told, "gainscan_monitoring", "DarkrateTemperature", scans(n))
        assert result.verdict == "PASS"
        assert len(told.notices) == pictures
    (notice,) = told.notices
    assert notice.severity == "monitoring"
    assert notice.picture.endswith(".png")
    assert notice.title


def test_alarm_windows_do_not_overlap() -> None:
    for by in ("fir", "adc"):
        most = [limits_at(celsius, by)[1] for celsius in (-40.0, -12.1, -12.0, -0.1, 0.0, 25.0)]  # type: ignore[arg-type]
        assert most == sorted(most)
        assert len(set(most)) == 3


def test_the_latest_analysed_width_is_what_monitoring_knows() -> None:
    entries = {
        "SpeMeasurement_00": {"Width": 0.31},
        "SpeMeasurement_01": {"Width": 0.34},
        "SpeMeasurement_02": {},
    }
    pmt: Any = SimpleNamespace(entry=SimpleNamespace(entries=entries))
    assert known_width(pmt) == 0.34
    pmt.entry.entries = {"SpeMeasurement_00": {}, "GainMeasurement_00": {"Width": 0.2}}
    assert known_width(pmt) is None
