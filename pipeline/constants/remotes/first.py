"""The remotes first; where none of them answers, the catalogue itself, and where that is silent, the cache."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from pipeline.constants.cache import ConstantsCache
from pipeline.constants.catalogue import Catalogue
from pipeline.constants.conditions import Conditions
from pipeline.constants.model import ConstantSet, ConstantVersion, Strategy
from pipeline.constants.remotes.client import Remotes
from pipeline.constants.remotes.provider import RemoteCatalogue
from pipeline.constants.rest import Asking
from pipeline.errors import CatalogueUnreachable, RemotesExhausted


class CatalogueThroughRemotes(Catalogue):
    """A catalogue whose searches and data come through its remotes.

    max_age_s  what was answered longer ago is not used when everybody is silent
    """

    def __init__(
        self,
        rest: Asking,
        store: Path,
        detector: str,
        cache: ConstantsCache | None,
        remotes: Remotes,
        max_age_s: float,
    ) -> None:
        super().__init__(rest, store, detector, cache)
        self._remote = RemoteCatalogue(remotes, store, detector)
        self._max_age_s = max_age_s
        self._given: datetime | None = None

    @property
    def kept_since(self) -> datetime | None:
        """When the oldest answer was given that had to come from the cache; None when none had to."""
        known = [moment for moment in (self._given, super().kept_since) if moment is not None]
        return min(known, default=None)

    def find(
        self,
        conditions: Conditions,
        calibrations: Sequence[str],
        event_at: datetime,
        strategy: Strategy = "prior",
        snapshot_at: datetime | None = None,
    ) -> list[ConstantVersion]:
        """As `Catalogue.find`. Raises CatalogueError."""
        question = {
            "path": "search through remotes",
            "detector": self.detector,
            "parameters": {name: dict(conditions.parameters(name)) for name in calibrations},
            "event_at": event_at.astimezone(UTC).isoformat(),
            "strategy": strategy,
            "snapshot_at": "" if snapshot_at is None else snapshot_at.astimezone(UTC).isoformat(),
        }
        try:
            found = self._remote.find(conditions, calibrations, event_at, strategy, snapshot_at)
        except RemotesExhausted as error:
            self._remark(error)
            try:
                return super().find(conditions, calibrations, event_at, strategy, snapshot_at)
            except CatalogueUnreachable as silence:
                return self._kept(question, silence)
        if self.cache is not None:
            self.cache.keep(question, json.dumps([_as_json(version) for version in found]).encode())
        return found

    def load(self, versions: Iterable[ConstantVersion], conditions: Conditions) -> ConstantSet:
        """As `Catalogue.load`. Raises ConstantUnreadable, CatalogueError."""
        wanted = list(versions)
        try:
            loaded = self._remote.load(wanted, conditions)
        except RemotesExhausted as error:
            self._remark(error)
            return super().load(wanted, conditions)
        if self.cache is not None:
            for version in wanted:
                path = self.path_of(version)
                if path.exists():
                    self.cache.keep_file({"store": str(self.store), "file": str(version.file)}, path)
        return loaded

    def _remark(self, error: RemotesExhausted) -> None:
        sentence = f"{error}; the catalogue itself is asked"
        if sentence not in self.remarks:
            self.remarks.append(sentence)

    def _kept(self, question: dict[str, Any], silence: CatalogueUnreachable) -> list[ConstantVersion]:
        found = None if self.cache is None else self.cache.answer(question)
        if found is None or time.time() - found[1].kept_at_s > self._max_age_s:
            raise silence
        content, entry = found
        self._given = datetime.fromtimestamp(entry.kept_at_s, UTC)
        given = self._given.isoformat(timespec="seconds")
        self.remarks.append(
            f"neither remotes nor catalogue answer: versions as the remotes told them at {given}"
        )
        return [_from_json(entry) for entry in json.loads(content)]


def _as_json(version: ConstantVersion) -> dict[str, Any]:
    values = asdict(version)
    return values | {
        "file": str(version.file),
        "begin_at": version.begin_at.isoformat(),
        "created_at": version.created_at.isoformat(),
    }


def _from_json(values: dict[str, Any]) -> ConstantVersion:
    moments = {name: datetime.fromisoformat(values[name]) for name in ("begin_at", "created_at")}
    return ConstantVersion(**values | moments | {"file": PurePosixPath(values["file"])})
