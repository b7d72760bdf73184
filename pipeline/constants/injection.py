"""Injecting constants: the file first, then the catalogue's entry, so that no entry lacks its file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from numpy.typing import NDArray

from pipeline.constants.catalogue import Catalogue, parameter_list, version_of
from pipeline.constants.conditions import Conditions
from pipeline.constants.files import content_hash, read_constant, write_constant
from pipeline.constants.layout import stored_dims
from pipeline.constants.model import ConstantVersion, dtype_of
from pipeline.constants.rest import Refused
from pipeline.errors import AlreadyInjected, CatalogueError, ConstantUnreadable


@dataclass(frozen=True, slots=True)
class Origin:
    """Where new constants come from."""

    begin_at: datetime
    """Start of the data; versions with the same start and conditions are never overwritten. With time zone."""
    raw_data_location: str
    """In the catalogue's words: `proposal:900001 runs:1 2 3`."""
    report: tuple[str, str] | None = None
    """Name and path of a report about them."""
    description: str = ""


def inject(
    catalogue: Catalogue,
    module: int,
    constants: Mapping[str, NDArray[Any]],
    conditions: Conditions,
    origin: Origin,
) -> list[ConstantVersion]:
    """Put one module's constants into the store and the catalogue.

    constants  arrays by calibration, fast scan, slow scan, cell, and where there is one gain or threshold

    Doing it again with the same content changes nothing and returns the same versions, so an interrupted injection
    is simply repeated. Raises AlreadyInjected when the same begin and conditions hold other content, and
    ConstantUnreadable, CatalogueUnreachable, CatalogueError.
    """
    unit = catalogue.units().get(module)
    if unit is None:
        raise CatalogueError(f"the catalogue knows no module {module} of {catalogue.detector}")
    report_id = _report_id(catalogue, origin)
    return [
        _inject_one(catalogue, unit, calibration, data, conditions, origin, report_id)
        for calibration, data in constants.items()
    ]


def _inject_one(
    catalogue: Catalogue,
    unit: Mapping[str, Any],
    calibration: str,
    data: NDArray[Any],
    conditions: Conditions,
    origin: Origin,
    report_id: int | None,
) -> ConstantVersion:
    _check_shape(calibration, data, conditions)
    constant_id = _constant_id(catalogue, unit, calibration, conditions)
    pdu = str(unit["physical_name"])
    folder = f"xfel/cal/{_type_folder(unit)}/{pdu.lower()}/"
    data = data.astype(dtype_of(calibration), copy=False)
    digest = content_hash(data)
    name = _file_name(origin.begin_at, constant_id, digest)
    entry = {
        "file_name": name,
        "path_to_file": folder,
        "data_set_name": f"/{pdu}/{calibration}/0",
        "calibration_constant_id": constant_id,
        "physical_detector_unit_id": unit["id"],
        "flg_deployed": True,
        "flg_good_quality": True,
        "begin_at": origin.begin_at.isoformat(),
        "begin_validity_at": origin.begin_at.isoformat(),
        "end_validity_at": "",
        "start_idx": 0,
        "end_idx": 0,
        "raw_data_location": origin.raw_data_location,
        "description": origin.description,
        "report_id": report_id,
    }
    names = {catalogue.calibration_id(calibration): calibration}
    attributes = {
        **conditions.parameters(calibration),
        "begin_at": entry["begin_at"],
        "raw_data_location": origin.raw_data_location,
    }
    path = catalogue.store / folder / name
    write_constant(path, entry["data_set_name"], data, stored_dims(calibration, data.ndim), attributes)
    try:
        answer = catalogue.rest.post("calibration_constant_versions", {"calibration_constant_version": entry})
    except Refused as error:
        if not error.taken:
            raise
        version = _version_there(catalogue, constant_id, unit, origin.begin_at, names)
        if not _same_content(catalogue, version, digest, conditions):
            if catalogue.path_of(version) != path.resolve():
                path.unlink()
            raise AlreadyInjected(f"{calibration} of {pdu}", entry["begin_at"]) from None
        return version
    return version_of(answer, names)


def _check_shape(calibration: str, data: NDArray[Any], conditions: Conditions) -> None:
    wanted = conditions.shape_of(calibration)
    if data.ndim != len(wanted) or data.shape[:3] != wanted[:3] or data.shape[3:] < wanted[3:]:
        raise CatalogueError(
            f"{calibration} of shape {data.shape} cannot be injected; under these conditions it must be {wanted}"
        )


def _file_name(begin_at: datetime, constant_id: int, digest: str) -> str:
    """`cal.{epoch seconds with fraction}.h5`; the fraction tells versions apart that begin together.

    It comes from the content, so that a repeated injection writes the same file again and leaves no orphan.
    """
    key = hashlib.sha256(f"{constant_id} {digest}".encode()).digest()
    fraction = int.from_bytes(key[:8]) % 10_000_000_000
    return f"cal.{int(begin_at.timestamp())}.{fraction:010d}.h5"


def _type_folder(unit: Mapping[str, Any]) -> str:
    return str(unit["detector_type"]["name"]).lower()


def _constant_id(
    catalogue: Catalogue, unit: Mapping[str, Any], calibration: str, conditions: Conditions
) -> int:
    """Id of the constant with this calibration, type and condition; both are made when they are new."""
    rest = catalogue.rest
    parameters = conditions.parameters(calibration)
    key = hashlib.sha256(repr(sorted(parameters.items())).encode()).hexdigest()[:16]
    listed = [
        {**entry, "lower_deviation_value": 0.0, "upper_deviation_value": 0.0, "flg_available": True}
        for entry in parameter_list(parameters)
    ]
    wanted = {
        "name": f"{conditions.detector} {key}",
        "flg_available": True,
        "event_at": "",
        "parameters_conditions_attributes": listed,
        "description": str(conditions),
    }
    condition = rest.post("conditions/set_expected_condition", {"condition": wanted})
    calibration_id = catalogue.calibration_id(calibration)
    type_id = unit["detector_type_id"]
    lookup = f"calibrations/{calibration_id}/get_calibration_constant"
    query = {
        "calibration_id": calibration_id,
        "detector_type_id": type_id,
        "condition_id": condition["id"],
    }
    found = rest.find(lookup, **query)
    if found is None:
        name = f"{unit['detector_type']['name']}_{calibration}_{condition['name']}"[:60]
        new = {**query, "name": name, "flg_auto_approve": True, "flg_available": True, "description": ""}
        try:
            found = rest.post("calibration_constants", {"calibration_constant": new})
        except Refused as error:
            # Somebody else, or our own lost request, has made it in between.
            found = rest.find(lookup, **query) if error.taken else None
            if found is None:
                raise
    return int(found["id"])


def _report_id(catalogue: Catalogue, origin: Origin) -> int | None:
    if origin.report is None:
        return None
    name, path = origin.report
    report = {"name": name, "file_path": path, "flg_available": True, "description": ""}
    return int(catalogue.rest.post("reports/set", {"report": report})["id"])


def _version_there(
    catalogue: Catalogue,
    constant_id: int,
    unit: Mapping[str, Any],
    begin_at: datetime,
    names: Mapping[int, str],
) -> ConstantVersion:
    answer = catalogue.rest.get(
        f"calibration_constants/{constant_id}/get_version",
        physical_detector_unit_id=unit["id"],
        event_at=begin_at.astimezone(UTC).isoformat(),
        snapshot_at="",
    )
    return version_of(answer, names)


def _same_content(
    catalogue: Catalogue, version: ConstantVersion, digest: str, conditions: Conditions
) -> bool:
    """Whether a version's file holds the same data; a file that cannot be read does not."""
    try:
        stored = read_constant(
            catalogue.path_of(version),
            version.data_set,
            version.calibration,
            conditions.shape_of(version.calibration),
        )
    except ConstantUnreadable:
        return False
    return stored.sha256 == digest
