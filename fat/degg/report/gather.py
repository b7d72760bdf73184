"""What a run's reports are made from: its record, what its tasks found, its run and device files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from fat.degg.records.completeness import Completeness, completeness
from fat.degg.records.device_file import PARTS, DeviceFile
from fat.degg.records.run_file import RunFile
from fat.degg.results.documents import graph_of
from fat.degg.results.exporting import found_by
from fat.degg.results.quantity import Graph
from fat.limits import Limit
from scheduler import Verdict, read_journal

BUCKET_C: Final = 10.0
NS_PER_HOUR: Final = 3.6e12


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
    graphs: tuple[Graph, ...]
    """Of each module, part, name and temperature the last one."""
    complete: Completeness
    warnings: tuple[str, ...]
    """What tasks and checks warned of."""

    def of_device(self, serial: str) -> list[Judged]:
        """Verdicts about a module."""
        return self._by_device.get(serial, [])

    def graphs_of(self, serial: str) -> dict[str, list[Graph]]:
        """Graphs of a module by their name."""
        return self._graphs_by_device.get(serial, {})

    def verdicts(self, serial: str, part: str, goalpost: str) -> list[Judged]:
        """Of one part by one goalpost, in the order of the plan."""
        return self._by_goalpost.get((serial, part, goalpost), [])

    def verdict_of(self, serial: str) -> str:
        """FAIL when a goalpost was missed in the run, PASS when all that judged were met, UNSET when none judged."""
        if not self.of_device(serial):
            return str(Verdict.UNSET)
        return str(Verdict.FAIL if self.failed(serial) else Verdict.PASS)

    def failed(self, serial: str) -> list[Judged]:
        """What a module has missed: the latest of each part and goalpost."""
        return self._failed.get(serial, [])

    def times_failed(self, one: Judged) -> tuple[int, int]:
        """How often a part missed a goalpost, and how often it was judged by it."""
        same = self.verdicts(one.device, one.part, one.goalpost)
        return sum(j.verdict == Verdict.FAIL for j in same), len(same)

    @cached_property
    def limits(self) -> dict[str, Limit]:
        """By goalpost."""
        return {one.goalpost: one.limit for one in reversed(self.judged) if one.limit is not None}

    @cached_property
    def hours(self) -> dict[str, float]:
        """When tasks had ended, by the bench's clock, hours since the first began."""
        tasks = self.record["tasks"]
        begins = [task["started_sim_ns"] for task in tasks if task["started_sim_ns"] is not None]
        first = min(begins, default=0)
        return {
            task["id"]: (task["finished_sim_ns"] - first) / NS_PER_HOUR
            for task in tasks
            if task["finished_sim_ns"] is not None
        }

    @cached_property
    def graphs_by_name(self) -> dict[str, list[Graph]]:
        """Graphs of all modules by their name."""
        found: dict[str, list[Graph]] = {}
        for graph in self.graphs:
            found.setdefault(graph.name, []).append(graph)
        return found

    @cached_property
    def _graphs_by_device(self) -> dict[str, dict[str, list[Graph]]]:
        found: dict[str, dict[str, list[Graph]]] = {}
        for graph in self.graphs:
            found.setdefault(graph.device, {}).setdefault(graph.name, []).append(graph)
        return found

    @cached_property
    def _failed(self) -> dict[str, list[Judged]]:
        missed: dict[str, dict[tuple[str, str], Judged]] = {}
        for judged in self.judged:
            if judged.verdict == Verdict.FAIL:
                missed.setdefault(judged.device, {})[judged.part, judged.goalpost] = judged
        return {device: list(ones.values()) for device, ones in missed.items()}

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
        graphs=tuple(_graphs(run_dir, list(titles))),
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


def bucket(celsius: float | None) -> float | None:
    """Temperatures that are shown as one."""
    return None if celsius is None or not math.isfinite(celsius) else BUCKET_C * round(celsius / BUCKET_C)


def _graphs(run_dir: Path, tasks: Sequence[str]) -> list[Graph]:
    """Only the last ones are made graphs of: a run has eighty monitorings of each part."""
    last: dict[tuple[str, str, str, float | None], dict[str, Any]] = {}
    for _, found in found_by(run_dir, tasks):
        for one in found:
            document = one["document"]
            if document["meas_class"] == "raw":
                celsius = bucket(document["meas_data"][0].get("temperature"))
                last[one["device"], one["part"], document["meas_name"], celsius] = document
    return [graph_of(document, device, part) for (device, part, *_), document in last.items()]


def _warnings(run_dir: Path) -> Iterator[str]:
    for record in read_journal(run_dir):
        if record.event == "notification" and record.data["severity"] in ("warning", "critical"):
            yield f"{record.data['by']}: {record.data['text']}"
        elif record.event == "check_finished" and not record.data["ok"]:
            yield f"check before {record.data['before']}: {record.data['text']}"
