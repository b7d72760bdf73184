"""The constants catalogue: what is in force when, and injecting what is new."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, Final

from pipeline.constants.conditions import Conditions, Parameter
from pipeline.constants.files import read_constant
from pipeline.constants.model import (
    Constant,
    ConstantSet,
    ConstantVersion,
    Strategy,
    require,
)
from pipeline.constants.rest import CatalogueRest
from pipeline.errors import CatalogueError, ConstantUnreadable

READERS: Final = 2
"""Threads that read files; reading waits for the disk and the checksum, both without the GIL."""


class Catalogue:
    """One detector's constants in a catalogue and its store.

    rest      how to ask the catalogue
    store     the store's root folder, as this machine sees it
    detector  identifier, e.g. `SPB_DET_AGIPD1M-1`
    """

    def __init__(self, rest: CatalogueRest, store: Path, detector: str) -> None:
        self.rest, self.store, self.detector = rest, store, detector
        self._calibrations: dict[str, int] = {}
        self._units: dict[int, dict[str, Any]] = {}

    def units(self) -> Mapping[int, Mapping[str, Any]]:
        """The detector's physical units by module number, as the catalogue tells them; asked once."""
        if not self._units:
            found = self.rest.get("detectors", identifier=self.detector)
            if not found:
                raise CatalogueError(f"the catalogue knows no detector {self.detector}; check its name")
            detector_id = found[0]["id"]
            listed = self.rest.find("physical_detector_units/get_all_by_detector", detector_id=detector_id)
            self._units = {_module_number(unit): unit for unit in listed or ()}
        return self._units

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
    ) -> list[ConstantVersion]:
        """The versions in force at a time: at most one for each module and calibration.

        Calibrations with the same parameters are asked for together. What is not found for a module under the stated
        conditions is asked for once more under those that it falls back to. Raises CatalogueError.
        """
        found = self._ask({name: conditions.parameters(name) for name in calibrations}, event_at, strategy)
        second = {name: other for name in calibrations if (other := conditions.fallback(name)) is not None}
        there = {(version.module, version.calibration) for version in found}
        for version in self._ask(second, event_at, strategy):
            if (version.module, version.calibration) not in there:
                found.append(version)
        return found

    def _ask(
        self, parameters_of: Mapping[str, Mapping[str, Parameter]], event_at: datetime, strategy: Strategy
    ) -> list[ConstantVersion]:
        groups: dict[tuple[tuple[str, Parameter], ...], list[str]] = defaultdict(list)
        for calibration, parameters in parameters_of.items():
            groups[tuple(parameters.items())].append(calibration)
        found: list[ConstantVersion] = []
        for wanted, together in groups.items():
            names = {self.calibration_id(name): name for name in together}
            answers = self.rest.get(
                "calibration_constant_versions/get_by_detector_conditions",
                body={"parameters_conditions_attributes": parameter_list(dict(wanted))},
                detector_identifier=self.detector,
                calibration_id=list(names),
                karabo_da="",
                event_at=event_at.isoformat(),
                pdu_snapshot_at=event_at.isoformat(),
                begin_at_strategy=strategy,
            )
            found += [version_of(answer, names) for answer in answers]
        return found

    def load(self, versions: Iterable[ConstantVersion], conditions: Conditions) -> ConstantSet:
        """Read versions from the store. Raises ConstantUnreadable."""
        read = partial(self._load_one, conditions=conditions)
        with ThreadPoolExecutor(READERS, "constants") as readers:
            return ConstantSet(readers.map(read, versions))

    def _load_one(self, version: ConstantVersion, conditions: Conditions) -> Constant:
        path = self.path_of(version)
        return Constant(
            version,
            read_constant(
                path, version.data_set, version.calibration, conditions.shape_of(version.calibration)
            ).data,
        )

    def path_of(self, version: ConstantVersion) -> Path:
        """A version's file. Raises ConstantUnreadable when the catalogue points outside the store."""
        path = (self.store / version.file).resolve()
        if not path.is_relative_to(self.store.resolve()):
            raise ConstantUnreadable(
                path, f"lies outside the store {self.store}; the catalogue's entry is wrong"
            )
        return path

    def fetch(
        self,
        conditions: Conditions,
        calibrations: Sequence[str],
        modules: Collection[int],
        event_at: datetime,
        strategy: Strategy = "prior",
        welcome: Sequence[str] = (),
    ) -> ConstantSet:
        """All these calibrations of all these modules, and of *welcome* what is there.

        Raises ConstantMissing, ConstantUnreadable, CatalogueError.
        """
        wanted = (*calibrations, *welcome)
        found = [v for v in self.find(conditions, wanted, event_at, strategy) if v.module in modules]
        require(found, modules, calibrations, conditions, event_at)
        return self.load(found, conditions)


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
