"""The constants that the correction uses: fetched, told of, explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from pipeline.config import CorrectionTable, PipelineTable
from pipeline.constants import (
    Catalogue,
    Conditions,
    ConstantVersion,
    Question,
    cache_folder,
    conditions_of,
    explain,
    open_catalogue,
    strategy_of,
)
from pipeline.constants.model import begins_of
from pipeline.control.device import Property, Slot
from pipeline.correct import ModuleCorrection, Recipe, recipe_of
from pipeline.errors import NotInThisState, SettingRejected

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Fetched:
    """What constants were fetched, and where they came from."""

    versions: tuple[ConstantVersion, ...]
    """By module and calibration."""
    question: Question
    kept_since: datetime | None
    """When the oldest answer was given that came from the cache; None when the catalogue answered all."""
    remarks: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Without the versions."""
        question = self.question
        return {
            "event_at": question.event_at.isoformat(),
            "selection": question.strategy,
            "snapshot_at": None if question.snapshot_at is None else question.snapshot_at.isoformat(),
            "from": "catalogue" if self.kept_since is None else "cache",
            "answered_at": None if self.kept_since is None else self.kept_since.isoformat(),
            "remarks": list(self.remarks),
        }

    def as_text(self, detector: str) -> str:
        """For the log: one line for each version."""
        lines = [f"{detector} {self.question}", f"under {self.question.conditions}"]
        lines += [f"! {remark}" for remark in self.remarks]
        lines += [
            f"{v.module:>6}  {v.pdu:<18} {v.calibration:<14} {v.id:>8}  {v.begin_at.isoformat()}  {v.file}"
            for v in self.versions
        ]
        return "\n".join(lines)


class ConstantsInUse:
    """Fetches constants for one detector, and knows those in use.

    data_dir  holds the cache, unless the table names another place, and the text log `log/constants.txt`
    settings  tells what a recipe would be made of now
    """

    def __init__(
        self,
        table: PipelineTable,
        endpoints: Mapping[str, Any],
        data_dir: Path,
        settings: Callable[[], CorrectionTable],
    ) -> None:
        self._table, self._endpoints, self._settings = table, endpoints, settings
        self._cache = cache_folder(table.constants, data_dir)
        self._log_file = data_dir / "log" / "constants.txt"
        self._report = ""
        self.used: Fetched | None = None

    def question(
        self, conditions: Conditions, event_at: str, selection: str = "", snapshot_at: str = ""
    ) -> Question:
        """A question from the texts of a slot; *selection* empty: as the table says. Raises SettingRejected."""
        strategy = strategy_of(selection or self._table.constants.selection)
        snapshot = _moment("snapshot_at", snapshot_at) if snapshot_at else None
        return Question(conditions, _moment("event_at", event_at), strategy, snapshot)

    def fetch(self, recipe: Recipe, question: Question) -> tuple[Fetched, dict[int, ModuleCorrection]]:
        """What is in force, prepared for each module.

        Raises ConstantMissing, ConstantUnreadable, CatalogueError, SettingRejected.
        """
        with self._catalogue() as catalogue:
            versions = catalogue.select(
                question.conditions,
                recipe.needed,
                self._table.modules,
                question.event_at,
                question.strategy,
                recipe.welcome,
                question.snapshot_at,
            )
            prepared = {}
            # One module after the other: as they are stored, the constants of all may be more than fits the memory.
            for module in self._table.modules:
                ours = [version for version in versions if version.module == module]
                prepared[module] = recipe.prepare(
                    module, catalogue.load(ours, question.conditions).module(module)
                )
            in_order = sorted(versions, key=lambda v: (v.module, v.calibration))
            return Fetched(
                tuple(in_order), question, catalogue.kept_since, tuple(catalogue.remarks)
            ), prepared

    def use(self, fetched: Fetched) -> None:
        """These are in use from now on."""
        self.used = fetched
        self._write(fetched.as_text(self._table.detector))
        if fetched.kept_since is not None:
            log.warning("constants come from the cache", answered_at=fetched.kept_since.isoformat())

    def forget(self) -> None:
        """None are in use."""
        self.used = None

    def explain(self, question: Question, modules: Sequence[int] = ()) -> dict[str, Any]:
        """Which version each module uses and why no other, as JSON and as text. Raises CatalogueError."""
        recipe = recipe_of(self._settings(), question.conditions)
        with self._catalogue() as catalogue:
            report = explain(
                catalogue, question, (*recipe.needed, *recipe.welcome), modules or self._table.modules
            )
        self._report = report.as_text()
        self._write(self._report)
        return {**report.as_json(), "text": self._report}

    def properties(self) -> list[Property]:
        """What the correction's device shows."""
        return [
            Property("constants", "begin of each, by calibration and module", self._begins, type=dict),
            Property(
                "constants_source",
                "what was asked; from the catalogue or the cache; remarks",
                lambda: {} if self.used is None else self.used.as_json(),
                type=dict,
            ),
            Property(
                "constants_report", "the last answer of explain_constants as text", lambda: self._report
            ),
        ]

    def slots(self) -> list[Slot]:
        """What the correction's device does beside loading."""

        def explain_constants(
            event_at: str = "",
            conditions: dict[str, Any] | None = None,
            selection: str = "",
            snapshot_at: str = "",
            modules: list[int] | None = None,
        ) -> dict[str, Any]:
            if not event_at:
                if self.used is None:
                    raise NotInThisState(
                        "correction", "explain_constants", "without constants", "loaded, or given event_at"
                    )
                return self.explain(self.used.question, modules or ())
            stated = conditions_of(self._table.type, conditions or {})
            question = self.question(stated, event_at, selection, snapshot_at)
            return self.explain(question, modules or ())

        about = "which version each module uses and why no other; without arguments: of those in use"
        return [Slot("explain_constants", about, explain_constants, exclusive=False)]

    def _catalogue(self) -> AbstractContextManager[Catalogue]:
        for key in ("caldb.rest", "caldb.store"):
            if key not in self._endpoints:
                raise SettingRejected(
                    "endpoints", key, "the address of a catalogue; this pipeline was given none"
                )
        remotes = self._endpoints.get("caldb.remotes", ())
        if self._table.constants.source == "remotes" and not remotes:
            raise SettingRejected(
                "endpoints", "caldb.remotes", "the addresses of remotes; this pipeline was given none"
            )
        return open_catalogue(
            str(self._endpoints["caldb.rest"]),
            Path(str(self._endpoints["caldb.store"])),
            self._table.detector,
            self._table.constants,
            self._cache,
            remotes,
        )

    def _begins(self) -> dict[str, dict[str, str]]:
        if self.used is None:
            return {}
        return {
            name: {str(module): begin for module, begin in of_modules.items()}
            for name, of_modules in begins_of(self.used.versions).items()
        }

    def _write(self, text: str) -> None:
        """Append to the text log; a log that cannot be written is no reason to stop."""
        try:
            self._log_file.parent.mkdir(parents=True, exist_ok=True)
            with self._log_file.open("a", encoding="utf-8") as file:
                file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')}\n{text}\n\n")
        except OSError as error:
            log.warning("the constants' log could not be written", reason=str(error))


def _moment(name: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingRejected(name, text, "a moment in ISO 8601") from None
    if moment.tzinfo is None:
        raise SettingRejected(name, text, "a moment with its time zone")
    return moment
