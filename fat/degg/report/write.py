"""Write the reports of a run of optical modules.

report.html, report.pdf, record.json        of the run
reports/<serial>.html, .pdf, .json          of each module
records/run_<16 digits>/…                   result records for the database
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fat.degg.records.device_file import DeviceFile
from fat.degg.report import figures, parts
from fat.degg.report.gather import RunResults, gather, parts_of
from fat.degg.report.naming import fault_of
from fat.degg.results.exporting import export
from fat.degg.results.quantity import Graph
from fat.files import write_bytes_atomically, write_json_atomically
from fat.report.document import Cell, Document, Picture, Section, Table, Text
from fat.report.html import as_html
from fat.report.pdf import as_pdf
from scheduler import Verdict


def write_reports(run_dir: Path, *, devices: bool = True) -> Path:
    """Write all of them from `record.json`; the path of the run's page.

    devices  the modules' reports and the result records too, which takes some seconds for each module
    """
    record = json.loads((run_dir / "record.json").read_text(encoding="utf-8"))
    results = gather(run_dir, record, record["provenance"]["run_file"])
    record |= {"devices": {device.serial: _summary(results, device) for device in results.devices}}
    record |= {"completeness": _totals(results)}
    write_json_atomically(run_dir / "record.json", record)
    _write(run_dir / "report", of_run(results, links=devices))
    if devices:
        for device in results.devices:
            path = run_dir / "reports" / device.serial
            _write(path, of_module(results, device))
            write_json_atomically(path.with_suffix(".json"), _device_record(results, device))
        export(run_dir, [task["id"] for task in record["tasks"]], results.run.number)
    return run_dir / "report.html"


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
        Section(
            "verdicts", "Verdicts", tuple(parts.matrix(results)) or (Text(("Nothing was judged yet.",)),)
        ),
        *filter(None, [parts.troubles(results)]),
        parts.complete(results.complete, serials),
        *_figures(results, serials, run_wide=True),
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
    summary = f"{len(missed)} goalposts missed." if missed else (
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
        Section("verdicts", "Verdicts", (parts.of_device(results, serial),)),
        parts.complete(results.complete, [serial]),
        *_figures(results, [serial], run_wide=False),
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


def _figures(results: RunResults, serials: Sequence[str], *, run_wide: bool) -> Iterator[Section]:
    by_name: dict[str, list[Graph]] = {}
    for _, graph in results.graphs:
        if graph.device in serials:
            by_name.setdefault(graph.name, []).append(graph)
    marked = {(one.device, one.part) for one in results.judged if one.verdict == Verdict.FAIL}
    drawn = []
    for graphs in by_name.values():
        png = figures.overview(graphs, marked) if run_wide else figures.of_device(graphs)
        caption = (
            "The last of each part and temperature; parts that missed a goalpost are coloured."
            if run_wide
            else "The last of each part and temperature, with what was fitted to it."
        )
        drawn.append(Picture(graphs[-1].title, caption, png))
    if drawn:
        yield Section("figures", "Figures", tuple(drawn))


def _tasks(record: Any) -> Section:
    """Kinds of tasks with their times; tasks that did not pass one by one."""
    spans: dict[str, list[dict[str, Any]]] = {}
    for task in record["tasks"]:
        spans.setdefault(str(task["id"]).rsplit("_", 1)[0], []).append(task)
    kinds = [(name, _hours(tasks), _wall(tasks), _worst(tasks)) for name, tasks in spans.items()]
    odd = [task for task in record["tasks"] if task["verdict"] != "PASS"]
    rows = tuple(
        (Cell(task["title"], verdict=task["verdict"]), Cell(task["verdict"]), Cell(task["error"] or ""))
        for task in odd[: parts.MOST_POINTS]
    )
    table = Table(("task", "verdict", "why"), rows, (2, 1, 4), "All tasks passed.")
    timed = [kind for kind in kinds if kind[1] or kind[2]]
    shown = (
        [Picture("Time by kind of task", "All runs of each kind together.", figures.timeline(timed))]
        if timed
        else []
    )
    more = len(odd) - parts.MOST_POINTS
    rest = [Text((f"and {more} more tasks that did not pass",))] if more > 0 else []
    return Section("tasks", "Tasks", (table, *rest, *shown))


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


def _device_record(results: RunResults, device: DeviceFile) -> dict[str, Any]:
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
        "measurements": [[t, m] for t, m in record["measurements"] if m.get("device") == serial],
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
