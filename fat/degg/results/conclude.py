"""From an analysis to a task's result: judged against the goalposts that hold, and kept for database and report.

What was found stands in `results/found/<task>.json` below the run folder, replaced whole when the task runs again: a
task that was killed and repeated leaves no second set of results. The journal gets what was judged; all else is in the
file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fat.degg.records.device_file import PARTS
from fat.degg.records.run_file import RunFile
from fat.degg.results import documents
from fat.degg.results.goalposts import Goalpost, Goalposts, shipped
from fat.degg.results.quantity import Graph, Quantity
from fat.files import write_bytes_atomically
from fat.measurement import Measured, verdict_of
from scheduler import TaskContext, TaskResult

FOUND: Final = "results/found"
"""Below the run folder; backups take what is in `results`."""


def conclude(
    context: TaskContext,
    quantities: Iterable[Quantity],
    *,
    graphs: Iterable[Graph] = (),
    support: Iterable[Path | str] = (),
    outputs: Mapping[str, Any] | None = None,
    goalposts: Goalposts | None = None,
    now: datetime | None = None,
) -> TaskResult:
    """The task's result: FAIL when a quantity misses a goalpost.

    support    files that the quantities were made from, named in the records
    outputs    further outputs of the task, JSON, small: every later task is given them
    goalposts  by default those of the distribution
    now        by default the present; the goalposts of its day judge

    Raises GoalpostUnknown, DocumentRefused, RecordUnreadable.
    """
    quantities = list(quantities)
    now = now or datetime.now(UTC)
    chosen = [_chosen(quantity, goalposts or shipped(), now) for quantity in quantities]
    judged = [
        measured
        for quantity, posts in zip(quantities, chosen, strict=True)
        for measured in _judged(quantity, posts)
    ]
    scribe = _Scribe.of(context, now, [str(path) for path in support])
    found = [
        *(
            scribe.quantity(q, posts)
            for q, posts in zip(quantities, chosen, strict=True)
            if math.isfinite(q.value)
        ),
        *(scribe.graph(graph) for graph in graphs),
    ]
    for one in found:
        documents.text_of(one["document"])
    body = {"task": context.task_id, "title": context.title, "found": found}
    write_bytes_atomically(context.run_dir / FOUND / f"{context.task_id}.json", json.dumps(body).encode())
    told = [measured.as_json() for measured in judged]
    return TaskResult(verdict_of(judged), {**(outputs or {}), "measurements": told})


def _chosen(quantity: Quantity, goalposts: Goalposts, now: datetime) -> list[Goalpost]:
    valid = [goalposts.valid(name, now.date()) for name in quantity.goalposts]
    return [post for post in valid if post is not None and post.speaks_for(quantity.temperature_c)]


def _judged(quantity: Quantity, posts: Sequence[Goalpost]) -> list[Measured]:
    """One verdict for each goalpost; what is no number fails also without one."""
    what = quantity.measurement
    if not posts:
        return [] if math.isfinite(quantity.value) else [what.judged(quantity.value, None)]
    return [what.judged(float(quantity.value), post.limit) for post in posts]


class _Scribe:
    """Writes the records of one task."""

    def __init__(
        self, run: int, pmts: Mapping[str, Mapping[str, str]], time: float, support: list[str]
    ) -> None:
        self._run, self._pmts, self._time, self._support = run, pmts, time, support

    @classmethod
    def of(cls, context: TaskContext, now: datetime, support: list[str]) -> _Scribe:
        """For the run that the plan names; without one, of run 0, without serial numbers of photomultipliers."""
        if "run_file" not in context.parameters:
            return cls(0, {}, now.timestamp(), support)
        run = RunFile.open(context.parameters["run_file"])
        pmts: dict[str, dict[str, str]] = {}
        for device in run.devices():
            body = device.body()
            pmts[device.serial] = {part: str(body[part]["SerialNumber"]) for part in PARTS if part in body}
        return cls(run.number, pmts, now.timestamp(), support)

    def quantity(self, quantity: Quantity, posts: Sequence[Goalpost]) -> dict[str, Any]:
        """The record of a number."""
        names = [(post.testname, post.testtype) for post in posts]
        where = self._subdevice(quantity)
        document = documents.of_quantity(
            quantity, subdevice=where, run=self._run, time=self._time, testnames=names
        )
        return self._supported(quantity, document)

    def graph(self, graph: Graph) -> dict[str, Any]:
        """The record of a graph."""
        where = self._subdevice(graph)
        document = documents.of_graph(graph, subdevice=where, run=self._run, time=self._time)
        return self._supported(graph, document)

    def _subdevice(self, of: Quantity | Graph) -> str:
        return documents.subdevice_uid(of.device, of.part, self._pmts.get(of.device, {}))

    def _supported(self, of: Quantity | Graph, document: dict[str, Any]) -> dict[str, Any]:
        """What is kept: the record, and of what it is, which is not in the record as people write it."""
        document |= {"support_files": self._support} if self._support else {}
        return {"device": of.device, "part": of.part, "document": document}
