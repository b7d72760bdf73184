"""From quantities to verdicts, goalposts with their days, and result records."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fat.degg.records import RunFile
from fat.degg.records.locked_json import write_json
from fat.degg.report.naming import fault_of
from fat.degg.results import Graph, Quantity, conclude
from fat.degg.results.documents import DocumentRefused, text_of
from fat.degg.results.exporting import export
from fat.degg.results.goalposts import Goalposts, GoalpostUnknown, shipped
from fat.errors import BenchFileRejected

SERIAL = "DEgg2021-3-133"
NAME = "degg_pmt_R5912-100-70_hv-at-1e7-gain"
ENTRY = f"""[[goalpost]]
testname = "{NAME}"
testtype = "in-range"
testbounds = [1000.0, 2000.0]
valid_date = 2021-01-01
unit = "V"
reason = "test"
"""


def hv(value: float, **more: Any) -> Quantity:
    return Quantity(
        SERIAL, "UpperPmt", "gain", "hv-at-1e7-gain", value, "V", "HV", goalposts=("hv-at-1e7-gain",), **more
    )


def rate(value: float, celsius: float | None) -> Quantity:
    names = ("average-darknoise-at-freezing-temp", "average-darknoise-at-20-freezing-temp")
    return Quantity(SERIAL, "LowerPmt", "darknoise", "rate", value, "Hz", "dark rate", celsius, names)


@pytest.fixture
def context(tmp_path: Path) -> Any:
    pmts = {
        part: {"SerialNumber": serial} for part, serial in (("LowerPmt", "SQ0656"), ("UpperPmt", "SQ0657"))
    }
    device = tmp_path / "json" / "run_00001" / f"{SERIAL}.json"
    write_json(device, {"DEggSerialNumber": SERIAL, "Port": 5000, **pmts})
    run = RunFile.create(tmp_path / "json", "", date(2026, 3, 1), {SERIAL: device})
    return SimpleNamespace(
        run_dir=tmp_path / "fat" / "00001",
        task_id="gain_0",
        title="Gain",
        parameters={"run_file": str(run.path)},
    )


def test_a_value_is_judged_by_the_goalpost_of_its_day(context: Any, tmp_path: Path) -> None:
    later = ENTRY.replace("2021-01-01", "2022-06-01").replace("2000.0", "1500.0")
    path = tmp_path / "posts.toml"
    path.write_text(ENTRY + later)
    posts = Goalposts.load(path)
    verdicts = {}
    for day in (date(2020, 12, 31), date(2022, 5, 31), date(2022, 6, 1)):
        moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
        result = conclude(context, [hv(1600.0)], goalposts=posts, now=moment)
        verdicts[day.isoformat()] = [m["verdict"] for m in result.outputs["measurements"]]
    assert verdicts == {"2020-12-31": [], "2022-05-31": ["PASS"], "2022-06-01": ["FAIL"]}


def test_dark_rates_are_judged_by_the_goalpost_of_their_temperature(context: Any) -> None:
    found = conclude(context, [rate(2800.0, -40.0), rate(2800.0, -20.0), rate(9000.0, 20.0), rate(1.0, None)])
    told = [(m["temperature_c"], m["verdict"], m["limit"]["at_most"]) for m in found.outputs["measurements"]]
    assert told == [(-40.0, "FAIL", 2600.0), (-20.0, "PASS", 3000.0)]
    assert str(found.verdict) == "FAIL"


def test_what_is_no_number_fails_and_is_in_no_record(context: Any) -> None:
    result = conclude(context, [hv(float("nan"))])
    assert [(m["value"], m["verdict"]) for m in result.outputs["measurements"]] == [(None, "FAIL")]
    assert documents_of(context) == []


def test_the_journal_has_device_part_and_the_published_limit(context: Any) -> None:
    (told,) = conclude(context, [hv(1412.3456789, temperature_c=-40.2)]).outputs["measurements"]
    assert told == {
        "name": "hv-at-1e7-gain",
        "value": 1412.35,
        "unit": "V",
        "about": "HV",
        "limit": {
            "unit": "V",
            "reason": "the base delivers 2000 V, and below 1000 V counts as switched off",
            "at_least": 1000.0,
            "at_most": 2000.0,
            "equals": None,
            "name": NAME,
            "valid_from": "2020-01-01",
        },
        "verdict": "PASS",
        "device": SERIAL,
        "part": "UpperPmt",
        "temperature_c": -40.2,
    }


def test_result_records_are_files_with_the_keys_that_the_database_asks_for(context: Any) -> None:
    edges, counts = np.linspace(0.0, 4.0, 5), np.array([1, 4, 2, np.nan])
    spectrum = Graph(
        SERIAL, "UpperPmt", "charge", "spe-spectrum", "SPE", "charge / pC", "pulses", edges, counts, "steps",
        curves={"fit": (np.array([0.0, 4.0]), np.array([1.0, 2.0]))},
    )  # fmt: skip
    for task, value in (
        ("gain_0", 1400.0),
        ("gain_1", 1410.0),
        ("gain_0", 1401.0),
    ):  # the first one is repeated
        context.task_id = task
        conclude(context, [hv(value)], graphs=[spectrum], support=["/data/gain/20260301_00"])
    folder = export(context.run_dir, ["gain_0", "gain_1", "gain_2"], 12)
    assert folder.name == "run_0000000000000012"
    uid = "degg-pmt_R5912-100-70_SQ0657"
    files = sorted(path.name for path in folder.iterdir())
    assert files == sorted(
        [f"{uid}_gain_hv-at-1e7-gain_{n:02d}.json" for n in (0, 1)]
        + [f"{uid}_charge_spe-spectrum_{n:02d}_data.json" for n in (0, 1)]
    )
    value = json.loads((folder / f"{uid}_gain_hv-at-1e7-gain_00.json").read_text())
    assert value["meas_data"] == [
        {
            "data_format": "value", "label": "HV", "value": 1401.0, "unit": "V",
            "goalpost": [{"testname": NAME, "testtype": "in-range"}],
        }
    ]  # fmt: skip
    facts = (
        "device_uid",
        "subdevice_uid",
        "meas_class",
        "meas_stage",
        "meas_site",
        "meas_group",
        "run_number",
    )
    assert [value[key] for key in facts] == [f"{SERIAL}_v1", uid, "derived", "fat", "chiba", "gain", 1]
    graph = json.loads((folder / f"{uid}_charge_spe-spectrum_00_data.json").read_text())
    histogram, fit = graph["meas_data"]
    assert (histogram["x_min"], histogram["x_max"], histogram["n_bins"]) == (0.0, 4.0, 4)
    assert histogram["y_values"] == [1.0, 4.0, 2.0, None]
    assert fit["data_format"] == "graph"


def test_records_are_made_anew_only_when_results_have_changed_or_one_is_missing(context: Any) -> None:
    def made() -> int:
        return export(context.run_dir, ["gain_0", "gain_1"], 12).stat().st_ino

    conclude(context, [hv(1400.0)])
    first = made()
    assert made() == first
    context.task_id = "gain_1"
    conclude(context, [hv(1401.0)])
    second = made()
    assert second != first
    lost, _ = sorted((context.run_dir / "records" / "run_0000000000000012").iterdir())
    lost.unlink()
    assert made() != second
    assert lost.exists()
    assert made() == made()


def test_records_that_the_database_would_refuse_are_never_written(context: Any) -> None:
    conclude(context, [hv(1400.0)])
    (good,) = documents_of(context)
    text_of(good)
    for change in ({"meas_group": "noise"}, {"meas_data": []}, {"meas_time": None}, {"x": float("inf")}):
        with pytest.raises(DocumentRefused):
            text_of({**good, **change})
    with pytest.raises(DocumentRefused, match="bytes"):
        text_of({**good, "x": "." * (16 << 20)})
    with pytest.raises(GoalpostUnknown, match="did you mean 'hv-at-1e7-gain'"):
        conclude(context, [Quantity(SERIAL, "", "gain", "x", 1.0, "V", "", goalposts=("hv-at-1e7-gian",))])
    with pytest.raises(ValueError, match="no group 'noise'"):
        Quantity(SERIAL, "", "noise", "x", 1.0, "V", "")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (ENTRY + ENTRY, ":8: .*valid_date must be later than 2021-01-01"),
        (ENTRY + ENTRY.replace("2021", "2022"), ":8: .*testbounds must differ"),
        (ENTRY.replace(NAME, "hv-at-1e7-gain"), ":1: .*35 letters"),
        (ENTRY.replace("hv-at", "hv at"), "letters, digits"),
        (ENTRY.replace("[1000.0, 2000.0]", "[2000.0, 1000.0]"), "smaller one first"),
        (ENTRY.replace("in-range", "max"), "must be a number"),
        (ENTRY.replace("in-range", "between"), "one of min, max, equals, in-range"),
        (ENTRY.replace("valid_date = 2021-01-01", ""), "lacks valid_date"),
        (ENTRY + "resaon = 1", "did you mean 'reason'"),
        ("x = 1", r"\[\[goalpost\]\]"),
    ],
)
def test_a_wrong_goalpost_is_refused_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "posts.toml"
    path.write_text(text)
    with pytest.raises(BenchFileRejected, match=complaint):
        Goalposts.load(path)


def test_the_shipped_goalposts_are_the_published_ones_and_those_of_monitoring() -> None:
    today = date(2026, 1, 1)
    published = {
        "hv-at-1e7-gain": "1000 … 2000",
        "average-darknoise-at-freezing-temp": "≤ 2600",
        "average-darknoise-at-freezing-temp-red": "≤ 4000",
        "average-darknoise-at-20-freezing-temp": "≤ 3000",
        "average-laser-output-range": "≤ 20",
        "linearity-charge-ratio-at-200pe": "≥ 0.6",
        "linearity-current-ratio-at-10mA": "≥ 0.6",
        "spe-time-resolution": "≤ 5",
        "pmt-timing-resolution": "≤ 3.5",
        "pmt-timing-resolution-chi2": "≤ 3.6",
        "double-pulse-separation": "18 … 22",
        "double-pulse-peak-to-valley1": "1.5 … 2",
        "double-pulse-peak-to-valley2": "1.75 … 2.8",
        "number-of-flasher-leds-working": "= 12",
        "allowed-high-dark-rate": "≤ 3",
        "monitoring-spe-peak-pos-std": "≤ 0.055",
        "monitoring-spe-peak-pos-std-red": "≤ 0.1",
        "camera-darkrate": "200 … 460",
        "camera-pattern-test": "= 1",
        "successive-warm-reboot-failures": "≤ 2",
        "communication-test-cold-reboot": "≤ 3",
    }
    monitoring = {
        "monitoring-high-voltage": "≥ 1000",
        "monitoring-high-voltage-spread": "≤ 0.02",
        "monitoring-high-voltage-problems": "≤ 1",
        "darknoise-alarm-cool": "≤ 4800",
        "darknoise-alarm-warm": "≤ 11000",
        "monitoring-bad-fits": "≤ 2",
        "number-of-failed-self-tests": "≤ 0",
    }
    valid = {name: shipped().valid(name, today) for name in shipped().by_name}
    assert {name: str(post.limit) for name, post in valid.items() if post} == published | monitoring


def documents_of(context: Any) -> list[dict[str, Any]]:
    path = context.run_dir / "results" / "found" / f"{context.task_id}.json"
    return [one["document"] for one in json.loads(path.read_text())["found"]]


def test_a_module_that_gives_no_number_by_the_laser_has_no_light_and_does_not_saturate() -> None:
    assert fault_of("linearity-charge-ratio-at-200pe", 0.41) == "saturates early"
    assert fault_of("linearity-charge-ratio-at-200pe", None) == "does not see the laser (dead fibre?)"
    assert fault_of("monitoring-high-voltage-spread", None) == "noisy high voltage"
