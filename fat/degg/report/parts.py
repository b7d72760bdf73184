"""Parts that the reports of runs and of modules share: verdict tables, findings, completeness, provenance. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fat.degg.records.completeness import Completeness, Found
from fat.degg.report import charts
from fat.degg.report.gather import Judged, RunResults, parts_of
from fat.degg.report.naming import fault_of
from fat.report.document import Cell, Section, Table, Text

MODULES: Final = 16
"""Beside each other in a table of all goalposts."""
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
    shown = charts.missed(results, serials)
    return Section("findings", "Findings", (text,) if shown is None else (text, shown))


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


def overview(results: RunResults) -> Iterator[Table]:
    """Goalposts against modules, as marks, with the number of times that a goalpost was missed."""
    names = list(dict.fromkeys(one.goalpost for one in results.judged if one.device))
    serials = [device.serial for device in results.devices]
    short = [serial.rsplit("-", 1)[-1] for serial in serials]
    called = dict(zip(serials, short if len(set(short)) == len(short) else serials, strict=True))
    by_module: dict[tuple[str, str], list[Judged]] = {}
    for one in results.judged:
        by_module.setdefault((one.device, one.goalpost), []).append(one)
    for start in range(0, len(serials), MODULES):
        some = serials[start : start + MODULES]
        rows = tuple(
            (Cell(name, note=_about(results, name)), *(_mark(by_module.get((s, name), ())) for s in some))
            for name in names
        )
        head = ("goalpost", *(called[serial] for serial in some))
        yield Table(head, rows, (4.6, *[0.85] * len(some)), "Nothing was judged yet.")


def _mark(judged: Sequence[Judged]) -> Cell:
    if not judged:
        return Cell("")
    failed = sum(one.verdict == "FAIL" for one in judged)
    return Cell(str(failed), "FAIL") if failed else Cell("", judged[-1].verdict)


def _about(results: RunResults, name: str) -> str:
    limit = results.limits.get(name)
    return "" if limit is None else f"{limit}{'' if limit.unit == '1' else f' {limit.unit}'}"


def all_values(results: RunResults) -> Table:
    """Photomultipliers and other parts against goalposts, with values: for those who look one up."""
    names = list(dict.fromkeys(one.goalpost for one in results.judged if one.device))
    head = ("module", *(f"{name}{_limit(results, name)}" for name in names))
    lines = [_line(results, *row, names) for row in _rows(results)]
    kept = tuple(line for line in lines if any(cell.text for cell in line[1:]))
    return Table(head, kept, (2.3, *[1.6] * len(names)), "Nothing was judged yet.", fold="All values")


def of_device(results: RunResults, serial: str) -> Iterator[Table]:
    """All verdicts of one module: a table for each kind of part, quantities and parts."""
    by_part: dict[str, dict[str, list[Judged]]] = {}
    for one in results.of_device(serial):
        by_part.setdefault(one.goalpost, {}).setdefault(one.part, []).append(one)
    kinds: dict[str, list[str]] = {}
    for name, of_parts in by_part.items():
        kinds.setdefault(_kind(next(iter(of_parts))), []).append(name)
    if not kinds:
        yield Table(("quantity",), (), empty="Nothing was judged yet.")
    for names in kinds.values():
        parts = list(dict.fromkeys(part for name in names for part in by_part[name]))
        rows = tuple(_verdicts(by_part[name], parts) for name in names)
        head = ("quantity", "must be", *(part or "module" for part in parts), "why")
        yield Table(head, rows, (2.6, 1.2, *[1.6] * len(parts), 2.2))


def _kind(part: str) -> str:
    """Parts of one kind stand in one table: `camera-0`, `camera-1`."""
    return "pmt" if part.endswith("Pmt") else part.rstrip("0123456789")


def _verdicts(of_parts: Mapping[str, Sequence[Judged]], parts: Sequence[str]) -> tuple[Cell, ...]:
    one = next(iter(of_parts.values()))[-1]
    verdicts = {j.verdict for judged in of_parts.values() for j in judged}
    verdict = next((v for v in ("FAIL", "ERROR") if v in verdicts), one.verdict)
    since = "" if one.limit is None or not one.limit.valid_from else f"since {one.limit.valid_from}"
    unit = "" if one.unit == "1" else f" {one.unit}"
    return (
        Cell(one.about, verdict=verdict, note=one.goalpost),
        Cell("" if one.limit is None else f"{one.limit}{unit}"),
        *(_value(of_parts.get(part, ())) for part in parts),
        Cell("" if one.limit is None else one.limit.reason, note=since),
    )


def _value(judged: Sequence[Judged]) -> Cell:
    """The last value, or the last that missed, and how the others were."""
    if not judged:
        return Cell("")
    failed = [one for one in judged if one.verdict == "FAIL"]
    shown = (failed or judged)[-1]
    notes = [_at(shown)]
    if len(judged) > 1:
        notes.append(f"within {len(judged) - len(failed)} of {len(judged)} times")
        farthest = charts.worst(judged)
        if farthest is not None and farthest != shown.value:
            notes.append(f"worst {farthest:.4g}")
    return Cell(shown.shown, shown.verdict, ", ".join(filter(None, notes)))


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
        same = results.verdicts(serial, part, name)
        if not same:
            cells.append(Cell(""))
            continue
        failed = [one for one in same if one.verdict == "FAIL"]
        shown = (failed or same)[-1]
        note = f"{len(failed)} of {len(same)} missed" if failed and len(same) > 1 else ""
        cells.append(Cell(shown.shown, verdict=shown.verdict, number=True, note=note))
    return tuple(cells)


def _limit(results: RunResults, name: str) -> str:
    limit = results.limits.get(name)
    return "" if limit is None else f" ({limit}{'' if limit.unit == '1' else f' {limit.unit}'})"


def _often(results: RunResults, one: Judged) -> str:
    failed, times = results.times_failed(one)
    return f"; missed {failed} of {times} times." if times > 1 else "."


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
