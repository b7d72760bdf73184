"""Constants through the remotes, for whoever else would ask the catalogue: the same questions, the same answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.constants.conditions import Conditions, Parameter
from pipeline.constants.files import content_hash
from pipeline.constants.injection import Origin
from pipeline.constants.layout import stored_dims
from pipeline.constants.lookup import ParametersOf, asked_together, find_or_fall_back, path_in_store
from pipeline.constants.model import Constant, ConstantSet, ConstantVersion, Strategy, dtype_of, require
from pipeline.constants.remotes import verify
from pipeline.constants.remotes.client import RemoteRefused, Remotes
from pipeline.constants.remotes.messages import (
    Answer,
    AnswerMalformed,
    Condition,
    Described,
    read_conditions,
    read_described,
    read_version,
)
from pipeline.errors import AlreadyInjected, CatalogueError, ConstantUnreadable

T = TypeVar("T")
CARRIED_BYTES: Final = 64 << 20
"""Larger constants are read from the store: a file is mapped faster than it is sent."""
LARGEST_ITEM: Final = 8


class RemoteCatalogue:
    """One detector's constants through the remotes. Has `find`, `load`, `fetch` and `path_of` as `Catalogue` has.

    store          the store's root folder, as this machine sees it; None where there is none, then all data are sent
    carried_bytes  constants that may be larger are asked for with meta_only; 0: all of them
    """

    def __init__(
        self, remotes: Remotes, store: Path | None, detector: str, *, carried_bytes: int = CARRIED_BYTES
    ) -> None:
        self.remotes, self.store, self.detector = remotes, store, detector
        self._carried_bytes = carried_bytes

    def find(
        self,
        conditions: Conditions,
        calibrations: Sequence[str],
        event_at: datetime,
        strategy: Strategy = "prior",
        snapshot_at: datetime | None = None,
    ) -> list[ConstantVersion]:
        """The versions in force at a time: at most one for each module and calibration.

        snapshot_at  the catalogue as it stood then; None: as it is

        What is not found under the stated conditions is asked for once more under those fallen back to.
        Raises CatalogueError.
        """
        ask = partial(self._search, event_at=event_at, strategy=strategy, snapshot_at=snapshot_at)
        return find_or_fall_back(ask, conditions, calibrations)

    def load(self, versions: Iterable[ConstantVersion], conditions: Conditions) -> ConstantSet:
        """Fetch versions and check each against the conditions. Raises ConstantUnreadable, CatalogueError."""
        fetch = partial(self._load_one, conditions=conditions)
        with ThreadPoolExecutor(self.remotes.patience.in_flight, "remotes") as askers:
            return ConstantSet(askers.map(fetch, versions))

    def fetch(
        self,
        conditions: Conditions,
        calibrations: Sequence[str],
        modules: Collection[int],
        event_at: datetime,
        strategy: Strategy = "prior",
        welcome: Sequence[str] = (),
        snapshot_at: datetime | None = None,
    ) -> ConstantSet:
        """All these calibrations of all these modules, and of *welcome* what is there.

        Raises ConstantMissing, ConstantUnreadable, CatalogueError.
        """
        wanted = (*calibrations, *welcome)
        versions = self.find(conditions, wanted, event_at, strategy, snapshot_at)
        found = [version for version in versions if version.module in modules]
        require(found, modules, calibrations, conditions, event_at)
        return self.load(found, conditions)

    def inject(
        self, module: int, calibration: str, data: NDArray[Any], conditions: Conditions, origin: Origin
    ) -> ConstantVersion:
        """Send a new constant, axes as `Constant.data`.

        Doing it again with the same content returns the same version. Raises AlreadyInjected, CatalogueError.
        """
        array = np.ascontiguousarray(data, dtype=dtype_of(calibration))
        digest = content_hash(array)
        begin_at = origin.begin_at.isoformat()
        fields = {
            "detector": self.detector,
            "karabo_da": f"{conditions.detector}{module:02d}",
            "calibration": calibration,
            "parameters": conditions.parameters(calibration),
            "begin_at": begin_at,
            "raw_data_location": origin.raw_data_location,
            "description": origin.description,
            "array": {
                "dtype": array.dtype.str,
                "shape": list(array.shape),
                "dims": list(stored_dims(calibration, array.ndim)),
                "sha256": digest,
            },
        }
        what = f"inject constant {calibration} of module {module}"
        sent = array.reshape(-1).view(np.uint8).data
        try:
            return self.remotes.ask(what, "inject", fields, _read_injected, data=sent)
        except RemoteRefused as error:
            if error.kind != "taken":
                raise
            # The same content: it was ours, and only its answer was lost.
            if error.details.get("sha256") == digest:
                return _version_there(error)
            raise AlreadyInjected(f"{calibration} of module {module}", begin_at) from error

    def path_of(self, version: ConstantVersion) -> Path:
        """A version's file. Raises ConstantUnreadable when it lies outside the store, or there is no store."""
        if self.store is None:
            raise ConstantUnreadable(Path(version.file), "needs the store's folder, and none was given")
        return path_in_store(self.store, version)

    def _search(
        self,
        parameters_of: ParametersOf,
        event_at: datetime,
        strategy: Strategy,
        snapshot_at: datetime | None,
    ) -> list[ConstantVersion]:
        found: list[ConstantVersion] = []
        for wanted, together in asked_together(parameters_of):
            fields = {
                "detector": self.detector,
                "calibrations": together,
                "parameters": wanted,
                "event_at": event_at.isoformat(),
                "snapshot_at": "" if snapshot_at is None else snapshot_at.isoformat(),
                "strategy": strategy,
            }
            accept = partial(_read_found, parameters=wanted, calibrations=together)
            found += self.remotes.ask(f"find constants {', '.join(together)}", "search", fields, accept)
        return found

    def _load_one(self, version: ConstantVersion, conditions: Conditions) -> Constant:
        largest = int(np.prod(conditions.shape_of(version.calibration))) * LARGEST_ITEM
        if self.store is None or largest <= self._carried_bytes:
            try:
                return Constant(version, self._carried(version, conditions))
            except RemoteRefused as error:
                if error.kind != "too_large" or self.store is None:
                    raise self._unreadable(version, error) from None
        try:
            return Constant(version, self._read_myself(version, conditions))
        except RemoteRefused as error:
            raise self._unreadable(version, error) from None

    def _carried(self, version: ConstantVersion, conditions: Conditions) -> NDArray[Any]:
        wanted = conditions.shape_of(version.calibration)

        def accept(answer: Answer) -> NDArray[Any]:
            told, _ = self._read_fetched(answer, version, conditions)
            return verify.array_of(version, told, answer.data, wanted)

        # The last axis may be longer than needed, and items of 8 bytes.
        most = int(np.prod(wanted[:3])) * verify.MOST_LAST_AXIS * LARGEST_ITEM
        return self._ask_for(version, accept, meta_only=False, most_bytes=most)

    def _read_myself(self, version: ConstantVersion, conditions: Conditions) -> NDArray[Any]:
        def accept(answer: Answer) -> tuple[Described, list[Condition]]:
            return self._read_fetched(answer, version, conditions)

        told, stored = self._ask_for(version, accept, meta_only=True)
        wanted = conditions.shape_of(version.calibration)
        return verify.read_file(self.path_of(version), version, told, stored, wanted)

    def _ask_for(
        self, version: ConstantVersion, accept: Callable[[Answer], T], *, meta_only: bool, most_bytes: int = 0
    ) -> T:
        fields = {"version_id": version.id, "meta_only": meta_only}
        what = f"find constant {version.calibration}"
        return self.remotes.ask(what, "fetch", fields, accept, most_bytes=most_bytes)

    def _read_fetched(
        self, answer: Answer, version: ConstantVersion, conditions: Conditions
    ) -> tuple[Described, list[Condition]]:
        content = answer.content
        got, stored = read_version(content.get("version")), read_conditions(content.get("conditions"))
        verify.check_version(got, version)
        verify.check_data_set(got)
        wanted = conditions.parameters(version.calibration)
        verify.check_conditions(got, stored, wanted, conditions.fallback(version.calibration))
        return read_described(content.get("array")), stored

    def _unreadable(
        self, version: ConstantVersion, error: RemoteRefused
    ) -> CatalogueError | ConstantUnreadable:
        if error.kind != "file":
            return error
        path = Path(version.file) if self.store is None else self.store / version.file
        return ConstantUnreadable(path, f"{error.remote} cannot read it: {error.message}")


def _version_there(error: RemoteRefused) -> ConstantVersion:
    try:
        return read_version(error.details.get("version"))
    except AnswerMalformed as doubt:
        raise CatalogueError(f"{error.remote}: {doubt}") from None


def _read_injected(answer: Answer) -> ConstantVersion:
    return read_version(answer.content.get("version"))


def _read_found(
    answer: Answer, parameters: Mapping[str, Parameter], calibrations: Collection[str]
) -> list[ConstantVersion]:
    entries = answer.content.get("versions")
    if not isinstance(entries, list):
        raise AnswerMalformed("sent no list of versions")
    found = []
    for entry in entries:
        content = entry if isinstance(entry, dict) else {}
        version = read_version(content.get("version"))
        verify.check_data_set(version)
        verify.check_conditions(version, read_conditions(content.get("conditions")), parameters)
        if version.calibration not in calibrations:
            raise AnswerMalformed(f"sent {version.calibration}, which was not asked for")
        found.append(version)
    return found
