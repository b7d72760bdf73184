"""Write the reports of a run of optical modules.

report.html, report.pdf, record.json        of the run
reports/<serial>.html, .pdf, .json          of each module
records/run_<16 digits>/…                   result records for the database
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fat.degg.records.device_file import DeviceFile
from fat.degg.records.run_file import RunFile
from fat.degg.report import charts, parts
from fat.degg.report.gather import RunResults, gather, parts_of
from fat.degg.report.naming import fault_of
from fat.degg.results.exporting import export
from fat.files import write_bytes_atomically, write_json_atomically
from fat.report.chart import Chart
from fat.report.document import Cell, Document, Section, Table, Text
from fat.report.html import as_html
from fat.report.pdf import as_pdf
from scheduler import Verdict

NUMBERS: Final = re.compile(r"(_\d+)+$")
"""What tells tasks of one kind from each other."""
Progress = Callable[[int, int, str], None]
"""Hears what is written: how many reports are, of how many, and which one comes next."""


def write_reports(run_dir: Path, *, devices: bool = True, progress: Progress | None = None) -> Path:
    """Write all of them from `record.json`; the path of the run's page.

    The run's page comes last: who finds it newer than the record has all of them.

    devices  the modules' reports and the result records too
    """
    told = progress or _nobody
    record = json.loads((run_dir / "record.json").read_text(encoding="utf-8"))
    total = 1 + (len(RunFile.open(record["provenance"]["run_file"]).devices()) + 1 if devices else 0)
    told(0, total, "results of all tasks")
    results = gather(run_dir, record, record["provenance"]["run_file"])
    record |= {"devices": {device.serial: _summary(results, device) for device in results.devices}}
    record |= {"completeness": _totals(results)}
    write_json_atomically(run_dir / "record.json", record)
    if devices:
        _write_devices(run_dir, results, lambda number, text: told(number, total, text))
    told(total - 1, total, "the run")
    _write(run_dir / "report", of_run(results, links=devices))
    told(total, total, "")
    return run_dir / "report.html"


def _write_devices(run_dir: Path, results: RunResults, told: Callable[[int, str], None]) -> None:
    measurements: dict[str, list[Any]] = {}
    for task, measured in results.record["measurements"]:
        measurements.setdefault(measured.get("device", ""), []).append([task, measured])
    for number, device in enumerate(results.devices):
        told(number, device.serial)
        path = run_dir / "reports" / device.serial
        _write(path, of_module(results, device))
        body = _device_record(results, device, measurements.get(device.serial, []))
        write_json_atomically(path.with_suffix(".json"), body)
    told(len(results.devices), "result records")
    export(run_dir, [task["id"] for task in results.record["tasks"]], results.run.number)


def _nobody(_done: int, _total: int, _text: str) -> None:
    """Where nobody looks."""


def of_run(results: RunResults, *, links: bool = True) -> Document:
    """The report of the run."""
    record, run = results.record, results.run
    serials = [device.serial for device in results.devices]
    bad = [serial for serial in serials if results.verdict_of(serial) == Verdict.FAIL]
    tasks = record["tasks"]
    done = sum(task["verdict"] in ("PASS", "FAIL") for task in tasks)
    summary = f"{done} of {len(tasks)} tasks done. "
    summary += f"{len(bad)} of {len(serials)} modules missed a goalpost: {', '.join(bad)}." if bad else (
        f"None of {len(serials)} modules missed a goalpost."
    )  # fmt: skip
    sections = [
        parts.findings(results, serials),
        _modules(results, links=links),
        Section("verdicts", "Verdicts", (*parts.overview(results), parts.all_values(results))),
        *filter(None, [parts.troubles(results)]),
        parts.complete(results.complete, serials),
        *_figures(charts.of_all(results)),
        _tasks(record),
        parts.provenance(record),
    ]
    return Document(
        title=f"{record['verdict']}: run {run.number:05d}",
        kicker=f"Final acceptance test of optical modules · run {run.number:05d}",
        verdict=record["verdict"],
        summary=summary,
        facts=_facts(results),
        sections=tuple(sections),
        written=_written(),
        links=(("PDF", "report.pdf"), ("record", "record.json")),
    )


def of_module(results: RunResults, device: DeviceFile) -> Document:
    """The report of one module."""
    serial = device.serial
    verdict = results.verdict_of(serial)
    missed = results.failed(serial)
    body = device.body()
    pmts = parts_of(device)
    summary = f"{len(missed)} goalpost{'s' if len(missed) > 1 else ''} missed." if missed else (
        "All goalposts that judged it are met." if verdict == Verdict.PASS else "Nothing was judged."
    )  # fmt: skip
    if device.ignored:
        summary += " The module is on the ignore list."
    facts = (
        ("Run", f"{results.run.number:05d}, {results.run.comment}"),
        ("Photomultipliers", ", ".join(f"{part} {pmt}" for part, pmt in pmts.items())),
        ("Mainboard", str(body.get("MainboardNumber", ""))),
        ("ICM", device.icm_id),
        ("Firmware", f"FPGA {body.get('fpgaVersion', '–')}, Iceboot {body.get('IcebootVersion', '–')}"),
        ("Port", str(device.port)),
    )
    sections = [
        parts.findings(results, [serial]),
        Section("verdicts", "Verdicts", tuple(parts.of_device(results, serial))),
        *_figures([*filter(None, [charts.course(results, serial)]), *charts.of_module(results, serial)]),
        parts.complete(results.complete, [serial]),
        parts.provenance(results.record),
    ]
    return Document(
        title=f"{verdict}: {serial}",
        kicker=f"Final acceptance test of optical modules · {serial}, run {results.run.number:05d}",
        verdict=verdict,
        summary=summary,
        facts=facts,
        sections=tuple(sections),
        written=_written(),
        links=(("PDF", f"{serial}.pdf"), ("record", f"{serial}.json"), ("the run", "../report.html")),
    )


def _facts(results: RunResults) -> tuple[tuple[str, str], ...]:
    record = results.record
    told = record["provenance"]
    return (
        ("Comment", results.run.comment),
        ("Started", record["started"] or "not yet"),
        ("Operator", str(told.get("operator", ""))),
        ("Modules", str(len(results.devices))),
        ("Source", str(told.get("source", ""))[:12]),
        ("Configuration", str(told.get("config_sha256", ""))[:12]),
        ("Stellwerk", record["version"]),
    )


def _modules(results: RunResults, *, links: bool) -> Section:
    rows = []
    for device in results.devices:
        missed = results.failed(device.serial)
        verdict = results.verdict_of(device.serial)
        names = list(dict.fromkeys(fault_of(one.goalpost, one.value) for one in missed))
        state = "on the ignore list" if device.ignored else ", ".join(names)
        link = f"reports/{device.serial}.html" if links else ""
        times = len(results.of_device(device.serial))
        rows.append(
            (
                Cell(device.serial, verdict=verdict, link=link),
                Cell(str(device.port)),
                Cell(str(times), number=True),
                Cell(state),
            )
        )
    head = ("module", "port", "judged", "what is wrong")
    return Section("modules", "Modules", (Table(head, tuple(rows), (2, 0.8, 0.8, 4)),))


def _figures(drawn: Iterable[Chart]) -> Iterator[Section]:
    figures = tuple(drawn)
    if figures:
        yield Section("figures", "Figures", figures)


def _tasks(record: Any) -> Section:
    """Tasks that did not pass one by one; kinds of tasks with their times."""
    odd = [task for task in record["tasks"] if task["verdict"] != "PASS"]
    rows = tuple(
        (Cell(task["title"], verdict=task["verdict"]), Cell(task["verdict"]), Cell(task["error"] or ""))
        for task in odd[: parts.MOST_POINTS]
    )
    table = Table(("task", "verdict", "why"), rows, (2, 1, 4), "All tasks passed.")
    more = len(odd) - parts.MOST_POINTS
    rest = [Text((f"and {more} more tasks that did not pass",))] if more > 0 else []
    return Section("tasks", "Tasks", (table, *rest, _kinds(record)))


def _kinds(record: Any) -> Table:
    """Those that took longest first."""
    spans: dict[str, list[dict[str, Any]]] = {}
    for task in record["tasks"]:
        spans.setdefault(NUMBERS.sub("", str(task["id"])), []).append(task)
    rows = tuple(
        (
            Cell(name.replace("trigger_remote_wrapper_", "analysis: "), verdict=_worst(tasks)),
            Cell(str(len(tasks)), number=True),
            Cell(f"{_hours(tasks):.2f}", number=True),
            Cell(f"{60 * _wall(tasks):.1f}", number=True),
        )
        for name, tasks in sorted(spans.items(), key=lambda kind: -_wall(kind[1]))
    )
    head = ("kind of task", "times", "bench time / h", "wall time / min")
    return Table(head, rows, (4, 1, 1.4, 1.4), fold="Time by kind of task")


def _hours(tasks: Sequence[Any]) -> float:
    spans = [
        t["finished_sim_ns"] - t["started_sim_ns"]
        for t in tasks
        if t["finished_sim_ns"] is not None and t["started_sim_ns"] is not None
    ]
    return float(sum(spans)) / 3.6e12


def _wall(tasks: Sequence[Any]) -> float:
    return float(sum(task["wall_s"] or 0.0 for task in tasks)) / 3600


def _worst(tasks: Sequence[Any]) -> str:
    verdicts = {task["verdict"] for task in tasks}
    return next((v for v in ("ERROR", "ABORTED", "FAIL", "PASS") if v in verdicts), "UNSET")


def _summary(results: RunResults, device: DeviceFile) -> dict[str, Any]:
    missed = results.failed(device.serial)
    return {
        "verdict": results.verdict_of(device.serial),
        "ignored": device.ignored,
        "faults": [
            {"part": one.part, "fault": fault_of(one.goalpost, one.value), "goalpost": one.goalpost}
            for one in missed
        ],
    }


def _totals(results: RunResults) -> dict[str, int]:
    found = results.complete
    return {
        "good": found.good,
        "missing_results": found.missing_results,
        "missing_measurements": found.missing_measurements,
    }


def _device_record(results: RunResults, device: DeviceFile, measurements: list[Any]) -> dict[str, Any]:
    record = results.record
    serial = device.serial
    return {
        "device": serial,
        "run": results.run.number,
        "pmts": parts_of(device),
        **_summary(results, device),
        "provenance": record["provenance"],
        "version": record["version"],
        "host": record["host"],
        "measurements": measurements,
        "completeness": [
            [line.part, line.name, str(line.found)]
            for line in results.complete.lines
            if line.device == serial
        ],
        "file": device.body(),
    }


def _write(path: Path, document: Document) -> None:
    write_bytes_atomically(path.with_suffix(".html"), as_html(document))
    write_bytes_atomically(path.with_suffix(".pdf"), as_pdf(document))


def _written() -> str:
    return (
        f"Written {datetime.now(UTC):%Y-%m-%d %H:%M UTC} from the run's journal, run file and device files."
    )
