"""A laboratory in skip mode, the papers of a run of its modules, and tasks done there without an engine.

For tests and benchmarks of tasks that measure optical modules: what a task tells people is kept, questions are answered
with yes, and what is true of the modules can be looked up.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fat.bench.client import ClockClient, ControlClient
from fat.bench.owned import OwnedBench
from fat.degg.station.station import Station
from fat.instruments.http import JsonPeer
from scheduler import TaskContext
from scheduler.notify.notice import Notice, Severity
from scheduler.question import Answer

BENCH: Final = """
[bench]
name = "lab"
seed = {seed}
data_dir = "unused"
[sim.clock]
mode = "skip"
[sim.devices.lab]
kind = "lab"
modules = {{ count = {modules} }}
{figures}
"""


@dataclass
class Told:
    """What tasks told people."""

    notes: list[str] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)

    def progress(self, done: float, total: float, text: str) -> None:
        """Nobody looks."""

    def note(self, text: str) -> None:
        """Keep it."""
        self.notes.append(text)

    def notify(self, notice: Notice) -> None:
        """Keep it."""
        self.notices.append(notice)

    def ask(self, text: str, severity: Severity) -> Answer:  # noqa: ARG002  # told by the question itself
        """Yes."""
        self.questions.append(text)
        return Answer(len(self.questions), text, "test", "", 0.0)

    def keep(self, value: Any) -> None:
        """Nobody takes up where a task stopped."""

    def warnings(self) -> str:
        """All warnings, one after another."""
        return "\n".join(n.text for n in self.notices if n.severity == "warning")


@dataclass
class TaskLab:
    """A laboratory whose high voltage is permitted, and a run of all its modules."""

    bench: OwnedBench
    control: ControlClient
    clock: ClockClient
    folder: Path
    run_file: Path
    told: Told = field(default_factory=Told)

    def context(self, task: str, attempt: int = 1) -> TaskContext:
        """What a task of that name is given."""
        environment = {"endpoints": {key: str(value) for key, value in self.bench.endpoints.items()}}
        (self.folder / "fat").mkdir(exist_ok=True)
        return TaskContext(
            self.folder / "fat", task, task, attempt, {}, {"run_file": str(self.run_file)}, {}, environment,
            self.clock, self.told,
        )  # fmt: skip

    def papers(self, port: int) -> dict[str, Any]:
        """A module's file, now."""
        found: dict[str, Any] = json.loads(self.device(port).read_text())
        return found

    def truth(self, port: int, channel: int) -> dict[str, Any]:
        """What a photomultiplier is made from; instruments never tell."""
        path = self.folder / "data" / "lab" / "truth" / f"degg_{port}.json"
        found: dict[str, Any] = json.loads(path.read_text())["channels"][channel]
        return found

    def ports(self) -> list[int]:
        """Nominal ports of the modules."""
        return [int(path.stem) for path in sorted(self.folder.glob("devices/*.json"))]

    def glass_c(self) -> float:
        """The true temperature of the glass, as the laboratory's page shows it."""
        with JsonPeer("the laboratory's page", str(self.bench.endpoints["lab.page"])) as peer:
            state = peer.request("GET", "/state")
        assert isinstance(state, dict)
        return float(state["cold"]["glass_c"])

    def fault(self, device: str, name: str, on: bool = True, **parameters: Any) -> None:
        """Switch a fault on or off (`stellwerk sim kinds` lists them)."""
        self.control.switch_fault(device, name, on=on, **parameters)

    def device(self, port: int) -> Path:
        """A module's file."""
        return self.folder / "devices" / f"{port}.json"


def v0(truth: Mapping[str, Any], celsius: float) -> float:
    """True high voltage of a gain of 1e7, V."""
    return float(truth["v0_volts"] * (1 + truth["v0_per_c"] * (celsius - 20.0)))


def know_voltages(lab: TaskLab) -> None:
    """Write the true high voltage of a gain of 1e7 into the papers, as a scan would have found it."""
    celsius = lab.glass_c()
    for port in lab.ports():
        body = lab.papers(port)
        for channel, part in enumerate(("LowerPmt", "UpperPmt")):
            body[part]["HV1e7Gain"] = round(v0(lab.truth(port, channel), celsius), 1)
        lab.device(port).write_text(json.dumps(body))


def true_rate(truth: Mapping[str, Any], celsius: float) -> float:
    """True dark rate at 0.25 photoelectrons, Hz (docs/lab-modules-physics.md)."""
    return float((1350.0 + 4300.0 * math.exp((celsius - 20.0) / 17.0)) * truth["dark_factor"])


@contextmanager
def task_lab(folder: Path, modules: int = 2, *, seed: int = 5, figures: str = "") -> Iterator[TaskLab]:
    """Bring it up; high voltage is permitted at all wire pairs."""
    file = folder / "lab.toml"
    file.write_text(BENCH.format(seed=seed, modules=modules, figures=figures))
    with OwnedBench(file, data_dir=folder / "data", log=folder / "bench.log") as bench:
        clock = ClockClient(str(bench.endpoints["clock"]), "test")
        control = ControlClient(str(bench.endpoints["control"]), bench.token)
        try:
            run_file = _papers(folder, bench)
            yield TaskLab(bench, control, clock, folder, run_file)
        finally:
            control.close()
            clock.close()


def _papers(folder: Path, bench: OwnedBench) -> Path:
    run: dict[str, Any] = {"comment": "dark", "date": "2026-01-01"}
    endpoints = {key: str(value) for key, value in bench.endpoints.items()}
    (folder / "devices").mkdir()
    with Station(endpoints, lambda _seconds: None) as station:
        for base, pair in station.wire_pairs.items():
            if base < 10_000:
                pair.permit_hv()
        for port in station.modules:
            truth = json.loads((folder / "data" / "lab" / "truth" / f"degg_{port}.json").read_text())
            path = folder / "devices" / f"{port}.json"
            path.write_text(json.dumps(_device(port, truth)))
            run[truth["serial"]] = str(path)
    (folder / "json" / "run").mkdir(parents=True)
    run_file = folder / "json" / "run" / "run_00001.json"
    run_file.write_text(json.dumps(run))
    return run_file


def _device(port: int, truth: Mapping[str, Any]) -> dict[str, Any]:
    pmts = [
        {
            "SerialNumber": channel["serial"],
            "HV1e7Gain": -1,
            "HV1e7GainDefault": 1500,
            "SPEPeakHeight": 0.0035,
        }
        for channel in truth["channels"]
    ]
    return {
        "DEggSerialNumber": truth["serial"],
        "Port": port,
        "ICMID": truth["icm_id"],
        "fpgaVersion": 272,
        "IcebootVersion": 62,
        "LowerPmt": pmts[0],
        "UpperPmt": pmts[1],
        "Constants": {"Samples": 128, "AdcMin": 7600, "AdcRange": 9000, "Events": 10_000, "DacValue": 30_000},
    }
