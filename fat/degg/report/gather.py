"""What a run's reports are made from: its record, what its tasks found, its run and device files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fat.degg.records.completeness import Completeness, completeness
from fat.degg.records.device_file import PARTS, DeviceFile
from fat.degg.records.run_file import RunFile
from fat.degg.results.documents import graph_of
from fat.degg.results.exporting import found_by
from fat.degg.results.quantity import Graph
from fat.limits import Limit
from scheduler import Verdict, read_journal


@dataclass(frozen=True, slots=True)
class Judged:
    """One verdict: a quantity against one goalpost."""

    task: str
    title: str
    """Of the task."""
    device: str
    part: str
    goalpost: str
    """Its name without prefix; the quantity's where no goalpost judged it."""
    about: str
    value: float | None
    unit: str
    limit: Limit | None
    verdict: str
    temperature_c: float | None

    @property
    def shown(self) -> str:
        """Value with its unit."""
        if self.value is None:
            return "no number"
        number = f"{self.value:.0f}" if 1000 <= abs(self.value) < 1e9 else f"{self.value:.4g}"
        return number + ("" if self.unit == "1" else f" {self.unit}")

    @property
    def sentence(self) -> str:
        """For people: what was found, and what it should be."""
        limit = "" if self.limit is None else f", must be {self.limit}"
        at = "" if self.temperature_c is None else f" at {self.temperature_c:.0f} °C"
        return f"{self.about}: {self.shown}{at}{limit} ({self.title})"


@dataclass(frozen=True)
class RunResults:
    """All of it. A run of days has thirty thousand verdicts, so that they are looked up and not searched."""

    record: Mapping[str, Any]
    run: RunFile
    devices: tuple[DeviceFile, ...]
    judged: tuple[Judged, ...]
    """In the order of the plan."""
    graphs: tuple[tuple[str, Graph], ...]
    """The task's title, and the graph."""
    complete: Completeness
    warnings: tuple[str, ...]
    """What tasks and checks warned of."""

    def of_device(self, serial: str) -> list[Judged]:
        """Verdicts about a module."""
        return self._by_device.get(serial, [])

    def graphs_of(self, serial: str) -> list[tuple[str, Graph]]:
        """Graphs of a module."""
        return [(title, graph) for title, graph in self.graphs if graph.device == serial]

    def verdict_of(self, serial: str) -> str:
        """FAIL when a goalpost was missed in the run, PASS when all that judged were met, UNSET when none judged."""
        if not self.of_device(serial):
            return str(Verdict.UNSET)
        return str(Verdict.FAIL if self.failed(serial) else Verdict.PASS)

    def failed(self, serial: str) -> list[Judged]:
        """What a module has missed: the latest of each part and goalpost."""
        missed: dict[tuple[str, str], Judged] = {}
        for judged in self.of_device(serial):
            if judged.verdict == Verdict.FAIL:
                missed[judged.part, judged.goalpost] = judged
        return list(missed.values())

    def times_failed(self, one: Judged) -> tuple[int, int]:
        """How often a part missed a goalpost, and how often it was judged by it."""
        same = self._by_goalpost[one.device, one.part, one.goalpost]
        return sum(j.verdict == Verdict.FAIL for j in same), len(same)

    @cached_property
    def _by_device(self) -> dict[str, list[Judged]]:
        found: dict[str, list[Judged]] = {}
        for judged in self.judged:
            found.setdefault(judged.device, []).append(judged)
        return found

    @cached_property
    def _by_goalpost(self) -> dict[tuple[str, str, str], list[Judged]]:
        found: dict[tuple[str, str, str], list[Judged]] = {}
        for judged in self.judged:
            found.setdefault((judged.device, judged.part, judged.goalpost), []).append(judged)
        return found


def gather(run_dir: Path, record: Mapping[str, Any], run_file: str) -> RunResults:
    """Read everything. Raises RecordUnreadable when run or device files cannot be read."""
    run = RunFile.open(run_file)
    titles = {task["id"]: task["title"] for task in record["tasks"]}
    judged = tuple(_judged(task, titles.get(task, task), body) for task, body in record["measurements"])
    return RunResults(
        record=record,
        run=run,
        devices=tuple(run.devices()),
        judged=judged,
        graphs=tuple(_graphs(run_dir, list(titles), titles)),
        complete=completeness(run),
        warnings=tuple(_warnings(run_dir)),
    )


def parts_of(device: DeviceFile) -> dict[str, str]:
    """The module's photomultipliers: serial number by part."""
    body = device.body()
    return {part: str(body.get(part, {}).get("SerialNumber", "")) for part in PARTS}


def _judged(task: str, title: str, body: Mapping[str, Any]) -> Judged:
    limit = None if body["limit"] is None else Limit(**body["limit"])
    name = limit.name.rsplit("_", 1)[-1] if limit is not None and limit.name else str(body["name"])
    return Judged(
        task,
        title,
        str(body.get("device", "")),
        str(body.get("part", "")),
        name,
        str(body["about"]),
        body["value"],
        str(body["unit"]),
        limit,
        str(body["verdict"]),
        body.get("temperature_c"),
    )


def _graphs(run_dir: Path, tasks: Sequence[str], titles: Mapping[str, str]) -> Iterator[tuple[str, Graph]]:
    for task, found in found_by(run_dir, tasks):
        for one in found:
            if one["document"]["meas_class"] == "raw":
                yield titles[task], graph_of(one["document"], one["device"], one["part"])


def _warnings(run_dir: Path) -> Iterator[str]:
    for record in read_journal(run_dir):
        if record.event == "notification" and record.data["severity"] in ("warning", "critical"):
            yield f"{record.data['by']}: {record.data['text']}"
        elif record.event == "check_finished" and not record.data["ok"]:
            yield f"check before {record.data['before']}: {record.data['text']}"
