"""Operating conditions: stored once, found exactly or within their deviations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select, update

from sim.caldb.fields import BLANK, Invalid, read_value, render
from sim.caldb.finding import expected_conditions, possible_conditions
from sim.caldb.matching import Given, Stored, bounds, fingerprint, parameter_set
from sim.caldb.store import all_rows, insert_row
from sim.caldb.tables import CONDITIONS, MAX_NAME, PARAMETERS, PARAMETERS_CONDITIONS

MAX_PARAMETERS = 64
FIELD = "parameters_conditions_attributes"


def read_request(db: Connection, body: Mapping[str, Any]) -> dict[int, Given]:
    """The parameters of a request by parameter id; names are compared without case.

    *body* holds `parameters_conditions_attributes`, a list of objects with `parameter_name` or `parameter_id`, `value`
    and optional deviations, whose defaults are the parameter's own. Raises Invalid.
    """
    listed = body.get(FIELD)
    if not isinstance(listed, list):
        raise Invalid({FIELD: ["is not a list" if listed is not None else BLANK]})
    if len(listed) > MAX_PARAMETERS:
        raise Invalid({FIELD: [f"holds more than {MAX_PARAMETERS} parameters"]})
    known = all_rows(db, select(PARAMETERS))
    request: dict[int, Given] = {}
    for number, entry in enumerate(listed):
        try:
            given = _read_parameter(known, entry)
        except ValueError as error:
            raise Invalid({FIELD: [f"entry {number}: {error}"]}) from None
        if given.parameter_id in request:
            raise Invalid({FIELD: [f"entry {number}: this parameter stands twice"]})
        request[given.parameter_id] = given
    return request


def _read_parameter(known: Sequence[Mapping[str, Any]], entry: object) -> Given:
    if not isinstance(entry, dict):
        raise ValueError("is not an object")
    parameter = _find_parameter(known, entry)
    value = entry.get("value")
    if parameter["flg_text"]:
        text = entry.get("txt_value") or value
        return Given(parameter["id"], 0.0, read_value("text", text if text is not None else ""))
    number = read_value("number", value)
    if number is None:
        raise ValueError(f"value of {parameter['name']} {BLANK}")
    deviations = [read_value("number", entry.get(f"{side}_deviation_value")) for side in ("lower", "upper")]
    defaults = (parameter["def_lower_deviation_value"], parameter["def_upper_deviation_value"])
    lower, upper = (abs(d if g is None else g) for g, d in zip(deviations, defaults, strict=True))
    return Given(parameter["id"], number, None, lower, upper)


def _find_parameter(known: Sequence[Mapping[str, Any]], entry: Mapping[str, Any]) -> Mapping[str, Any]:
    if entry.get("parameter_id") is not None:
        wanted = read_value("integer", entry["parameter_id"])
        found = [p for p in known if p["id"] == wanted]
    else:
        wanted = read_value("text", entry.get("parameter_name") or "")
        found = [p for p in known if p["name"].lower() == wanted.lower()]
    if not found:
        raise ValueError(f"there is no parameter {str(wanted)[:MAX_NAME]!r}")
    return found[0]


def find_expected(db: Connection, request: Mapping[int, Given], event_at: int) -> list[dict[str, Any]]:
    """Conditions with exactly these values and deviations, the one created closest to a time first."""
    return _by_closeness(all_rows(db, expected_conditions(request)), event_at)


def find_possible(db: Connection, request: Mapping[int, Given], event_at: int) -> list[dict[str, Any]]:
    """Conditions whose deviations allow these values, the one created closest to a time first."""
    return _by_closeness(all_rows(db, possible_conditions(request)), event_at)


def _by_closeness(rows: list[dict[str, Any]], event_at: int) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (abs(row["created_at"] - event_at), row["id"]))


def create_condition(
    db: Connection, body: Mapping[str, Any], request: Mapping[int, Given], now_ms: int
) -> dict[str, Any]:
    """Store a condition. Raises Invalid when its name is taken, too long or missing."""
    try:
        description = read_value("text", body.get("description")) or ""
    except ValueError as error:
        raise Invalid({"description": [str(error)]}) from None
    values = {
        "name": _read_name(body),
        "num_parameters": len(request),
        "flg_available": True,
        "description": description,
        "fingerprint": fingerprint(request.values()),
        "parameter_set": parameter_set(request),
    }
    condition = insert_row(db, CONDITIONS, values, now_ms)
    rows = parameter_rows(condition["id"], request.values(), now_ms)
    if rows:
        db.execute(insert(PARAMETERS_CONDITIONS), rows)
    return condition


def parameter_rows(condition_id: int, given: Iterable[Given], now_ms: int) -> list[dict[str, Any]]:
    """The rows that hold a condition's parameters."""
    return [
        {
            "condition_id": condition_id,
            "parameter_id": one.parameter_id,
            "value": one.value,
            "txt_value": one.text,
            "lower_deviation_value": one.lower,
            "upper_deviation_value": one.upper,
            "lowest": one.value - one.lower,
            "highest": one.value + one.upper,
            "flg_available": True,
            "created_at": now_ms,
        }
        for one in given
    ]


def complete_conditions(db: Connection) -> None:
    """Work out how conditions are found that were written as plain rows, such as fixtures."""
    query = select(CONDITIONS.c.id).where(CONDITIONS.c.fingerprint.is_(None))
    for condition_id in db.execute(query).scalars().all():
        parameters = []
        of_condition = PARAMETERS_CONDITIONS.c.condition_id == condition_id
        for row in all_rows(db, select(PARAMETERS_CONDITIONS).where(of_condition)):
            sides = (row["lower_deviation_value"] or 0.0, row["upper_deviation_value"] or 0.0)
            stored = Stored(row["parameter_id"], row["value"] or 0.0, row["txt_value"], *sides)
            lowest, highest = bounds(stored)
            change = update(PARAMETERS_CONDITIONS).where(PARAMETERS_CONDITIONS.c.id == row["id"])
            db.execute(change.values(lowest=lowest, highest=highest))
            parameters.append(stored)
        keys = {
            "fingerprint": fingerprint(parameters),
            "parameter_set": parameter_set(p.parameter_id for p in parameters),
        }
        db.execute(update(CONDITIONS).where(CONDITIONS.c.id == condition_id).values(**keys))


def _read_name(body: Mapping[str, Any]) -> str:
    try:
        name = read_value("text", body.get("name"))
    except ValueError as error:
        raise Invalid({"name": [str(error)]}) from None
    if not name:
        raise Invalid({"name": [BLANK]})
    if len(name) > MAX_NAME:
        raise Invalid({"name": [f"is too long (maximum is {MAX_NAME} characters)"]})
    return str(name)


def show_condition(db: Connection, row: Mapping[str, Any]) -> dict[str, Any]:
    """A condition with its parameters as a JSON object."""
    query = (
        select(PARAMETERS_CONDITIONS, PARAMETERS.c.name.label("parameter_name"))
        .join(PARAMETERS, PARAMETERS.c.id == PARAMETERS_CONDITIONS.c.parameter_id)
        .where(PARAMETERS_CONDITIONS.c.condition_id == row["id"])
        .order_by(PARAMETERS_CONDITIONS.c.id)
    )
    parameters = [
        {**render(PARAMETERS_CONDITIONS, entry), "parameter_name": entry["parameter_name"]}
        for entry in all_rows(db, query)
    ]
    return {**render(CONDITIONS, row), "parameters_conditions": parameters}
