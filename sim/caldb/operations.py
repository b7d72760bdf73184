"""Every operation of the catalogue below `/api`: what it takes, who answers it, what it answers."""

from __future__ import annotations

from typing import Final

from sim.caldb import routes
from sim.caldb.calls import Operation, Query
from sim.caldb.resources import RESOURCES

_UNITS: Final = "/physical_detector_units"
_VERSIONS: Final = "/calibration_constant_versions"
_CALIBRATION: Final = "/calibrations/{id:row_id}"
_CONSTANT: Final = "/calibration_constants/{id:row_id}"

_TIMES: Final = (Query("event_at", "time"), Query("snapshot_at", "time"))
_OF_UNIT: Final = (Query("physical_detector_unit_id", "integer", required=True), *_TIMES)
_IDS: Final = (Query("calibration_constant_ids", "ids"),)
_OF_DETECTOR: Final = (Query("detector_id", "integer", required=True), Query("karabo_da", "text"), *_TIMES)
_CALIBRATION_ID: Final = Query("calibration_id", "text")
"""Clients send it although it stands in the path; it is not read."""
_DETECTOR_TYPE: Final = Query("detector_type_id", "integer", required=True)

_DETECTORS: Final = [
    Operation("GET", "/me", routes.me, "user"),
    Operation(
        "GET",
        "/detectors/get_all_by_instrument",
        routes.detectors_of_instrument,
        "detector",
        many=True,
        query=(Query("instrument_id", "integer", required=True),),
    ),
    Operation(
        "GET",
        _UNITS,
        routes.list_units,
        "physical_detector_unit",
        many=True,
        query=(Query("physical_name", "text"), Query("detector_id", "integer"), Query("karabo_da", "text")),
        paged=True,
    ),
    Operation(
        "POST",
        _UNITS,
        routes.add_unit,
        "physical_detector_unit",
        body="new_physical_detector_unit",
        statuses=(201,),
    ),
    Operation(
        "GET",
        f"{_UNITS}/get_all_by_detector",
        routes.units_by_detector,
        "unit_of_detector",
        many=True,
        query=(Query("detector_id", "integer", required=True), Query("pdu_snapshot_at", "time")),
        missing=True,
    ),
    Operation("GET", f"{_UNITS}/{{id:row_id}}", routes.read_unit, "physical_detector_unit"),
    Operation(
        "PUT",
        f"{_UNITS}/{{id:row_id}}",
        routes.update_unit,
        "physical_detector_unit",
        body="changed_physical_detector_unit",
    ),
    Operation("DELETE", f"{_UNITS}/{{id:row_id}}", routes.delete_unit, None, statuses=(204,)),
]

_CONDITIONS: Final = [
    Operation(
        "GET",
        "/conditions/get_possible_conditions",
        routes.possible_conditions,
        "condition",
        many=True,
        body="wanted_condition",
        missing=True,
    ),
    Operation(
        "GET",
        "/conditions/get_expected_condition",
        routes.expected_condition,
        "condition",
        body="wanted_condition",
        missing=True,
    ),
    Operation(
        "POST",
        "/conditions/set_expected_condition",
        routes.set_expected_condition,
        "condition",
        body="new_condition",
        statuses=(200, 201),
    ),
    Operation("GET", "/conditions/{id:row_id}", routes.read_condition, "condition"),
]

_CONSTANTS: Final = [
    Operation(
        "GET",
        f"{_CALIBRATION}/get_calibration_constant",
        routes.constant_of_calibration,
        "calibration_constant",
        query=(_CALIBRATION_ID, _DETECTOR_TYPE, Query("condition_id", "integer", required=True)),
    ),
    Operation(
        "GET",
        f"{_CALIBRATION}/get_all_calibration_constants",
        routes.constants_of_calibration,
        "calibration_constant",
        many=True,
        query=(_CALIBRATION_ID, _DETECTOR_TYPE, Query("condition_ids", "ids")),
    ),
    Operation("GET", f"{_CONSTANT}/get_version", routes.exact_version, "version", query=_OF_UNIT),
    Operation(
        "GET",
        f"{_CONSTANT}/get_prior_in_time_version",
        routes.chosen_version("prior"),
        "version",
        query=(*_IDS, *_OF_UNIT),
    ),
    Operation(
        "GET",
        f"{_CONSTANT}/get_closest_version",
        routes.chosen_version("closest"),
        "version",
        query=(*_IDS, *_OF_UNIT),
    ),
    Operation(
        "GET",
        f"{_CONSTANT}/get_closest_version_by_detector",
        routes.closest_by_detector,
        "version",
        many=True,
        query=(*_IDS, *_OF_DETECTOR),
    ),
    Operation(
        "GET",
        f"{_CONSTANT}/get_all_versions",
        routes.all_versions,
        "version",
        many=True,
        query=(*_IDS, *_OF_UNIT),
    ),
]

_INJECTED: Final = [
    Operation(
        "GET",
        _VERSIONS,
        routes.list_versions,
        "version",
        many=True,
        query=(Query("name", "text"), Query("report_id", "integer"), Query("report.file_path", "text")),
        paged=True,
    ),
    Operation("POST", _VERSIONS, routes.add_version, "version", body="new_version", statuses=(201,)),
    Operation(
        "GET",
        f"{_VERSIONS}/get_by_detector_conditions",
        routes.versions_by_detector_conditions,
        "version",
        many=True,
        query=(
            Query("detector_identifier", "text", required=True),
            Query("calibration_id", "ids"),
            Query("karabo_da", "text"),
            *_TIMES,
            Query("pdu_snapshot_at", "time"),
            Query("begin_at_strategy", "strategy"),
            Query("begin_strategy_at", "strategy"),
        ),
        body="parameters",
        missing=True,
    ),
    Operation("GET", f"{_VERSIONS}/{{id:row_id}}", routes.read_version, "version"),
    Operation("PUT", f"{_VERSIONS}/{{id:row_id}}", routes.update_version, "version", body="changed_version"),
    Operation("POST", "/reports/set", routes.set_report, "report", body="new_report", statuses=(200, 201)),
    Operation("GET", "/reports/{id:row_id}", routes.read_report, "report_with_versions"),
]

OPERATIONS: Final[list[Operation]] = [
    *_DETECTORS,
    *_CONDITIONS,
    *_CONSTANTS,
    *_INJECTED,
    *(operation for resource in RESOURCES for operation in resource.operations()),
]
"""The first that fits a request answers it."""
