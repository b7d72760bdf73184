"""Versions of constants: injected once, found by conditions and time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from sim.caldb.conditions import stored_parameters
from sim.caldb.fields import read_fields, render
from sim.caldb.matching import Given, Stored, Strategy, by_closeness, choose, possible
from sim.caldb.seeds import DETECTOR_UUID
from sim.caldb.store import all_rows, insert_row, row_by_id
from sim.caldb.tables import CONSTANTS, VERSIONS
from sim.caldb.times import version_name
from sim.caldb.units import PLACE, float_uuid, place_at, show_unit, unit_by_id


@dataclass(frozen=True, slots=True)
class Candidate:
    """A stored version that a lookup may return."""

    row: Mapping[str, Any]

    @property
    def id(self) -> int:
        """Grows with the order of injection."""
        return int(self.row["id"])

    @property
    def begin_at(self) -> int:
        """Milliseconds since 1970."""
        return int(self.row["begin_at"])


@dataclass(frozen=True, slots=True)
class Moment:
    """When a lookup asks for, and as the catalogue stood when; milliseconds since 1970."""

    event_at: int
    snapshot_at: int


def create_version(db: Connection, body: Mapping[str, Any], now_ms: int) -> dict[str, Any]:
    """Register a version. Raises Invalid; a second one with the same constant, unit and begin is refused."""
    values = read_fields(VERSIONS, body)
    if not values.get("name"):
        values["name"] = version_name(values["begin_at"], values.get("start_idx") or 0)
    if values.get("begin_validity_at") is None:
        values["begin_validity_at"] = values["begin_at"]
    return insert_row(db, VERSIONS, values, now_ms)


def candidates(
    db: Connection, constant_ids: Sequence[int], pdu_ids: Sequence[int], moment: Moment
) -> list[Candidate]:
    """Versions of any of these constants and units that a lookup may return.

    That is: deployed, of good quality, registered when the snapshot was taken, and not ended before the event.
    """
    query = select(VERSIONS).where(
        VERSIONS.c.calibration_constant_id.in_(constant_ids),
        VERSIONS.c.physical_detector_unit_id.in_(pdu_ids),
        VERSIONS.c.flg_deployed,
        VERSIONS.c.flg_good_quality,
        VERSIONS.c.created_at <= moment.snapshot_at,
        VERSIONS.c.end_validity_at.is_(None) | (VERSIONS.c.end_validity_at >= moment.event_at),
    )
    return [Candidate(row) for row in all_rows(db, query)]


def by_detector_conditions(
    db: Connection,
    units: Sequence[Mapping[str, Any]],
    calibration_ids: Sequence[int],
    request: Mapping[int, Given],
    moment: Moment,
    strategy: Strategy,
) -> list[dict[str, Any]]:
    """At most one version for each unit and calibration, under conditions that allow the request."""
    constants = _constants_for(db, units, calibration_ids, request)
    pairs: dict[tuple[int, int], list[Candidate]] = defaultdict(list)
    for unit_id, of_unit in constants.items():
        for candidate in candidates(db, list(of_unit), [unit_id], moment):
            calibration_id = of_unit[candidate.row["calibration_constant_id"]]
            pairs[unit_id, calibration_id].append(candidate)
    chosen = [choose(versions, moment.event_at, strategy) for _, versions in sorted(pairs.items())]
    return [dict(candidate.row) for candidate in chosen if candidate is not None]


def _constants_for(
    db: Connection,
    units: Sequence[Mapping[str, Any]],
    calibration_ids: Sequence[int],
    request: Mapping[int, Given],
) -> dict[int, dict[int, int]]:
    """For each unit, the constants that it may use with their calibrations.

    A condition that holds the parameter Detector UUID belongs to the one unit with that UUID; the rest of it must
    fit the request.
    """
    rows = all_rows(
        db,
        select(CONSTANTS).where(CONSTANTS.c.calibration_id.in_(calibration_ids), CONSTANTS.c.flg_available),
    )
    stored = stored_parameters(db)
    fitting = {row["id"]: row for row in rows if _fits(stored.get(row["condition_id"]), request)}
    owners = {row_id: _owner(stored[row["condition_id"]]) for row_id, row in fitting.items()}
    return {
        unit["id"]: {
            row_id: row["calibration_id"]
            for row_id, row in fitting.items()
            if row["detector_type_id"] == unit["detector_type_id"]
            and owners[row_id] in (None, float_uuid(unit["uuid"]))
        }
        for unit in units
    }


def _fits(stored: Sequence[Stored] | None, request: Mapping[int, Given]) -> bool:
    if stored is None:
        return False
    if DETECTOR_UUID in request:
        return possible(stored, request)
    return possible([s for s in stored if s.parameter_id != DETECTOR_UUID], request)


def _owner(stored: Sequence[Stored]) -> float | None:
    return next((s.value for s in stored if s.parameter_id == DETECTOR_UUID), None)


def closest(found: Sequence[Candidate], moment: Moment) -> list[dict[str, Any]]:
    """Candidates by closeness of their begin to the event."""
    return [dict(candidate.row) for candidate in by_closeness(found, moment.event_at)]


def show_version(db: Connection, base_url: str, now_ms: int) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """How to show a version: with its constant, and with its unit, its place now and when the data begin."""

    def show(row: Mapping[str, Any]) -> dict[str, Any]:
        unit = unit_by_id(db, row["physical_detector_unit_id"], now_ms)
        then = place_at(db, unit["id"], row["begin_at"])
        constant = row_by_id(db, CONSTANTS, row["calibration_constant_id"])
        shown = render(VERSIONS, row)
        del shown["calibration_constant_id"], shown["physical_detector_unit_id"]
        return {
            **shown,
            "view_url": f"{base_url}/calibration_constant_versions/{row['id']}",
            "calibration_constant": render(CONSTANTS, constant),
            "physical_detector_unit": {
                **show_unit(unit),
                **{f"{field}_at_ccv_begin_at": then[field] for field in PLACE},
            },
        }

    return show
