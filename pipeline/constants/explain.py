"""Which version each module uses, and why no other: asked of the catalogue, judged by the rules, told as text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pipeline.constants.judging import Judgement, Question, judge, spell_distance
from pipeline.constants.registered import Registered
from pipeline.constants.selection import to_tick
from pipeline.constants.survey import survey
from pipeline.errors import CatalogueError, ConstantMissing

if TYPE_CHECKING:
    from pipeline.constants.catalogue import Catalogue

OTHERS_SHOWN: Final = 4
"""Versions that are not used, by line of text; JSON has all."""


@dataclass(frozen=True, slots=True)
class Row:
    """One module and calibration."""

    module: int
    pdu: str
    calibration: str
    answered: int | None
    """Id of the version that the catalogue answers."""
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class Report:
    """Which versions are used, and why others are not."""

    detector: str
    question: Question
    rows: tuple[Row, ...]
    requests: int
    """That the explanation took."""
    seen: int
    total: int
    """Versions that were looked through, of those that the catalogue holds."""
    remarks: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        question = self.question
        snapshot = question.snapshot_at
        return {
            "detector": self.detector,
            "event_at": question.event_at.isoformat(),
            "selection": question.strategy,
            "snapshot_at": None if snapshot is None else snapshot.isoformat(),
            "conditions": str(question.conditions),
            "requests": self.requests,
            "versions_seen": self.seen,
            "versions_total": self.total,
            "remarks": list(self.remarks),
            "modules": [_row_json(row) for row in self.rows],
        }

    def as_text(self) -> str:
        """For people and logs: one line for each module and calibration, then those that are not used."""
        lines = [f"{self.detector} {self.question}", f"under {self.question.conditions}"]
        lines += [f"! {remark}" for remark in self.remarks]
        if self.seen < self.total:
            lines.append(f"! looked through {self.seen} of {self.total} versions, those registered last")
        lines.append(f"{'module':>6}  {'unit':<18} {'calibration':<14} {'version':>8}  begins")
        for row in self.rows:
            lines += _row_text(row, self.question)
        return "\n".join(lines)


def explain(
    catalogue: Catalogue, question: Question, calibrations: Sequence[str], modules: Collection[int]
) -> Report:
    """Ask the catalogue what is in force, look through what else there is, and judge it.

    Raises CatalogueError; CatalogueUnreachable also where the lookup itself could be answered from the cache.
    """
    found = catalogue.find(
        question.conditions, calibrations, question.event_at, question.strategy, question.snapshot_at
    )
    answered = {(v.module, v.calibration): v for v in found if v.module in modules}
    units = {m: unit for m, unit in catalogue.units_at(question.event_at).items() if m in modules}
    names = {catalogue.calibration_id(name): name for name in calibrations}
    looked = survey(
        catalogue.rest,
        {int(unit["id"]) for unit in units.values()},
        names,
        {(v.constant_id, v.unit_id): question.event_at for v in answered.values()},
    )
    rows = []
    for module, unit in sorted(units.items()):
        for calibration in calibrations:
            ours = [
                version
                for version in looked.versions.values()
                if version.unit_id == unit["id"] and version.calibration == calibration
            ]
            chosen = answered.get((module, calibration))
            judgement = judge(ours, looked.conditions, question)
            answer_id = None if chosen is None else chosen.id
            rows.append(Row(module, str(unit["physical_name"]), calibration, answer_id, judgement))
    remarks = (*catalogue.remarks, *(remark for row in rows if (remark := _disagreement(row))))
    return Report(
        catalogue.detector, question, tuple(rows), looked.requests, looked.seen, looked.total, remarks
    )


def missing_with_reason(catalogue: Catalogue, error: ConstantMissing, question: Question) -> ConstantMissing:
    """The same error with what is there instead, as far as the catalogue tells."""
    assert error.module_number is not None, "told by require"
    try:
        report = explain(catalogue, question, [error.calibration], [error.module_number])
    except CatalogueError:
        return error
    return error.because(_instead(report))


def _instead(report: Report) -> str:
    others = [other for row in report.rows for other in row.judgement.others]
    if not others:
        return "the catalogue holds none for this module, whatever the conditions"
    first = others[0]
    begin = first.version.begin_at.isoformat(timespec="seconds")
    count = "1 version" if len(others) == 1 else f"the closest of {len(others)} versions"
    return f"there is {count}, {first.version.id} of {begin}, but {'; '.join(first.reasons)}"


def _disagreement(row: Row) -> str | None:
    chosen = row.judgement.chosen
    judged = None if chosen is None else chosen.id
    if judged == row.answered:
        return None
    return (
        f"module {row.module}, {row.calibration}: the catalogue answers {_name(row.answered)}, by what is registered "
        f"it would be {_name(judged)}"
    )


def _name(version_id: int | None) -> str:
    return "none" if version_id is None else f"version {version_id}"


def _version_json(version: Registered) -> dict[str, Any]:
    return {
        "ccv_id": version.id,
        "begin_at": version.begin_at.isoformat(),
        "registered_at": version.created_at.isoformat(),
        "file": version.file,
    }


def _row_json(row: Row) -> dict[str, Any]:
    chosen = row.judgement.chosen
    return {
        "module": row.module,
        "physical_name": row.pdu,
        "calibration": row.calibration,
        "answered": row.answered,
        "chosen": None if chosen is None else _version_json(chosen),
        "others": [
            {**_version_json(other.version), "reasons": list(other.reasons)} for other in row.judgement.others
        ],
    }


def _row_text(row: Row, question: Question) -> list[str]:
    head = f"{row.module:>6}  {row.pdu:<18} {row.calibration:<14}"
    chosen, others = row.judgement.chosen, row.judgement.others
    if chosen is None:
        lines = [f"{head} {'none':>8}  under these conditions at this time"]
    else:
        distance = spell_distance(chosen.begin_at, to_tick(question.event_at))
        lines = [f"{head} {chosen.id:>8}  {chosen.begin_at.isoformat()} ({distance} the event)"]
    for other in others[:OTHERS_SHOWN]:
        begin = other.version.begin_at.isoformat()
        lines.append(f"{'':>8}not {other.version.id} of {begin}: {'; '.join(other.reasons)}")
    if len(others) > OTHERS_SHOWN:
        lines.append(f"{'':>8}and {len(others) - OTHERS_SHOWN} more that are farther from the event")
    return lines
