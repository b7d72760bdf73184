"""The catalogue's tables. A column's `info` says how its JSON field is read and written."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    UniqueConstraint,
    and_,
    false,
)

METADATA: Final = MetaData()
MAX_NAME: Final = 60
"""Longest name of most models; the others have their own."""
MAX_TEXT: Final = 4096

INTEGER: Final = BigInteger().with_variant(Integer(), "sqlite")
"""64 bits in both databases; SQLite counts ids up only in a column whose type is called INTEGER."""


class Text(TypeDecorator[str]):
    """A text. PostgreSQL holds no NUL in texts: one that is asked for equals nothing, as SQL's NULL does."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """The text, or None for one that no row can hold."""
        return None if value is not None and "\x00" in value else value


def _id() -> Column[int]:
    return Column("id", INTEGER, primary_key=True)


def _text(name: str, *, required: bool = False, longest: int = MAX_TEXT, unique: bool = False) -> Column[str]:
    info = {"kind": "text", "required": required, "longest": longest}
    return Column(name, Text, nullable=not required, unique=unique, info=info)


def _name(name: str = "name", *, unique: bool = True) -> Column[str]:
    return _text(name, required=True, longest=MAX_NAME, unique=unique)


def _integer(name: str, *, default: int | None = None) -> Column[int]:
    return Column(name, INTEGER, default=default, info={"kind": "integer"})


def _number(name: str, *, default: float | None = None) -> Column[float]:
    return Column(name, Float, default=default, info={"kind": "number"})


def _flag(name: str, *, default: bool = True) -> Column[bool]:
    return Column(name, Boolean, nullable=False, default=default, info={"kind": "flag"})


def _time(name: str, *, required: bool = False) -> Column[int]:
    """Milliseconds since 1970, UTC."""
    return Column(name, BigInteger, nullable=not required, info={"kind": "time", "required": required})


def _stamp(name: str) -> Column[int]:
    """A time that the catalogue itself writes."""
    return Column(name, BigInteger, nullable=False, info={"kind": "time", "own": True})


def _hidden(name: str, kind: Any) -> Column[Any]:
    """A column that only finds rows: no field of any JSON object."""
    return Column(name, kind, info={"hidden": True})


def _refers(name: str, target: str, *, required: bool = True) -> Column[int]:
    info = {"kind": "integer", "required": required, "refers": target}
    return Column(name, INTEGER, ForeignKey(f"{target}.id"), nullable=not required, info=info)


def _table(name: str, *columns: Any) -> Table:
    # AUTOINCREMENT: the id of a deleted row is never given again, so that no client's note points elsewhere.
    return Table(name, METADATA, _id(), *columns, sqlite_autoincrement=True)


def _about() -> tuple[Column[bool], Column[str]]:
    return _flag("flg_available"), _text("description")


INSTRUMENTS = _table(
    "instruments",
    _name(unique=False),
    _text("identifier", required=True, unique=True),
    _text("url"),
    *_about(),
)
DETECTOR_TYPES = _table("detector_types", _name(), *_about())
DETECTORS = _table(
    "detectors",
    _text("name", required=True, longest=64, unique=True),
    _text("identifier", required=True, unique=True),
    _text("karabo_name"),
    _text("karabo_id_control"),
    _text("source_name_pattern"),
    _integer("number_of_modules"),
    _integer("first_module_index", default=0),
    *_about(),
)
DETECTORS_INSTRUMENTS = _table(
    "detectors_instruments",
    _refers("instrument_id", "instruments"),
    _refers("detector_id", "detectors"),
    UniqueConstraint("instrument_id", "detector_id"),
)
PDUS = _table(
    "physical_detector_units",
    _name("physical_name"),
    Column("uuid", BigInteger, unique=True, info={"kind": "integer"}),
    _refers("detector_type_id", "detector_types"),
    *_about(),
)
MAPPINGS = _table(
    "module_mappings",
    _refers("physical_detector_unit_id", "physical_detector_units"),
    _time("since", required=True),
    _refers("detector_id", "detectors"),
    _text("karabo_da", required=True),
    _text("virtual_device_name"),
    _integer("module_number"),
    Index("ix_mappings_unit", "physical_detector_unit_id", "since"),
    Index("ix_mappings_detector", "detector_id"),
)
"""Where a unit sits, from a time on: modules are swapped, and an old constant must still say where it was."""
PARAMETERS = _table(
    "parameters",
    _name(),
    Column("unit_id", INTEGER, info={"kind": "integer"}),
    _flag("flg_logarithmic", default=False),
    # Later than the first catalogues, to which it is added: with a default that the database knows.
    Column("flg_text", Boolean, nullable=False, default=False, server_default=false(), info={"kind": "flag"}),
    _number("def_value", default=0.0),
    _number("def_lower_deviation_value", default=0.0),
    _number("def_upper_deviation_value", default=0.0),
    *_about(),
)
CALIBRATIONS = _table(
    "calibrations",
    _name(),
    _integer("unit_id"),
    _number("max_value"),
    _number("min_value"),
    _number("allowed_deviation"),
    _text("description"),
)
CONDITIONS = _table(
    "conditions",
    _name(),
    _integer("num_parameters"),
    *_about(),
    _stamp("created_at"),
    _hidden("fingerprint", String),
    _hidden("parameter_set", String),
    Index("ix_conditions_fingerprint", "fingerprint"),
    Index("ix_conditions_parameter_set", "parameter_set"),
)
"""`fingerprint` is equal for equal parameters, values and deviations, `parameter_set` for the same parameters."""
PARAMETERS_CONDITIONS = _table(
    "parameters_conditions",
    _refers("parameter_id", "parameters"),
    _refers("condition_id", "conditions"),
    _number("value"),
    _text("txt_value"),
    _number("lower_deviation_value"),
    _number("upper_deviation_value"),
    *_about(),
    _stamp("created_at"),
    _hidden("lowest", Float),
    _hidden("highest", Float),
    Index("ux_parameters_of_condition", "condition_id", "parameter_id", unique=True),
)
"""`lowest` and `highest` are value minus and plus deviation, added here and not in SQL, where sums may overflow."""
CONSTANTS = _table(
    "calibration_constants",
    _text("name", required=True, longest=255, unique=True),
    _refers("detector_type_id", "detector_types"),
    _refers("calibration_id", "calibrations"),
    _refers("condition_id", "conditions"),
    _flag("flg_auto_approve"),
    *_about(),
    _stamp("created_at"),
    _stamp("updated_at"),
    UniqueConstraint("detector_type_id", "calibration_id", "condition_id"),
    Index("ix_constants_condition", "condition_id"),
)
REPORTS = _table(
    "reports",
    _text("name", required=True, longest=64),
    _text("file_path", required=True, unique=True),
    _integer("user_id", default=1),
    *_about(),
)
VERSIONS = _table(
    "calibration_constant_versions",
    _text("name", longest=MAX_NAME),
    _text("file_name", required=True),
    _text("path_to_file", required=True),
    _text("data_set_name", required=True),
    _refers("calibration_constant_id", "calibration_constants"),
    _refers("physical_detector_unit_id", "physical_detector_units"),
    _flag("flg_deployed"),
    _flag("flg_good_quality"),
    _time("begin_validity_at"),
    _time("end_validity_at"),
    _time("begin_at", required=True),
    _integer("start_idx", default=0),
    _integer("end_idx", default=0),
    _text("raw_data_location"),
    _refers("report_id", "reports", required=False),
    _text("description"),
    _stamp("created_at"),
    UniqueConstraint("calibration_constant_id", "physical_detector_unit_id", "begin_at"),
    Index("ix_versions_unit", "physical_detector_unit_id"),
    Index("ix_versions_name", "name"),
    Index("ix_versions_report", "report_id"),
    Index("ix_versions_file", "path_to_file", "file_name"),
)
IN_USE = and_(VERSIONS.c.flg_deployed, VERSIONS.c.flg_good_quality)
"""What a lookup may return."""
Index(
    "ix_versions_in_use",
    VERSIONS.c.calibration_constant_id,
    VERSIONS.c.physical_detector_unit_id,
    VERSIONS.c.begin_at,
    VERSIONS.c.created_at,
    VERSIONS.c.end_validity_at,
    sqlite_where=IN_USE,
    postgresql_where=IN_USE,
)
