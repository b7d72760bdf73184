"""The catalogue's own questions: units, conditions, constants, versions, reports."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from sim.caldb.calls import Answer, Call, Handler, paged
from sim.caldb.conditions import create_condition, find_expected, find_possible, read_request, show_condition
from sim.caldb.fields import Invalid, NotFound, read_value, render
from sim.caldb.matching import Strategy
from sim.caldb.paths import check_paths
from sim.caldb.resources import show_detector, show_report
from sim.caldb.store import all_rows, change, create, page_of, row_by_id
from sim.caldb.tables import CONDITIONS, CONSTANTS, DETECTORS, DETECTORS_INSTRUMENTS, PDUS, REPORTS, VERSIONS
from sim.caldb.units import (
    change_unit,
    create_unit,
    remove_unit,
    show_unit,
    show_unit_of_detector,
    unit_by_id,
    units_of_detector,
)
from sim.caldb.users import user_of
from sim.caldb.versions import (
    Moment,
    by_detector_conditions,
    candidates,
    choose_version,
    closest,
    create_version,
    show_version,
)


def me(call: Call) -> Answer:
    """The user that the request names by its e-mail address."""
    return Answer(user_of(call.user_email))


def detectors_of_instrument(call: Call) -> Answer:
    """All detectors of an instrument."""
    links = select(DETECTORS_INSTRUMENTS.c.detector_id).where(
        DETECTORS_INSTRUMENTS.c.instrument_id == call.needed("integer", "instrument_id")
    )
    rows = all_rows(call.db, select(DETECTORS).where(DETECTORS.c.id.in_(links)).order_by(DETECTORS.c.id))
    return Answer([show_detector(call.db, row) for row in rows])


def list_units(call: Call) -> Answer:
    """Units by name, or by detector and aggregator as they sit now."""
    detector_id = call.value("integer", "detector_id")
    page, size = call.paging()
    if detector_id is None:
        name = call.value("text", "physical_name")
        where = [PDUS.c.physical_name == name] if name else []
        rows, total = page_of(call.db, PDUS, where, page, size)
        return paged([show_unit(unit_by_id(call.db, r["id"], call.now_ms)) for r in rows], total, page, size)
    units = units_of_detector(call.db, detector_id, call.now_ms)
    karabo_da = call.value("text", "karabo_da")
    units = [unit for unit in units if not karabo_da or unit["karabo_da"] == karabo_da]
    on_page = units[(page - 1) * size : page * size]
    return paged([show_unit(unit) for unit in on_page], len(units), page, size)


def units_by_detector(call: Call) -> Answer:
    """The units that sit, or sat at a time, in a detector. 404 when there are none."""
    units = units_of_detector(call.db, call.needed("integer", "detector_id"), call.time("pdu_snapshot_at"))
    if not units:
        raise NotFound
    return Answer([show_unit_of_detector(call.db, unit) for unit in units])


def read_unit(call: Call) -> Answer:
    """One unit."""
    return Answer(show_unit(unit_by_id(call.db, call.path["id"], call.now_ms)))


def add_unit(call: Call) -> Answer:
    """A new unit in its place."""
    return Answer(show_unit(create_unit(call.db, call.object("physical_detector_unit"), call.now_ms)), 201)


def update_unit(call: Call) -> Answer:
    """Change or move a unit."""
    fields = call.object("physical_detector_unit")
    return Answer(show_unit(change_unit(call.db, call.path["id"], fields, call.now_ms)))


def _condition_event(call: Call) -> int:
    event_at = call.object("condition").get("event_at")
    try:
        at = read_value("time", event_at)
    except ValueError as error:
        raise Invalid({"event_at": [str(error)]}) from None
    return call.now_ms if at is None else int(at)


def possible_conditions(call: Call) -> Answer:
    """Conditions whose deviations allow the values, by closeness of their creation. 404 when there are none."""
    request = read_request(call.db, call.object("condition"))
    rows = find_possible(call.db, request, _condition_event(call))
    if not rows:
        raise NotFound
    return Answer([show_condition(call.db, row) for row in rows])


def expected_condition(call: Call) -> Answer:
    """The condition with exactly these values and deviations, or 404."""
    request = read_request(call.db, call.object("condition"))
    rows = find_expected(call.db, request, _condition_event(call))
    if not rows:
        raise NotFound
    return Answer(show_condition(call.db, rows[0]))


def set_expected_condition(call: Call) -> Answer:
    """The same, but stored when it is new."""
    body = call.object("condition")
    request = read_request(call.db, body)
    rows = find_expected(call.db, request, _condition_event(call))
    if rows:
        return Answer(show_condition(call.db, rows[0]))
    return Answer(show_condition(call.db, create_condition(call.db, body, request, call.now_ms)), 201)


def read_condition(call: Call) -> Answer:
    """One condition with its parameters."""
    return Answer(show_condition(call.db, row_by_id(call.db, CONDITIONS, call.path["id"])))


def constant_of_calibration(call: Call) -> Answer:
    """The constant with this calibration, detector type and condition, or 404."""
    rows = _constants(call, [call.needed("integer", "condition_id")])
    if not rows:
        raise NotFound
    return Answer(render(CONSTANTS, rows[0]))


def constants_of_calibration(call: Call) -> Answer:
    """Constants of a calibration and detector type under any of these conditions, the newest first."""
    return Answer([render(CONSTANTS, row) for row in _constants(call, call.ids("condition_ids"))])


def _constants(call: Call, condition_ids: list[int]) -> list[dict[str, Any]]:
    query = select(CONSTANTS).where(
        CONSTANTS.c.calibration_id == call.path["id"],
        CONSTANTS.c.detector_type_id == call.needed("integer", "detector_type_id"),
        CONSTANTS.c.condition_id.in_(condition_ids),
    )
    return all_rows(call.db, query.order_by(CONSTANTS.c.created_at.desc(), CONSTANTS.c.id.desc()))


def _moment(call: Call) -> Moment:
    return Moment(call.time("event_at"), call.time("snapshot_at"))


def _asked(call: Call) -> tuple[list[int], list[int]]:
    """The constants and the unit that a lookup is about."""
    constant_ids = call.ids("calibration_constant_ids") or [call.path["id"]]
    return constant_ids, [call.needed("integer", "physical_detector_unit_id")]


def _one_version(call: Call, row: dict[str, Any] | None) -> Answer:
    if row is None:
        raise NotFound
    return Answer(show_version(call.db, call.base_url, call.now_ms)(row))


def exact_version(call: Call) -> Answer:
    """The version whose data begin exactly then, deployed or not, or 404."""
    query = select(VERSIONS).where(
        VERSIONS.c.calibration_constant_id == call.path["id"],
        VERSIONS.c.physical_detector_unit_id == call.needed("integer", "physical_detector_unit_id"),
        VERSIONS.c.begin_at == call.time("event_at"),
        VERSIONS.c.created_at <= call.time("snapshot_at"),
    )
    return _one_version(call, next(iter(all_rows(call.db, query)), None))


def chosen_version(strategy: Strategy) -> Handler:
    """One version of a constant and unit by a strategy, or 404."""

    def handler(call: Call) -> Answer:
        moment = _moment(call)
        return _one_version(call, choose_version(call.db, *_asked(call), moment, strategy))

    return handler


def closest_by_detector(call: Call) -> Answer:
    """The closest version for each unit of a detector, or of one aggregator. 404 when there is none."""
    moment = _moment(call)
    constant_ids = call.ids("calibration_constant_ids") or [call.path["id"]]
    units = units_of_detector(call.db, call.needed("integer", "detector_id"), moment.snapshot_at)
    karabo_da = call.value("text", "karabo_da")
    found = [
        choose_version(call.db, constant_ids, [unit["id"]], moment, "closest")
        for unit in units
        if karabo_da in (None, unit["karabo_da"])
    ]
    rows = [row for row in found if row is not None]
    if not rows:
        raise NotFound
    show = show_version(call.db, call.base_url, call.now_ms, rows)
    return Answer([show(row) for row in rows])


def all_versions(call: Call) -> Answer:
    """All versions of a constant and unit, by closeness of their begin."""
    moment = _moment(call)
    rows = closest(candidates(call.db, *_asked(call), moment), moment)
    show = show_version(call.db, call.base_url, call.now_ms, rows)
    return Answer([show(row) for row in rows])


def list_versions(call: Call) -> Answer:
    """All versions, or those of a report or name."""
    where = []
    if (name := call.value("text", "name")) is not None:
        where.append(VERSIONS.c.name == name)
    if (report_id := call.value("integer", "report_id")) is not None:
        where.append(VERSIONS.c.report_id == report_id)
    if (path := call.value("text", "report.file_path")) is not None:
        of_path = select(REPORTS.c.id).where(REPORTS.c.file_path == path)
        where.append(VERSIONS.c.report_id.in_(of_path))
    page, size = call.paging()
    rows, total = page_of(call.db, VERSIONS, where, page, size)
    show = show_version(call.db, call.base_url, call.now_ms, rows)
    return paged([show(row) for row in rows], total, page, size)


def read_version(call: Call) -> Answer:
    """One version."""
    return _one_version(call, row_by_id(call.db, VERSIONS, call.path["id"]))


def add_version(call: Call) -> Answer:
    """Register a version."""
    fields = call.object("calibration_constant_version")
    check_paths(fields)
    row = create_version(call.db, fields, call.now_ms)
    return Answer(show_version(call.db, call.base_url, call.now_ms)(row), 201)


def update_version(call: Call) -> Answer:
    """Change a version, for instance to disable a bad one."""
    fields = call.object("calibration_constant_version")
    before = row_by_id(call.db, VERSIONS, call.path["id"])
    check_paths({name: value for name, value in fields.items() if before.get(name) != value})
    return _one_version(call, change(call.db, VERSIONS, call.path["id"], fields, call.now_ms))


def versions_by_detector_conditions(call: Call) -> Answer:
    """For each unit of a detector and each calibration, the version that fits conditions and time."""
    identifier = call.needed("text", "detector_identifier")
    detector = select(DETECTORS.c.id).where(DETECTORS.c.identifier == identifier)
    detector_id = call.db.execute(detector).scalar()
    if detector_id is None:
        raise NotFound
    mapped_at = call.time("pdu_snapshot_at")
    units = units_of_detector(call.db, detector_id, mapped_at)
    karabo_da = call.value("text", "karabo_da")
    units = [unit for unit in units if not karabo_da or unit["karabo_da"] == karabo_da]
    rows = by_detector_conditions(
        call.db,
        units,
        call.ids("calibration_id"),
        read_request(call.db, call.body),
        _moment(call),
        _strategy(call),
    )
    # Clients go by the aggregators of the mapping's time.
    show = show_version(call.db, call.base_url, mapped_at, rows)
    return Answer([show(row) for row in rows])


def _strategy(call: Call) -> Strategy:
    name = call.query.get("begin_at_strategy") or call.query.get("begin_strategy_at") or "closest"
    if name == "closest":
        return "closest"
    if name == "prior":
        return "prior"
    raise Invalid({"begin_at_strategy": ["is neither closest nor prior"]})


def read_report(call: Call) -> Answer:
    """One report with its versions."""
    report = row_by_id(call.db, REPORTS, call.path["id"])
    of_report = select(VERSIONS).where(VERSIONS.c.report_id == report["id"])
    rows = all_rows(call.db, of_report.order_by(VERSIONS.c.id))
    show = show_version(call.db, call.base_url, call.now_ms, rows)
    return Answer({**show_report(call, report), "calibration_constant_versions": [show(row) for row in rows]})


def set_report(call: Call) -> Answer:
    """The report of a file path; it is added when it is new."""
    fields = call.object("report")
    path = fields.get("file_path")
    if isinstance(path, str):
        found = all_rows(call.db, select(REPORTS).where(REPORTS.c.file_path == path))
        if found:
            return Answer(show_report(call, found[0]))
    return Answer(show_report(call, create(call.db, REPORTS, fields, call.now_ms)), 201)


def delete_unit(call: Call) -> Answer:
    """Remove a unit that no version needs."""
    remove_unit(call.db, call.path["id"])
    return Answer(None, 204)
