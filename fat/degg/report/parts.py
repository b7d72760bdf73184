"""Parts that the reports of runs and of modules share: verdict tables, findings, completeness, provenance. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fat.degg.records.completeness import Completeness, Found
from fat.degg.report.gather import Judged, RunResults, parts_of
from fat.degg.report.naming import fault_of
from fat.report.document import Cell, Section, Table, Text

COLUMNS: Final = 5
"""Goalposts beside each other in a table of all parts."""
MOST_POINTS: Final = 60
"""Of one list; of a longer one is told how many more there are."""


def findings(results: RunResults, serials: Sequence[str]) -> Section:
    """What is wrong with modules, named, and what the run warned of."""
    missed: dict[str, list[Judged]] = {}
    for serial in serials:
        for one in results.failed(serial):
            of = f"{serial} {one.part or 'module'}: {fault_of(one.goalpost, one.value)}."
            missed.setdefault(of, []).append(one)
    points = [
        f"{of} {_capital(ones[0].sentence)}{_often(results, ones[0])}{_further(ones[1:])}"
        for of, ones in missed.items()
    ]
    text = (
        Text(tuple(_some(points)), points=True, verdict="FAIL")
        if points
        else Text(("No goalpost was missed.",))
    )
    return Section("findings", "Findings", (text,))


def _further(ones: Sequence[Judged]) -> str:
    """What else a fault of a part has missed; the module's own report has all of it."""
    return f" Also missed: {', '.join(one.goalpost for one in ones)}." if ones else ""


def troubles(results: RunResults) -> Section | None:
    """Errors of the bench and warnings: they say nothing against a module by themselves."""
    errors = [
        f"{task['title']}: {task['error']}"
        for task in results.record["tasks"]
        if task["error"] and task["verdict"] in ("ERROR", "ABORTED", "SKIPPED")
    ]
    ignored = [
        f"{device.serial} is on the ignore list: nothing was measured"
        for device in results.devices
        if device.ignored
    ]
    told = Counter([*errors, *ignored, *results.warnings])
    points = [text if count == 1 else f"{text} ({count} times)" for text, count in told.items()]
    if not points:
        return None
    return Section("troubles", "Errors and warnings", (Text(tuple(_some(points)), points=True),))


def matrix(results: RunResults) -> Iterator[Table]:
    """Photomultipliers and other parts against goalposts, some goalposts at a time."""
    names = list(dict.fromkeys(one.goalpost for one in results.judged if one.device))
    rows = _rows(results)
    for start in range(0, len(names), COLUMNS):
        some = names[start : start + COLUMNS]
        head = ("module", *(f"{name}{_limit(results, name)}" for name in some))
        lines = [_line(results, *row, some) for row in rows]
        kept = tuple(line for line in lines if any(cell.text for cell in line[1:]))
        yield Table(head, kept, widths=(2.3, *[1.6] * len(some)))


def of_device(results: RunResults, serial: str) -> Table:
    """All verdicts of one module: part and goalpost, the last value, how often."""
    judged = results.of_device(serial)
    last = {(one.part, one.goalpost): one for one in judged}
    rows = []
    for one in last.values():
        failed, times = results.times_failed(one)
        shown = next(
            (j for j in results.failed(serial) if (j.part, j.goalpost) == (one.part, one.goalpost)), one
        )
        reason = "" if one.limit is None else one.limit.reason
        since = "" if one.limit is None or not one.limit.valid_from else f"since {one.limit.valid_from}"
        rows.append(
            (
                Cell(one.part or "module", verdict="FAIL" if failed else one.verdict),
                Cell(one.about, note=one.goalpost),
                Cell(shown.shown, number=True, note=_at(shown)),
                Cell("" if one.limit is None else str(one.limit), note=since),
                Cell(f"{times - failed} of {times}" if times > 1 else "", number=True),
                Cell(reason),
            )
        )
    head = ("part", "quantity", "value", "must be", "within", "why")
    return Table(head, tuple(rows), (1.3, 2.4, 1.3, 1.4, 0.9, 2.6), "Nothing was judged yet.")


def complete(found: Completeness, serials: Sequence[str]) -> Section:
    """What is there, and what is missing."""
    lines = [line for line in found.lines if line.device in serials and not line.ignored]
    counts = Counter(line.found for line in lines)
    totals = (
        f"{counts[Found.PASS]} measurements are there; "
        f"{counts[Found.NO_FOLDER] + counts[Found.BAD_PATH]} were begun and have no result; "
        f"{counts[Found.NO_MEASUREMENT]} were not made."
    )
    missing: dict[tuple[str, Found], list[str]] = {}
    for line in lines:
        if line.found is not Found.PASS:
            missing.setdefault((line.name, line.found), []).append(f"{line.device} {line.part}".strip())
    parts = Counter(line.name for line in lines)
    rows = tuple(
        (Cell(name), Cell(str(kind)), Cell(_who(those, parts[name])))
        for (name, kind), those in missing.items()
    )
    table = Table(("measurement", "found", "of"), rows, (1.6, 1.0, 3.4), "Nothing is missing.")
    return Section("completeness", "Completeness", (Text((totals,)), table))


def provenance(record: Mapping[str, Any]) -> Section:
    """From which source, configuration and constants this comes."""
    told = record["provenance"]
    rows = [
        ("source revision", str(told.get("source") or "an installed distribution")),
        ("uncommitted changes", ", ".join(told.get("uncommitted", ())) or "none"),
        ("configuration, SHA-256", str(told.get("config_sha256", ""))),
        ("constants of the modules, SHA-256", str(told.get("constants_sha256", ""))),
        ("goalposts, SHA-256", str(told.get("goalposts_sha256", ""))),
        ("versions", ", ".join(f"{name} {text}" for name, text in told.get("versions", {}).items())),
        ("operator", str(told.get("operator", ""))),
        ("host", str(record.get("host", ""))),
    ]
    table = Table(("what", "which"), tuple((Cell(a), Cell(b)) for a, b in rows), (1.4, 3.6))
    return Section("provenance", "Provenance", (table,))


def _rows(results: RunResults) -> list[tuple[str, str, str]]:
    """Device, part, and the serial number of a photomultiplier."""
    rows = []
    for device in results.devices:
        pmts = parts_of(device)
        others = sorted({one.part for one in results.of_device(device.serial)} - set(pmts))
        rows += [(device.serial, part, pmts.get(part, "")) for part in (*pmts, *others)]
    return rows


def _line(results: RunResults, serial: str, part: str, pmt: str, names: Sequence[str]) -> tuple[Cell, ...]:
    cells = [Cell(f"{serial} {part or 'module'}", note=pmt)]
    for name in names:
        same = [one for one in results.of_device(serial) if (one.part, one.goalpost) == (part, name)]
        if not same:
            cells.append(Cell(""))
            continue
        failed = [one for one in same if one.verdict == "FAIL"]
        shown = (failed or same)[-1]
        note = f"{len(failed)} of {len(same)} missed" if failed and len(same) > 1 else ""
        cells.append(Cell(shown.shown, verdict=shown.verdict, number=True, note=note))
    return tuple(cells)


def _limit(results: RunResults, name: str) -> str:
    limit = next((one.limit for one in results.judged if one.goalpost == name and one.limit), None)
    return "" if limit is None else f" ({limit}{'' if limit.unit == '1' else f' {limit.unit}'})"


def _often(results: RunResults, one: Judged) -> str:
    failed, times = results.times_failed(one)
    return f"; missed {failed} times of {times}." if times > 1 else "."


def _at(one: Judged) -> str:
    return "" if one.temperature_c is None else f"at {one.temperature_c:.0f} °C"


def _who(parts: Sequence[str], of: int) -> str:
    if len(parts) == of and of > 2:
        return f"all {of}"
    shown = ", ".join(parts[:4])
    return shown if len(parts) <= 4 else f"{shown} and {len(parts) - 4} more"


def _some(points: list[str]) -> list[str]:
    more = len(points) - MOST_POINTS
    return points if more <= 0 else [*points[:MOST_POINTS], f"and {more} more"]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
