"""Operating conditions: stored once, found exactly or within their deviations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, insert, select

from sim.caldb.fields import BLANK, TAKEN, Invalid, read_value, render
from sim.caldb.matching import Given, Stored, expected, possible
from sim.caldb.office import audit
from sim.caldb.seeds import MEMORY_CELL_ORDER
from sim.caldb.store import all_rows, insert_values, row_by_id
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
    if parameter["id"] == MEMORY_CELL_ORDER:
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


def stored_parameters(db: Connection) -> dict[int, list[Stored]]:
    """All available conditions by id, with their parameters."""
    conditions: dict[int, list[Stored]] = {
        row.id: [] for row in db.execute(select(CONDITIONS.c.id).where(CONDITIONS.c.flg_available))
    }
    for row in db.execute(select(PARAMETERS_CONDITIONS)).mappings():
        if row["condition_id"] in conditions:
            conditions[row["condition_id"]].append(
                Stored(
                    row["parameter_id"],
                    row["value"],
                    row["txt_value"],
                    row["lower_deviation_value"],
                    row["upper_deviation_value"],
                )
            )
    return conditions


def find(
    db: Connection,
    request: Mapping[int, Given],
    fits: Callable[[Sequence[Stored], Mapping[int, Given]], bool],
    event_at: int,
) -> list[dict[str, Any]]:
    """Conditions that fit a request, the one created closest to a time first."""
    ids = [condition_id for condition_id, stored in stored_parameters(db).items() if fits(stored, request)]
    rows = all_rows(db, select(CONDITIONS).where(CONDITIONS.c.id.in_(ids)))
    return sorted(rows, key=lambda row: (abs(row["created_at"] - event_at), row["id"]))


def find_expected(db: Connection, request: Mapping[int, Given], event_at: int) -> list[dict[str, Any]]:
    """Conditions with exactly these values and deviations."""
    return find(db, request, expected, event_at)


def find_possible(db: Connection, request: Mapping[int, Given], event_at: int) -> list[dict[str, Any]]:
    """Conditions whose deviations allow these values."""
    return find(db, request, possible, event_at)


def create_condition(
    db: Connection, body: Mapping[str, Any], request: Mapping[int, Given], now_ms: int
) -> dict[str, Any]:
    """Store a condition. Raises Invalid when its name is taken, too long or missing."""
    name = _read_name(body)
    if db.execute(select(CONDITIONS.c.id).where(CONDITIONS.c.name == name)).first() is not None:
        raise Invalid({"name": [TAKEN]})
    values = {"name": name, "num_parameters": len(request), "flg_available": True, "created_at": now_ms}
    description = body.get("description")
    values["description"] = description if isinstance(description, str) else ""
    condition_id = insert_values(db, CONDITIONS, values)
    rows = [
        {
            "condition_id": condition_id,
            "parameter_id": given.parameter_id,
            "value": given.value,
            "txt_value": given.text,
            "lower_deviation_value": given.lower,
            "upper_deviation_value": given.upper,
            "flg_available": True,
            "created_at": now_ms,
        }
        for given in request.values()
    ]
    if rows:
        db.execute(insert(PARAMETERS_CONDITIONS), rows)
    row = row_by_id(db, CONDITIONS, condition_id)
    audit.added(db, CONDITIONS, row, now_ms)
    return row


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
