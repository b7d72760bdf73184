"""A lookup asked by names, as people do: detector, calibrations, conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, select

from sim.caldb.conditions import read_request
from sim.caldb.fields import Invalid, NotFound
from sim.caldb.finding import Moment
from sim.caldb.tables import CALIBRATIONS, DETECTORS
from sim.caldb.times import parse_time
from sim.caldb.units import units_of_detector
from sim.caldb.versions import by_detector_conditions, show_version


def find_versions(
    engine: Engine,
    detector: str,
    calibrations: Sequence[str],
    conditions: Mapping[str, str],
    event_at: str,
    strategy: str,
    now_ms: int,
) -> list[dict[str, Any]]:
    """For each unit and calibration the version that fits, shown as the REST interface does.

    event_at  ISO 8601, or empty: now
    Raises Invalid, and NotFound for a detector that is not there.
    """
    try:
        event_ms = parse_time(event_at) if event_at else now_ms
    except ValueError as error:
        raise Invalid({"event_at": [str(error)]}) from None
    listed = [{"parameter_name": name, "value": value} for name, value in conditions.items()]
    with engine.connect() as db:
        detector_id = db.execute(select(DETECTORS.c.id).where(DETECTORS.c.identifier == detector)).scalar()
        if detector_id is None:
            raise NotFound
        query = select(CALIBRATIONS.c.name, CALIBRATIONS.c.id).where(CALIBRATIONS.c.name.in_(calibrations))
        known = {row.name: int(row.id) for row in db.execute(query)}
        if missing := [name for name in calibrations if name not in known]:
            raise Invalid({"calibration": [f"{name} is not known" for name in missing]})
        rows = by_detector_conditions(
            db,
            units_of_detector(db, detector_id, event_ms),
            list(known.values()),
            read_request(db, {"parameters_conditions_attributes": listed}),
            Moment(event_ms, now_ms),
            "prior" if strategy == "prior" else "closest",
        )
        show = show_version(db, "", now_ms, rows)
        return [show(row) for row in rows]
