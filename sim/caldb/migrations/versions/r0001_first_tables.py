"""The catalogue's tables as the first Stellwerk made them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# SQLite counts ids up only in a column whose type is INTEGER; PostgreSQL's INTEGER would end at 2**31.
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NUMBER = ID
TIME = sa.BigInteger()


def upgrade() -> None:
    """Make all tables."""
    op.create_table(
        "calibrations",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("unit_id", NUMBER, nullable=True),
        sa.Column("max_value", sa.Float(), nullable=True),
        sa.Column("min_value", sa.Float(), nullable=True),
        sa.Column("allowed_deviation", sa.Float(), nullable=True),
        sa.Column("description", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "conditions",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("num_parameters", NUMBER, nullable=True),
        sa.Column("flg_available", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "detector_types",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("flg_available", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "detectors",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("identifier", sa.String(), nullable=False),
        sa.Column("karabo_name", sa.String(), nullable=True),
        sa.Column("karabo_id_control", sa.String(), nullable=True),
        sa.Column("source_name_pattern", sa.String(), nullable=True),
        sa.Column("number_of_modules", NUMBER, nullable=True),
        sa.Column("first_module_index", NUMBER, nullable=True),
        sa.Column("flg_available", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("identifier"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "instruments",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("identifier", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=True),
        sa.Column("flg_available", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("identifier"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "parameters",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("unit_id", NUMBER, nullable=True),
        sa.Column("flg_logarithmic", sa.Boolean(), nullable=False),
        sa.Column("def_value", sa.Float(), nullable=True),
        sa.Column("def_lower_deviation_value", sa.Float(), nullable=True),
        sa.Column("def_upper_deviation_value", sa.Float(), nullable=True),
        sa.Column("flg_available", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "reports",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("file_path", sa.String(), nullable=False),
        sa.Column("user_id", NUMBER, nullable=True),
        sa.Column("flg_available", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("file_path"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "calibration_constants",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("detector_type_id", NUMBER, nullable=False),
        sa.Column("calibration_id", NUMBER, nullable=False),
        sa.Column("condition_id", NUMBER, nullable=False),
        sa.Column("flg_auto_approve", sa.Boolean(), nullable=False),
        sa.Column("flg_available", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["calibration_id"],
            ["calibrations.id"],
        ),
        sa.ForeignKeyConstraint(
            ["condition_id"],
            ["conditions.id"],
        ),
        sa.ForeignKeyConstraint(
            ["detector_type_id"],
            ["detector_types.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("detector_type_id", "calibration_id", "condition_id"),
        sa.UniqueConstraint("name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "detectors_instruments",
        sa.Column("id", ID, nullable=False),
        sa.Column("instrument_id", NUMBER, nullable=False),
        sa.Column("detector_id", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["detector_id"],
            ["detectors.id"],
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"],
            ["instruments.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("instrument_id", "detector_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "parameters_conditions",
        sa.Column("id", ID, nullable=False),
        sa.Column("parameter_id", NUMBER, nullable=False),
        sa.Column("condition_id", NUMBER, nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("txt_value", sa.String(), nullable=True),
        sa.Column("lower_deviation_value", sa.Float(), nullable=True),
        sa.Column("upper_deviation_value", sa.Float(), nullable=True),
        sa.Column("flg_available", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["condition_id"],
            ["conditions.id"],
        ),
        sa.ForeignKeyConstraint(
            ["parameter_id"],
            ["parameters.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "physical_detector_units",
        sa.Column("id", ID, nullable=False),
        sa.Column("physical_name", sa.String(), nullable=False),
        sa.Column("uuid", TIME, nullable=True),
        sa.Column("detector_type_id", NUMBER, nullable=False),
        sa.Column("flg_available", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["detector_type_id"],
            ["detector_types.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("physical_name"),
        sa.UniqueConstraint("uuid"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "calibration_constant_versions",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(), nullable=True),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("path_to_file", sa.String(), nullable=False),
        sa.Column("data_set_name", sa.String(), nullable=False),
        sa.Column("calibration_constant_id", NUMBER, nullable=False),
        sa.Column("physical_detector_unit_id", NUMBER, nullable=False),
        sa.Column("flg_deployed", sa.Boolean(), nullable=False),
        sa.Column("flg_good_quality", sa.Boolean(), nullable=False),
        sa.Column("begin_validity_at", TIME, nullable=True),
        sa.Column("end_validity_at", TIME, nullable=True),
        sa.Column("begin_at", TIME, nullable=False),
        sa.Column("start_idx", NUMBER, nullable=True),
        sa.Column("end_idx", NUMBER, nullable=True),
        sa.Column("raw_data_location", sa.String(), nullable=True),
        sa.Column("report_id", NUMBER, nullable=True),
        sa.Column("description", sa.String(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["calibration_constant_id"],
            ["calibration_constants.id"],
        ),
        sa.ForeignKeyConstraint(
            ["physical_detector_unit_id"],
            ["physical_detector_units.id"],
        ),
        sa.ForeignKeyConstraint(
            ["report_id"],
            ["reports.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("calibration_constant_id", "physical_detector_unit_id", "begin_at"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "module_mappings",
        sa.Column("id", ID, nullable=False),
        sa.Column("physical_detector_unit_id", NUMBER, nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("detector_id", NUMBER, nullable=False),
        sa.Column("karabo_da", sa.String(), nullable=False),
        sa.Column("virtual_device_name", sa.String(), nullable=True),
        sa.Column("module_number", NUMBER, nullable=True),
        sa.ForeignKeyConstraint(
            ["detector_id"],
            ["detectors.id"],
        ),
        sa.ForeignKeyConstraint(
            ["physical_detector_unit_id"],
            ["physical_detector_units.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Drop all tables."""
    for name in (
        "module_mappings",
        "calibration_constant_versions",
        "physical_detector_units",
        "parameters_conditions",
        "detectors_instruments",
        "calibration_constants",
        "reports",
        "parameters",
        "instruments",
        "detectors",
        "detector_types",
        "conditions",
        "calibrations",
    ):
        op.drop_table(name)
