"""The plan `detector`, task by task, on a small bench: a healthy module passes, an ill one fails where it is ill.

The bench's processes are real; the tasks run here, one after another, each told what the plan says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fat.acceptance.launch import planned
from fat.bench.client import ClockClient
from fat.bench.owned import OwnedBench
from fat.configs import shipped_bench
from fat.detector.figures import drawings
from fat.errors import BenchFileRejected
from fat.instruments.online_pipeline import OnlinePipeline
from fat.report import data
from fat.report.matrix import matrix_of
from scheduler import Plan, TaskContext
from scheduler.calling import call_with

ILL = {
    "noisy_module": {"module": 1},
    "clipped_adc": {"module": 1, "adu": 8400},
    "dead_asic": {"module": 1, "asic": 5},
    "drop_packets": {"module": 1, "times": 2},
}
"""Faults of the second module; each would be enough."""
SMALL = (
    ("memory_cells = 4", "memory_cells = 1"),
    ('model = "EIGER2 X 500K"\n', ""),
    (
        'source = "scene", scene = "flat", mean = 200.0, distinct = 4',
        'source = "synthetic", scene = "flat", width = 96, height = 64, mean = 200.0, distinct = 4',
    ),
    (
        "[pipeline.matcher]",
        "[pipeline.bridge]\nraw_combined = true\n\n[pipeline.splitter]\nraw_every_nth_train = 2\n\n[pipeline.matcher]",
    ),
    ("[fat.rate]\ntrains = 100", "[fat.rate]\ntrains = 5"),
    ("[fat.dark]\ntrains = 20", "[fat.dark]\ntrains = 8"),
    ("[fat.gain]\ntrains = 6", "[fat.gain]\ntrains = 4"),
    ("[fat.linearity]\ntrains = 3", "[fat.linearity]\ntrains = 1"),
    (
        "[0.0004, 0.001, 0.003, 0.01, 0.018, 0.024, 0.05, 0.15, 0.3, 0.5, 0.6, 0.8, 1.0]",
        "[0.001, 0.01, 0.05, 0.3, 0.7, 1.0]",
    ),
    (
        "series = 3\nseries_images = 50\n",
        "series = 2\nseries_images = 5\ncount_times_s = [0.01, 0.0002, 0.00006]\n"
        "photon_energies_ev = [8041.0, 9000.0]\nthresholds = [0.6, 0.85, 0.95, 1.0, 1.05, 1.2]\n",
    ),
)


@dataclass
class Journal:
    """What tasks say."""

    notes: list[str] = field(default_factory=list)

    def progress(self, done: float, total: float, text: str) -> None:
        assert 0 <= done <= total, text

    def note(self, text: str) -> None:
        self.notes.append(text)

    def notify(self, notice: Any) -> None:
        raise AssertionError(notice)


@dataclass
class Done:
    """A plan that was carried out."""

    plan: Plan
    run: Path
    results: dict[str, dict[str, Any]]
    verdicts: dict[str, str]
    notes: list[str]
    slots: dict[str, int] = field(default_factory=dict)
    """Receive slots of each module that are free afterwards."""

    @property
    def measurements(self) -> list[list[Any]]:
        return [[task, m] for task, out in self.results.items() for m in out.get("measurements", ())]

    def of(self, device: str) -> dict[str, dict[str, Any]]:
        return {f"{task}.{m['name']}": m for task, m in self.measurements if m.get("device") == device}

    def failed(self, device: str) -> set[str]:
        return {name for name, measured in self.of(device).items() if measured["verdict"] == "FAIL"}


def small_bench(folder: Path) -> Path:
    text = shipped_bench("fat-agipd").read_text(encoding="utf-8")
    for old, new in SMALL:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path


def carry_out(plan: Plan, bench: OwnedBench, run: Path) -> Done:
    done, journal = Done(plan, run, {}, {}, []), Journal()
    done.notes = journal.notes
    environment = {"endpoints": bench.endpoints, "token": bench.token}
    with ClockClient(bench.endpoints["clock"], "acceptance") as clock:
        for task in plan.tasks:
            if task.id == "report":
                continue
            told = (run, task.id, task.title, 1, task.arguments, plan.parameters, done.results, environment)
            result = call_with(TaskContext(*told, clock, journal), task.call, ())
            done.results[task.id] = json.loads(json.dumps(dict(result.outputs)))
            done.verdicts[task.id] = str(result.verdict)
    return done


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    from fat.bench.client import ControlClient
    from fat.testing.handles import Faults

    folder = tmp_path_factory.mktemp("detector")
    path = small_bench(folder)
    plan = planned(path)[0].plan
    with OwnedBench(path, data_dir=folder / "data", log=folder / "bench.log") as bench:
        control = ControlClient(bench.endpoints["control"], bench.token)
        for fault, parameters in ILL.items():
            Faults(control).on("agipd", fault, **parameters)
        Faults(control).on("dcu", "drop_frame", from_frame=4, times=1)
        control.close()
        done = carry_out(plan, bench, folder / "run")
        with OnlinePipeline(bench.endpoints["pipeline"], bench.token) as pipeline:
            done.slots = pipeline.device("daq")["properties"]["free_slots"]
        yield done


def test_a_healthy_module_passes_beside_an_ill_one(done: Done) -> None:
    assert done.failed("AGIPD00") == set()
    taken = done.of("AGIPD00")
    assert {measured["verdict"] for measured in taken.values()} == {"PASS"}, "each has a limit"
    for name, value, tolerance in (
        ("darks.noise_high_gain", 2.45, 0.15),
        ("gain.photon_gain", 30.0, 0.6),
        ("gain.single_photon_gain", 30.0, 0.6),
        ("gain.gain_high_medium", 20.0, 0.4),
        ("gain.gain_medium_low", 4.48, 0.09),
        ("darks.bad_pixels", 0.6, 0.1),
        ("gain.blind_pixels", 0.2, 0.05),
        ("linearity.photons_reached", 3000.0, 60.0),
    ):
        assert taken[name]["value"] == pytest.approx(value, abs=tolerance), name
    assert taken["linearity.linearity"]["value"] < 1


def test_every_illness_is_named_by_what_measures_it(done: Done) -> None:
    assert done.failed("AGIPD01") == {
        "rate.trains_received",  # two trains that lack datagrams
        "rate.datagrams_lost",
        "darks.noise_high_gain",  # 12 ADU more
        "darks.noise_medium_gain",
        "darks.noise_low_gain",
        "darks.bad_pixels",  # an ASIC of sixteen
        "darks.bad_offset",
        "darks.bad_noise",
        "gain.photon_separation",  # photons are lost in the noise
        "gain.single_photon_gain",
        "gain.blind_pixels",  # the ASIC again
        "linearity.linearity",  # the converter ends 400 ADU above the pedestal of low gain
        "linearity.photons_reached",
    }
    assert done.of("AGIPD01")["darks.bad_offset"]["value"] == pytest.approx(6.25, abs=0.5)
    assert "AGIPD01: datagrams missing: 2" in done.notes
    assert {task for task, verdict in done.verdicts.items() if verdict == "FAIL"} == {
        "rate", "darks", "gain", "linearity", "dcu_stream",
    }  # fmt: skip


def test_a_control_unit_is_measured_and_its_lost_image_named(done: Done) -> None:
    assert done.failed("DCU") == {"dcu_stream.dcu_frames"}
    taken = done.of("DCU")
    assert taken["dcu_stream.dcu_frames"]["value"] == 0.9
    assert any("frame 4 did not come" in note for note in done.notes)
    for name, value, tolerance in (
        ("dcu_flat.dcu_response_spread", 2.0, 0.2),
        ("dcu_flat.dcu_bad_unmasked", 0, 0),
        ("dcu_thresholds.dcu_threshold_edge", 1.0, 0.01),
        ("dcu_thresholds.dcu_energy_resolution", 6.0, 1.0),
        ("dcu_rate.dcu_dead_time", 100.0, 4.0),
    ):
        assert taken[name]["value"] == pytest.approx(value, abs=tolerance), name
    assert done.results["dcu_flat"]["blind"] == done.results["dcu_flat"]["hot"] == 1


def test_recording_and_combining_raw_trains_at_once_leaves_no_memory_behind(done: Done) -> None:
    assert min(done.slots.values()) >= 11, "of 12; the next datagram's is taken already"


def test_the_report_shows_modules_side_by_side_and_every_figure(done: Done) -> None:
    modules, both, unit = matrix_of(done.measurements)
    assert (modules.devices, both.devices, unit.devices) == (("AGIPD00", "AGIPD01"), ("AGIPD",), ("DCU",))
    noise = next(line for line in modules.lines if line.about.startswith("Noise in high gain"))
    assert [cell.verdict for cell in noise.cells] == ["PASS", "FAIL"]
    assert noise.limit == "1 … 5"
    record = {"provenance": done.plan.parameters, "tasks": [{"id": task.id} for task in done.plan.tasks]}
    for drawing in drawings(record):
        arrays = data.load(done.run, drawing.arrays)
        assert arrays is not None, drawing.arrays
        assert drawing.draw(arrays).startswith(b"\x89PNG"), drawing.anchor


def test_the_plan_is_what_the_bench_has(tmp_path: Path) -> None:
    text = small_bench(tmp_path).read_text(encoding="utf-8")
    begin, end = text.index("[pipeline]"), text.index("[fat]")
    path = tmp_path / "other.toml"

    def tasks(changed: str) -> list[str]:
        path.write_text(changed, encoding="utf-8")
        return [task.id for task in planned(path)[0].plan.tasks]

    unit = ["dcu_flat", "dcu_thresholds", "dcu_rate", "dcu_stream"]
    assert tasks(text[:begin] + text[end:]) == ["connectivity", *unit, "report"]
    alone = text.replace("[fat.dcu]", '[fat.dcu]\ndevice = "none"')
    modules = ["connectivity", "rate", "dark_high", "dark_medium", "dark_low", "darks", "flats", "gain"]
    assert tasks(alone) == [*modules, "intensities", "linearity", "report", "lights_off"]
    with pytest.raises(BenchFileRejected, match=r"needs modules .* or a control unit"):
        tasks(alone[: alone.index("[pipeline]")] + alone[alone.index("[fat]") :])
