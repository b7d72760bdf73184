"""The constants catalogue: what is in force when, and injecting what is new."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pipeline.constants.cache import ConstantsCache
from pipeline.constants.conditions import Conditions, Parameter
from pipeline.constants.explain import missing_with_reason
from pipeline.constants.files import read_constant
from pipeline.constants.judging import Question
from pipeline.constants.kept import KeptAnswers
from pipeline.constants.lookup import ParametersOf, asked_together, find_or_fall_back, path_in_store
from pipeline.constants.model import (
    Constant,
    ConstantSet,
    ConstantVersion,
    Strategy,
    require,
)
from pipeline.constants.rest import Asking
from pipeline.constants.selection import may_begin
from pipeline.errors import CatalogueError, ConstantMissing, ConstantUnreadable

READERS: Final = 2
"""Threads that read files; reading waits for the disk and the checksum, both without the GIL."""


class Catalogue:
    """One detector's constants in a catalogue and its store.

    rest      how to ask the catalogue
    store     the store's root folder, as this machine sees it
    detector  identifier, e.g. `SPB_DET_AGIPD1M-1`
    cache     where copies of the files are kept that were read; None: nowhere
    """

    def __init__(self, rest: Asking, store: Path, detector: str, cache: ConstantsCache | None = None) -> None:
        self.rest, self.store, self.detector, self.cache = rest, store, detector, cache
        self.remarks: list[str] = []
        """Sentences about what did not go as it should, e.g. that answers came from the cache."""
        self._calibrations: dict[str, int] = {}
        self._units: dict[int, dict[str, Any]] = {}

    @property
    def kept_since(self) -> datetime | None:
        """When the oldest answer was given that had to come from the cache; None when none had to."""
        return self.rest.oldest if isinstance(self.rest, KeptAnswers) else None

    def units(self) -> Mapping[int, Mapping[str, Any]]:
        """The detector's physical units by module number, as the catalogue tells them; asked once."""
        if not self._units:
            self._units = self._units_at({})
        return self._units

    def units_at(self, moment: datetime) -> Mapping[int, Mapping[str, Any]]:
        """The same as they were in their places at a moment."""
        return self._units_at({"pdu_snapshot_at": moment.astimezone(UTC).isoformat()})

    def _units_at(self, query: Mapping[str, str]) -> dict[int, dict[str, Any]]:
        found = self.rest.get("detectors", identifier=self.detector)
        if not found:
            raise CatalogueError(f"the catalogue knows no detector {self.detector}; check its name")
        path = "physical_detector_units/get_all_by_detector"
        listed = self.rest.find(path, detector_id=found[0]["id"], **query)
        return {_module_number(unit): unit for unit in listed or ()}

    def calibration_id(self, name: str) -> int:
        """Id of a calibration; asked once."""
        if name not in self._calibrations:
            found = self.rest.get("calibrations", name=name)
            if not found:
                raise CatalogueError(f"the catalogue knows no calibration {name}")
            self._calibrations[name] = int(found[0]["id"])
        return self._calibrations[name]

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

        Calibrations with the same parameters are asked for together. What is not found for a module under the stated
        conditions is asked for once more under those that it falls back to. Raises CatalogueError.
        """
        ask = partial(self._ask, event_at=event_at, strategy=strategy, snapshot_at=snapshot_at)
        return find_or_fall_back(ask, conditions, calibrations)

    def _ask(
        self,
        parameters_of: ParametersOf,
        event_at: datetime,
        strategy: Strategy,
        snapshot_at: datetime | None,
    ) -> list[ConstantVersion]:
        # One zone, so that the same moment is the same question wherever it comes from.
        event = event_at.astimezone(UTC).isoformat()
        snapshot = {} if snapshot_at is None else {"snapshot_at": snapshot_at.astimezone(UTC).isoformat()}
        found: list[ConstantVersion] = []
        for wanted, together in asked_together(parameters_of):
            names = {self.calibration_id(name): name for name in together}
            answers = self.rest.get(
                "calibration_constant_versions/get_by_detector_conditions",
                body={"parameters_conditions_attributes": parameter_list(wanted)},
                detector_identifier=self.detector,
                calibration_id=list(names),
                karabo_da="",
                event_at=event,
                pdu_snapshot_at=event,
                # The catalogue knows no exact: a version that begins at the event is the closest one.
                begin_at_strategy="closest" if strategy == "exact" else strategy,
                **snapshot,
            )
            found += [version_of(answer, names) for answer in answers]
        if snapshot_at is not None and (late := [v for v in found if v.created_at > snapshot_at]):
            raise CatalogueError(
                f"{self.rest.url} answered {late[0].calibration} of {late[0].pdu} that was registered at "
                f"{late[0].created_at.isoformat()}, after the snapshot; it knows no snapshots, so ask without"
            )
        return [version for version in found if may_begin(version.begin_at, event_at, strategy)]

    def load(self, versions: Iterable[ConstantVersion], conditions: Conditions) -> ConstantSet:
        """Read versions from the store, or from the cache what the store has not any more.

        Raises ConstantUnreadable.
        """
        read = partial(self._load_one, conditions=conditions)
        with ThreadPoolExecutor(READERS, "constants") as readers:
            return ConstantSet(readers.map(read, versions))

    def _load_one(self, version: ConstantVersion, conditions: Conditions) -> Constant:
        _check_names(version)
        path = self.path_of(version)
        read = partial(
            read_constant,
            data_set=version.data_set,
            calibration=version.calibration,
            wanted=conditions.shape_of(version.calibration),
        )
        if self.cache is None:
            return Constant(version, read(path).data)
        question = {"store": str(self.store), "file": str(version.file)}
        if _is_gone(path):
            with self.cache.file(question) as kept:
                if kept is not None:
                    self.remarks.append(f"{path} is not there: the copy in the cache is used")
                    return Constant(version, read(kept).data)
        constant = Constant(version, read(path).data)
        self.cache.keep_file(question, path)
        return constant

    def path_of(self, version: ConstantVersion) -> Path:
        """A version's file. Raises ConstantUnreadable when the catalogue points outside the store."""
        return path_in_store(self.store, version)

    def select(
        self,
        conditions: Conditions,
        calibrations: Sequence[str],
        modules: Collection[int],
        event_at: datetime,
        strategy: Strategy = "prior",
        welcome: Sequence[str] = (),
        snapshot_at: datetime | None = None,
    ) -> list[ConstantVersion]:
        """The versions of all these calibrations of all these modules, and of *welcome* what is there.

        Raises ConstantMissing, which says what is there instead, and CatalogueError.
        """
        wanted = (*calibrations, *welcome)
        versions = self.find(conditions, wanted, event_at, strategy, snapshot_at)
        found = [version for version in versions if version.module in modules]
        try:
            require(found, modules, calibrations, conditions, event_at)
        except ConstantMissing as error:
            question = Question(conditions, event_at, strategy, snapshot_at)
            raise missing_with_reason(self, error, question) from None
        return found

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
        """The same, with their data. Raises also ConstantUnreadable."""
        found = self.select(conditions, calibrations, modules, event_at, strategy, welcome, snapshot_at)
        return self.load(found, conditions)


def _is_gone(path: Path) -> bool:
    """Whether a file is not there, or the store that it was in cannot be reached."""
    try:
        path.stat()
    except OSError:
        return True
    return False


def _check_names(version: ConstantVersion) -> None:
    """A version's dataset is named for its unit and calibration. Raises ConstantUnreadable."""
    names = [name.casefold() for name in version.data_set.strip("/").split("/")[:2]]
    if names != [version.pdu.casefold(), version.calibration.casefold()]:
        raise ConstantUnreadable(
            Path(version.file),
            f"the catalogue names {version.data_set} for {version.calibration} of {version.pdu}, which is another "
            f"unit's or calibration's; disable version {version.id} in the catalogue, or correct its entry",
        )


def parameter_list(parameters: Mapping[str, Parameter]) -> list[dict[str, Any]]:
    """Parameters as the catalogue's bodies list them."""
    return [{"parameter_name": name, "value": value} for name, value in parameters.items()]


def version_of(answer: Mapping[str, Any], calibrations: Mapping[int, str]) -> ConstantVersion:
    """A version from the catalogue's JSON object; *calibrations* names the ids. Raises CatalogueError."""
    try:
        unit = answer["physical_detector_unit"]
        return ConstantVersion(
            id=int(answer["id"]),
            calibration=calibrations[answer["calibration_constant"]["calibration_id"]],
            module=_module_number(unit),
            pdu=str(unit["physical_name"]),
            karabo_da=str(unit["karabo_da"]),
            begin_at=datetime.fromisoformat(answer["begin_at"]),
            created_at=datetime.fromisoformat(answer["created_at"]),
            file=PurePosixPath(answer["path_to_file"]) / answer["file_name"],
            data_set=str(answer["data_set_name"]),
            raw_data_location=answer.get("raw_data_location") or "",
            constant_id=int(answer["calibration_constant"]["id"]),
            unit_id=int(unit["id"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CatalogueError(f"the catalogue answered with an incomplete version ({error!r})") from None


def _module_number(unit: Mapping[str, Any]) -> int:
    """A unit's module number; where the catalogue leaves it out, the number in its aggregator's name."""
    number = unit.get("module_number")
    if number is None:
        number = str(unit.get("karabo_da", ""))[-2:]
    try:
        return int(number)
    except ValueError:
        raise CatalogueError(
            f"the catalogue gives no module number for {unit.get('physical_name')}"
        ) from None
