"""JSON schemas of what the catalogue takes and answers, made from its tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Column, Table

from sim.caldb.conditions import FIELD, MAX_PARAMETERS
from sim.caldb.fields import LARGEST
from sim.caldb.resources import RESOURCES
from sim.caldb.tables import (
    CONDITIONS,
    CONSTANTS,
    DETECTORS,
    MAPPINGS,
    MAX_NAME,
    MAX_TEXT,
    PARAMETERS_CONDITIONS,
    PDUS,
    REPORTS,
    VERSIONS,
)
from sim.caldb.units import PLACE
from sim.caldb.users import user_of

Schema = dict[str, Any]

BERLIN_TIME: Final = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0[12]:00$"
_SHOWN: Final[Mapping[str, Schema]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "flag": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time", "pattern": BERLIN_TIME},
}
_TAKEN: Final[Mapping[str, Schema]] = {
    "text": {"type": "string"},
    "integer": {"type": ["integer", "string"], "minimum": -LARGEST, "maximum": LARGEST},
    "number": {"type": ["number", "string"]},
    "flag": {"enum": [True, False, 0, 1, "true", "false", "True", "False", "0", "1"]},
    "time": {"type": "string", "examples": ["2026-01-05T09:00:00+01:00"]},
}
"""Numbers, flags and ids may come as texts; an empty text stands for nothing."""


def reference(name: str) -> Schema:
    """A schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def schemas() -> dict[str, Schema]:
    """All schemas by name."""
    made = {resource.body: _shown(resource.table) for resource in RESOURCES}
    for resource in RESOURCES:
        if not resource.read_only:
            made |= _bodies(resource.body, resource.table)
    link = dict.fromkeys(("instrument_id", "detector_id"), _SHOWN["integer"])
    made["detector"] = _with(made["detector"], {"detectors_instruments": _list(_object(link))})
    made["report"] = _with(_shown(REPORTS), {"view_url": _SHOWN["text"]})
    unit = _with(_shown(PDUS), {"float_uuid": {"type": ["number", "null"]}, **_place("")})
    made["physical_detector_unit"] = unit
    made["unit_of_detector"] = _with(
        unit, {"detector": _shown(DETECTORS), "detector_type": reference("detector_type")}
    )
    made |= _bodies("physical_detector_unit", PDUS, MAPPINGS)
    made |= _conditions()
    made["version"] = _version(_with(unit, _place("_at_ccv_begin_at")))
    made |= {
        f"{prefix}_version": schema
        for prefix, schema in zip(
            ("new", "changed"), _bodies("calibration_constant_version", VERSIONS).values(), strict=True
        )
    }
    made["report_with_versions"] = _with(
        made["report"], {"calibration_constant_versions": _list(reference("version"))}
    )
    return made | {"user": _user(), **_errors()}


def _shown(table: Table) -> Schema:
    columns = [column for column in table.columns if not column.info.get("hidden")]
    return _object({column.name: _column_shown(table, column) for column in columns})


def _column_shown(table: Table, column: Column[Any]) -> Schema:
    schema = _SHOWN[column.info.get("kind", "integer")]
    filled = column.name == "description" and table is not VERSIONS
    return _or_null(schema) if column.nullable and not filled else schema


def _bodies(name: str, *tables: Table) -> dict[str, Schema]:
    """What creates an entry, and what changes one: the object stands under the model's name."""
    columns = [column for table in tables for column in table.columns if _is_taken(column)]
    fields = {str(column.name): _column_taken(column) for column in columns}
    required = [str(column.name) for column in columns if column.info.get("required")]
    new = {"type": "object", "properties": fields, "required": required}
    changed = {"type": "object", "properties": fields}
    return {f"new_{name}": _under(name, new), f"changed_{name}": _under(name, changed)}


def _is_taken(column: Column[Any]) -> bool:
    known = "kind" in column.info and not column.info.get("own")
    return (known and column.name not in ("physical_detector_unit_id", "since")) or (
        column.table is VERSIONS and known
    )


def _column_taken(column: Column[Any]) -> Schema:
    schema = dict(_TAKEN[column.info["kind"]])
    required = bool(column.info.get("required"))
    if column.info["kind"] == "text":
        schema["maxLength"] = column.info.get("longest", MAX_TEXT)
        if required:
            schema["minLength"] = 1
    return schema if required else _or_null(schema)


def _conditions() -> dict[str, Schema]:
    stored = _with(_shown(PARAMETERS_CONDITIONS), {"parameter_name": _SHOWN["text"]})
    number, text = _or_null(_TAKEN["number"]), _or_null({"type": "string"})
    given = {
        "type": "object",
        "properties": {
            "parameter_name": {"type": "string"},
            "parameter_id": _TAKEN["integer"],
            "value": {"type": ["number", "string"]},
            "txt_value": text,
            "lower_deviation_value": number,
            "upper_deviation_value": number,
        },
        "required": ["value"],
        "anyOf": [{"required": ["parameter_name"]}, {"required": ["parameter_id"]}],
    }
    listed = {"type": "array", "maxItems": MAX_PARAMETERS, "items": given}
    wanted = {
        "name": text,
        "event_at": _or_null(_TAKEN["time"]),
        "flg_available": _or_null(_TAKEN["flag"]),
        "description": text,
        FIELD: listed,
    }
    new = {**wanted, "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME}}
    return {
        "condition": _with(_shown(CONDITIONS), {"parameters_conditions": _list(stored)}),
        "parameters": {"type": "object", "properties": {FIELD: listed}, "required": [FIELD]},
        "wanted_condition": _under(
            "condition", {"type": "object", "properties": wanted, "required": [FIELD]}
        ),
        "new_condition": _under(
            "condition", {"type": "object", "properties": new, "required": ["name", FIELD]}
        ),
    }


def _version(unit: Schema) -> Schema:
    own = _shown(VERSIONS)["properties"]
    for embedded in ("calibration_constant_id", "physical_detector_unit_id"):
        del own[embedded]
    nested = {
        "view_url": _SHOWN["text"],
        CONSTANTS.name.removesuffix("s"): reference("calibration_constant"),
        PDUS.name.removesuffix("s"): unit,
    }
    return _object(own | nested)


def _place(suffix: str) -> dict[str, Schema]:
    columns = {name: MAPPINGS.c[name].info["kind"] for name in PLACE}
    return {f"{name}{suffix}": _or_null(_SHOWN[kind]) for name, kind in columns.items()}


def _user() -> Schema:
    kinds = {
        str: {"type": "string"},
        int: {"type": "integer"},
        bool: {"type": "boolean"},
        list: {"type": "array"},
    }
    example = user_of("")
    return _object(
        {name: kinds.get(type(value), {"type": ["string", "null"]}) for name, value in example.items()}
    )


def _errors() -> dict[str, Schema]:
    messages = {"type": "object", "additionalProperties": _list({"type": "string"}), "minProperties": 1}
    return {
        "error": _object({"info": {"type": "string"}}),
        "invalid": _object({"info": messages}),
        "token_error": _object({"error": {"type": "string"}, "error_description": {"type": "string"}}),
        "token": _object(
            {
                "access_token": {"type": "string"},
                "token_type": {"const": "Bearer"},
                "expires_in": {"type": "integer"},
                "created_at": {"type": "integer"},
            }
        ),
    }


def _object(properties: Mapping[str, Schema]) -> Schema:
    # A column's name is a text of a class of its own, which strict readers of the document refuse.
    plain = {str(name): schema for name, schema in properties.items()}
    return {"type": "object", "properties": plain, "required": list(plain), "additionalProperties": False}


def _with(schema: Schema, more: Mapping[str, Schema]) -> Schema:
    return _object(schema["properties"] | more)


def _under(name: str, schema: Schema) -> Schema:
    return {"type": "object", "properties": {name: schema}, "required": [name]}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    known = schema["type"]
    return {**schema, "type": [*([known] if isinstance(known, str) else known), "null"]}
