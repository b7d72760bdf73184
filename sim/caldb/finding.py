"""Conditions and versions found in SQL, by indices: the rules of `matching`, asked of the database.

A lookup costs seeks: for each constant and unit two (the latest version that had begun, and the next one), for each
condition that comes into question one for each of its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select, and_, exists, func, select

from sim.caldb.matching import Given, fingerprint, parameter_set
from sim.caldb.seeds import DETECTOR_UUID
from sim.caldb.tables import CONDITIONS, CONSTANTS, IN_USE, PARAMETERS_CONDITIONS, PDUS, VERSIONS

OWNER: Final = PARAMETERS_CONDITIONS.alias("owner_parameter")


@dataclass(frozen=True, slots=True)
class Moment:
    """When a lookup asks for, and as the catalogue stood when; milliseconds since 1970."""

    event_at: int
    snapshot_at: int


def expected_conditions(request: Mapping[int, Given]) -> Select[Any]:
    """Available conditions with exactly these values and deviations."""
    return select(CONDITIONS).where(
        CONDITIONS.c.fingerprint == fingerprint(request.values()), CONDITIONS.c.flg_available
    )


def possible_conditions(request: Mapping[int, Given]) -> Select[Any]:
    """Available conditions with the same parameters whose deviations allow these values."""
    return select(CONDITIONS).where(
        CONDITIONS.c.parameter_set == parameter_set(request), CONDITIONS.c.flg_available, _allowing(request)
    )


def _allowing(request: Mapping[int, Given]) -> ColumnElement[bool]:
    """Whether each of these parameters is one of the condition and is allowed there."""
    return and_(True, *(_allows(given) for given in request.values()))


def _allows(given: Given) -> ColumnElement[bool]:
    of_condition = PARAMETERS_CONDITIONS  # no alias: to make one takes as long as the whole question
    if given.text:
        # Not LIKE: it has signs of its own, and SQLite's does not tell cases apart.
        fits = func.substr(of_condition.c.txt_value, 1, len(given.text)) == given.text
    elif given.text is not None:
        fits = of_condition.c.txt_value == ""
    else:
        fits = and_(
            of_condition.c.txt_value.is_(None),
            of_condition.c.lowest <= given.value,
            of_condition.c.highest >= given.value,
        )
    return exists().where(
        of_condition.c.condition_id == CONDITIONS.c.id,
        of_condition.c.parameter_id == given.parameter_id,
        fits,
    )


def fitting_constants(
    detector_type_ids: Sequence[int], calibration_ids: Sequence[int], request: Mapping[int, Given]
) -> Select[Any]:
    """Available constants under conditions that allow the request: id, calibration, detector type and *owner*.

    A condition that holds the parameter Detector UUID belongs to the one unit with that UUID, read as a double
    (*owner*, else NULL); the rest of it must fit the request.
    """
    sets = {parameter_set(request), parameter_set({*request, DETECTOR_UUID})}
    owner = OWNER
    return (
        select(
            CONSTANTS.c.id,
            CONSTANTS.c.calibration_id,
            CONSTANTS.c.detector_type_id,
            owner.c.value.label("owner"),
        )
        .join(CONDITIONS, CONDITIONS.c.id == CONSTANTS.c.condition_id)
        .outerjoin(
            owner, and_(owner.c.condition_id == CONDITIONS.c.id, owner.c.parameter_id == DETECTOR_UUID)
        )
        .where(
            CONSTANTS.c.detector_type_id.in_(detector_type_ids),
            CONSTANTS.c.calibration_id.in_(calibration_ids),
            CONSTANTS.c.flg_available,
            CONDITIONS.c.flg_available,
            CONDITIONS.c.parameter_set.in_(sets),
            _allowing(request),
        )
    )


def usable_versions(constant_ids: Sequence[int], pdu_ids: Sequence[int], moment: Moment) -> Select[Any]:
    """Versions of any of these constants and units that a lookup may return.

    That is: deployed, of good quality, registered when the snapshot was taken, and not ended before the event.
    """
    return select(VERSIONS).where(
        VERSIONS.c.calibration_constant_id.in_(constant_ids),
        VERSIONS.c.physical_detector_unit_id.in_(pdu_ids),
        _usable(moment),
    )


def neighbours(constant_ids: Sequence[int], pdu_ids: Sequence[int], moment: Moment) -> Select[Any]:
    """For each constant and unit the latest usable version that had begun, and the first that had not.

    Columns constant_id, pdu_id, prior, later: ids of versions, or NULL.
    """
    begun = VERSIONS.c.begin_at <= moment.event_at
    return select(
        CONSTANTS.c.id.label("constant_id"),
        PDUS.c.id.label("pdu_id"),
        _first(begun, VERSIONS.c.begin_at.desc(), moment).label("prior"),
        _first(~begun, VERSIONS.c.begin_at.asc(), moment).label("later"),
    ).where(
        CONSTANTS.c.id.in_(constant_ids),
        PDUS.c.id.in_(pdu_ids),
        CONSTANTS.c.detector_type_id == PDUS.c.detector_type_id,
    )


def _first(where: ColumnElement[bool], order: ColumnElement[Any], moment: Moment) -> ScalarSelect[Any]:
    return (
        select(VERSIONS.c.id)
        .where(
            VERSIONS.c.calibration_constant_id == CONSTANTS.c.id,
            VERSIONS.c.physical_detector_unit_id == PDUS.c.id,
            where,
            _usable(moment),
        )
        .order_by(order)
        .limit(1)
        .correlate(CONSTANTS, PDUS)
        .scalar_subquery()
    )


def _usable(moment: Moment) -> ColumnElement[bool]:
    ends = VERSIONS.c.end_validity_at
    return and_(
        IN_USE, VERSIONS.c.created_at <= moment.snapshot_at, ends.is_(None) | (ends >= moment.event_at)
    )


def versions_by_id(db: Connection, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Versions by their ids."""
    rows = db.execute(select(VERSIONS).where(VERSIONS.c.id.in_(ids))).mappings()
    return {row["id"]: dict(row) for row in rows}
