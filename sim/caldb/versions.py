"""Versions of constants: injected once, found by conditions and time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, select

from sim.caldb.fields import read_fields, render
from sim.caldb.finding import Moment as Moment
from sim.caldb.finding import fitting_constants, neighbours, usable_versions, versions_by_id
from sim.caldb.matching import Given, Strategy, by_closeness, choose
from sim.caldb.store import all_rows, insert_row, row_by_id
from sim.caldb.tables import CONSTANTS, PDUS, VERSIONS
from sim.caldb.times import version_name
from sim.caldb.units import PLACE, float_uuid, mappings_of, placed, show_unit


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
    """Every version of any of these constants and units that a lookup may return."""
    return [Candidate(row) for row in all_rows(db, usable_versions(constant_ids, pdu_ids, moment))]


def choose_version(
    db: Connection,
    constant_ids: Sequence[int],
    pdu_ids: Sequence[int],
    moment: Moment,
    strategy: Strategy,
) -> dict[str, Any] | None:
    """The version of any of these constants and units that a strategy selects, or None."""
    found = _nearest(db, constant_ids, pdu_ids, moment)
    versions = [candidate for of_pair in found.values() for candidate in of_pair]
    chosen = choose(versions, moment.event_at, strategy)
    return None if chosen is None else dict(chosen.row)


def by_detector_conditions(
    db: Connection,
    units: Sequence[Mapping[str, Any]],
    calibration_ids: Sequence[int],
    request: Mapping[int, Given],
    moment: Moment,
    strategy: Strategy,
) -> list[dict[str, Any]]:
    """At most one version for each unit and calibration, under conditions that allow the request."""
    types = sorted({unit["detector_type_id"] for unit in units})
    constants = {row["id"]: row for row in all_rows(db, fitting_constants(types, calibration_ids, request))}
    owners = {unit["id"]: float_uuid(unit["uuid"]) for unit in units}
    asked: dict[tuple[int, int], list[Candidate]] = defaultdict(list)
    for (constant_id, unit_id), versions in _nearest(db, list(constants), list(owners), moment).items():
        constant = constants[constant_id]
        if constant["owner"] in (None, owners[unit_id]):
            asked[unit_id, constant["calibration_id"]] += versions
    chosen = [choose(versions, moment.event_at, strategy) for _, versions in sorted(asked.items())]
    return [dict(candidate.row) for candidate in chosen if candidate is not None]


def _nearest(
    db: Connection, constant_ids: Sequence[int], pdu_ids: Sequence[int], moment: Moment
) -> dict[tuple[int, int], list[Candidate]]:
    """By constant and unit, the versions next to the event: at most one before it and one after it."""
    pairs = all_rows(db, neighbours(constant_ids, pdu_ids, moment))
    rows = versions_by_id(db, [p[side] for p in pairs for side in ("prior", "later") if p[side] is not None])
    return {
        (pair["constant_id"], pair["pdu_id"]): [
            Candidate(rows[pair[side]]) for side in ("prior", "later") if pair[side] in rows
        ]
        for pair in pairs
    }


def closest(found: Sequence[Candidate], moment: Moment) -> list[dict[str, Any]]:
    """Candidates by closeness of their begin to the event."""
    return [dict(candidate.row) for candidate in by_closeness(found, moment.event_at)]


class _Belongings:
    """Units, their places and constants that versions refer to, each read once; those of *rows* in three questions."""

    def __init__(self, db: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        self._db = db
        pdu_ids = sorted({row["physical_detector_unit_id"] for row in rows})
        constant_ids = sorted({row["calibration_constant_id"] for row in rows})
        self._units = _by_id(db, PDUS, pdu_ids)
        self._constants = _by_id(db, CONSTANTS, constant_ids)
        self._mappings = mappings_of(db, pdu_ids) if pdu_ids else {}

    def unit(self, pdu_id: int) -> tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]:
        """A unit, and all its places. Raises NotFound."""
        if pdu_id not in self._units:
            self._units[pdu_id] = row_by_id(self._db, PDUS, pdu_id)
            self._mappings |= mappings_of(self._db, [pdu_id])
        return self._units[pdu_id], self._mappings.get(pdu_id, ())

    def constant(self, constant_id: int) -> dict[str, Any]:
        """A constant as a JSON object. Raises NotFound."""
        if constant_id not in self._constants:
            self._constants[constant_id] = row_by_id(self._db, CONSTANTS, constant_id)
        return render(CONSTANTS, self._constants[constant_id])


def _by_id(db: Connection, table: Table, ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    if not ids:
        return {}
    return {row["id"]: row for row in all_rows(db, select(table).where(table.c.id.in_(ids)))}


def show_version(
    db: Connection, base_url: str, now_ms: int, rows: Sequence[Mapping[str, Any]] = ()
) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """How to show a version: with its constant, and with its unit, its place now and when the data begin.

    rows  versions that will be shown: what they refer to is read at once. Others may be shown too
    """
    belongings = _Belongings(db, rows)

    def show(row: Mapping[str, Any]) -> dict[str, Any]:
        unit, mappings = belongings.unit(row["physical_detector_unit_id"])
        then = placed(mappings, row["begin_at"])
        shown = render(VERSIONS, row)
        del shown["calibration_constant_id"], shown["physical_detector_unit_id"]
        return {
            **shown,
            "view_url": f"{base_url}/calibration_constant_versions/{row['id']}",
            "calibration_constant": belongings.constant(row["calibration_constant_id"]),
            "physical_detector_unit": {
                **show_unit({**unit, **placed(mappings, now_ms)}),
                **{f"{field}_at_ccv_begin_at": then[field] for field in PLACE},
            },
        }

    return show
